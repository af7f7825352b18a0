"""The steps of a pull request's validation, one row each, for the report's table and for the
statuses beside it.

Besides a row for each project there is one for the branch's name and, where metrics are judged, one
for the gate.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import NamedTuple, assert_never

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
    told = _state(step, s)
    row = Row(
        step.project.name,
        told.mark,
        told.cell,
        told.status,
        told.line,
        seconds=seconds(step, s),
        run=step.run,
    )
    went_wrong = step.state in ("failed", "no cluster")
    if went_wrong or (step.state == "accepted" and not _ran_well(step)):
        return replace(row, note=reason(step))
    return row


class _ToldState(NamedTuple):
    """A step's state: its mark and words in a cell, its status and the line of that."""

    mark: str
    cell: str
    status: State
    line: str


def _state(step: Step, s: Situation) -> _ToldState:
    match step.state:
        case "passed" | "refused":
            return _ToldState("✅", "done", "succeeded", "done")
        case "accepted" if _ran_well(step):
            return _ToldState("✅", "done", "succeeded", "done")
        case "accepted":
            line = f"failed, accepted by {_accepted_by(step)}"
            return _ToldState("☑️", "failed, accepted", "succeeded", line)
        case "failed":
            return _ToldState("❌", "failed", "failed", f"failed: {reason(step)}")
        case "no cluster":
            why = reason(step) or "there was no cluster"
            return _ToldState("⚠️", "no cluster", "error", f"could not be run: {why}")
        case "skipped":
            line = "not started"
            if why := reason(step):
                line = f"not started: {why}"
            return _ToldState("⏭", "not started", "failed", line)
    if s.cancelled is not None:
        return _ToldState("🛑", "cancelled", "failed", f"cancelled by {s.cancelled.by}")
    if step.state == "runs":
        cell = "starting"
        if step.run and step.run.started:
            cell = "running"
        return _ToldState("🔵", cell, "pending", cell)
    if step.state == "again":
        line = "there was no cluster, is tried again"
        return _ToldState("⚠️", "no cluster, is tried again", "pending", line)
    waits = _waits_for(step, s)
    return _ToldState("⏸", waits, "pending", waits)


def _accepted_by(step: Step) -> str:
    if step.accepted is None:
        return "somebody"
    return step.accepted.by


def _waits_for(step: Step, s: Situation) -> str:
    before = [other for other in s.steps if other.project.path in step.project.after]
    ready = all(other.state in USABLE_STATES for other in before)
    position = s.queue_position
    if ready and position is not None and position.free <= position.ahead:
        return "waits for a free slot"
    return "waits"


def _gate(s: Situation) -> Row:
    row = Row("gate", "✅", "passed", "succeeded", "passed", title="Quality gate")
    judged = [step for step in s.steps if gated(step)]
    bad = first(judged, "refused")
    if bad is not None:
        note = reason(bad)
        return replace(
            row, mark="❌", said="refused", state="failed", line=f"refused: {note}", note=note
        )
    if s.cancelled is None and any(step.state in UNFINISHED_STATES for step in judged):
        return replace(row, mark="⏸", said="waits", state="pending", line="waits for the runs")
    for step in judged:
        if step.state != "accepted" and not _ran_well(step):
            line = f"not reached: {step.project.name} has no result"
            return replace(row, mark="⏭", said="not reached", state="failed", line=line)
    accepted = first(judged, "accepted")
    if accepted is None:
        return row
    said = "not reached, accepted"
    if any(refused(step) for step in judged if step.state == "accepted"):
        said = "refused, accepted"
    return replace(row, mark="☑️", said=said, line=f"{said} by {_accepted_by(accepted)}")


def first(steps: Sequence[Step], *states: str) -> Step | None:
    """The first step in one of these states."""
    return next((step for step in steps if step.state in states), None)
