"""The steps of a pull request's validation, one row each, for the report's table and for the
statuses beside it.

Besides a row for each project there is one for the branch's name and, where metrics are judged, one
for the gate.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import assert_never

from bot.actions import State
from bot.facts.pull_request import UNFINISHED_STATES, USABLE_STATES, NotReached, Situation, Step
from bot.facts.quality_gate import GateRefusal
from bot.facts.runs import ProjectRun, RunFault
from bot.words import escape, gate


@dataclass(frozen=True)
class Row:
    """`name` as its status is called, `title` as people say it (empty: its name, from outside).
    `mark` and `said` tell its state in a table, `line` in a status, without escapes. `note` says
    why it went wrong, in words from outside.
    """

    name: str
    mark: str
    said: str
    state: State
    line: str
    title: str = ""
    note: str = ""
    seconds: float | None = None
    run: ProjectRun | None = None


def rows(s: Situation) -> list[Row]:
    """Every step, in the order in which they are taken."""
    found = [Row("branch-name", "✅", "allowed", "succeeded", "allowed", title="Branch name")]
    found += [_project(step, s) for step in s.steps]
    if any(gated(step) for step in s.steps):
        found.append(_gate(s))
    return found


@dataclass(frozen=True)
class ToldStep(Step):
    """A step whose `reason` is in words, which is how templates know it."""

    reason: str = ""


def told(step: Step, reason: str) -> ToldStep:
    """A step with the reason that is to be told of it."""
    known = {field.name: getattr(step, field.name) for field in fields(Step)}
    return ToldStep(**known, reason=reason)


def reason(step: Step) -> str:
    """Why a step does not pass, in a line; empty where it does, or where nothing tells."""
    if isinstance(step, ToldStep):
        return step.reason
    match step.fault:
        case None:
            return ""
        case NotReached(before):
            return f"{before} did not succeed"
        case _:
            return fault(step.fault)


def in_words(situation: Situation, tell: Callable[[Step], str] = reason) -> Situation:
    """The situation with every step as templates know it; `tell` says why a step does not pass."""
    return replace(situation, steps=tuple(told(step, tell(step)) for step in situation.steps))


def fault(failure: RunFault | GateRefusal) -> str:
    """Why a run that has ended is no success, or not good enough, in a line."""
    if isinstance(failure, GateRefusal):
        return gate.refused(failure)
    match failure.kind:
        case "timed out":
            return f"ran past its limit of {escape.duration(failure.limit)}"
        case "reported":
            return failure.reason
        case "cancelled":
            return "the run was cancelled"
        case "unexplained":
            return "the run gave no reason"
        case "no model":
            return f"ended without registering the model {failure.model}"
        case _:
            assert_never(failure.kind)


def gated(step: Step) -> bool:
    """Whether the gate has anything to say about a project."""
    return bool(step.project.metrics) or step.project.signature == "equal"


def refused(step: Step) -> bool:
    """Whether it ran well and its model is not good enough, accepted by somebody or not."""
    return step.state == "refused" or (step.state == "accepted" and _ran_well(step))


def seconds(step: Step, s: Situation) -> float | None:
    """How long it took, or takes already; what has only just begun takes no time yet."""
    run = step.run
    if run is None or run.started is None:
        return None
    if run.over:
        return run.seconds
    so_far = (s.now - run.started).total_seconds()
    if so_far >= 1:
        return so_far
    return None


def elapsed(s: Situation) -> float | None:
    """From the first start to the last end, or until now; steps may overlap."""
    runs = [step.run for step in s.steps if step.run and step.run.started]
    starts = [run.started for run in runs if run.started]
    ends = [run.ended or s.now for run in runs if run.ended or not run.over]
    if starts and ends:
        return (max(ends) - min(starts)).total_seconds()
    return None


def _ran_well(step: Step) -> bool:
    run = step.run
    return (
        run is not None
        and run.outcome == "succeeded"
        and bool(run.model_version or step.project.model is None)
    )


def _project(step: Step, s: Situation) -> Row:
    mark, said, state, line = _told(step, s)
    note = ""
    if step.state in ("failed", "no cluster") or (step.state == "accepted" and not _ran_well(step)):
        note = reason(step)
    return Row(
        step.project.name,
        mark,
        said,
        state,
        line,
        note=note,
        seconds=seconds(step, s),
        run=step.run,
    )


def _told(step: Step, s: Situation) -> tuple[str, str, State, str]:
    match step.state:
        case "passed" | "refused":
            return "✅", "done", "succeeded", "done"
        case "accepted" if _ran_well(step):
            return "✅", "done", "succeeded", "done"
        case "accepted":
            if step.accepted:
                by = step.accepted.by
            else:
                by = "somebody"
            return "☑️", "failed, accepted", "succeeded", f"failed, accepted by {by}"
        case "failed":
            return "❌", "failed", "failed", f"failed: {reason(step)}"
        case "no cluster":
            why = reason(step) or "there was no cluster"
            return "⚠️", "no cluster", "error", f"could not be run: {why}"
        case "skipped":
            line = "not started"
            if why := reason(step):
                line = f"not started: {why}"
            return "⏭", "not started", "failed", line
    if s.cancelled is not None:
        return "🛑", "cancelled", "failed", f"cancelled by {s.cancelled.by}"
    if step.state == "runs":
        said = "starting"
        if step.run and step.run.started:
            said = "running"
        return "🔵", said, "pending", said
    if step.state == "again":
        return "⚠️", "no cluster, is tried again", "pending", "there was no cluster, is tried again"
    return "⏸", _waits_for(step, s), "pending", _waits_for(step, s)


def _waits_for(step: Step, s: Situation) -> str:
    before = [other for other in s.steps if other.project.path in step.project.after]
    ready = all(other.state in USABLE_STATES for other in before)
    position = s.queue_position
    if ready and position is not None and position.free <= position.ahead:
        return "waits for a free slot"
    return "waits"


def _gate(s: Situation) -> Row:
    judged = [step for step in s.steps if gated(step)]
    mark = "✅"
    said = "passed"
    state = "succeeded"
    line = "passed"
    note = ""
    if bad := [step for step in judged if step.state == "refused"]:
        mark = "❌"
        said = "refused"
        state = "failed"
        note = reason(bad[0])
        line = f"refused: {note}"
    elif any(step.state in UNFINISHED_STATES for step in judged) and s.cancelled is None:
        mark = "⏸"
        said = "waits"
        state = "pending"
        line = "waits for the runs"
    elif missing := [step for step in judged if step.state != "accepted" and not _ran_well(step)]:
        mark = "⏭"
        said = "not reached"
        state = "failed"
        line = f"not reached: {missing[0].project.name} has no result"
    elif taken := [step for step in judged if step.state == "accepted"]:
        if taken[0].accepted:
            by = taken[0].accepted.by
        else:
            by = "somebody"
        said = "not reached, accepted"
        if any(refused(step) for step in taken):
            said = "refused, accepted"
        mark = "☑️"
        line = f"{said} by {by}"
    return Row("gate", mark, said, state, line, title="Quality gate", note=note)  # type: ignore[arg-type]


def first(steps: Sequence[Step], *states: str) -> Step | None:
    """The first step in one of these states."""
    return next((step for step in steps if step.state in states), None)
