"""The lines beside the statuses: at most 80 characters each, the same words as the report."""

import math
from collections.abc import Sequence

from bot.actions import State
from bot.facts.pull_request import GOOD_STATES, BadName, PullRequestHead, Situation, Step
from bot.words import branch, escape
from bot.words import steps as rows
from bot.words.mask import masked

LONGEST = 80
IN_LINE = "queued · "
"""The beginning of what is said of who waits for others."""


def queued(s: Situation) -> str:
    """Nothing could be started yet."""
    if s.queue_position is None:
        return "queued"
    number = s.queue_position.ahead + 1
    return f"{IN_LINE}position {number} of {max(s.queue_position.waiting, number)}"


def running(s: Situation) -> str:
    """Work is under way."""
    return _line(f"running {', '.join(step.project.name for step in s.steps)}")


def ended(s: Situation) -> str:
    """The verdict in a line."""
    if s.cancelled is not None and any(step.state not in GOOD_STATES for step in s.steps):
        return _line(f"cancelled by {s.cancelled.by}")
    for state, what in (
        ("failed", "failed"),
        ("refused", "refused"),
        ("no cluster", "could not be run"),
    ):
        step = rows.first(s.steps, state)
        if step is not None:
            reason = masked(rows.reason(step)) or "there was no cluster"
            return _line(f"{step.project.name} {what}: {reason}")
    if s.preview is not None and s.preview.refused:
        first, *_ = branch.merge_faults(s.preview.refused)
        return _line(f"would be refused on merge: {first}")
    took = escape.duration(rows.elapsed(s))
    accepted = [step for step in s.steps if step.state == "accepted"]
    words = ["passed"]
    if accepted:
        words = [f"passed, {len(accepted)} accepted"]
    for number in _numbers(s.steps):
        if len(" · ".join([*words, number, took])) <= LONGEST:
            words.append(number)
    if took:
        words.append(took)
    return _line(" · ".join(words))


def bad_branch() -> str:
    """The branch's name cannot be used."""
    return "the branch name can't be used with Databricks; nothing was run"


def bad_config() -> str:
    """The target branch's configuration cannot be used."""
    return "config/mlops.yml on the target branch can't be used; nothing was run"


def held_up() -> str:
    """Nothing could be begun yet; the report says why."""
    return "queued"


def fork() -> str:
    """The code of forks is not run before somebody has allowed it."""
    return "comes from a fork; waits for /mlops ok-to-test"


def nothing_to_run(head: PullRequestHead) -> str:
    """No project is touched."""
    files = f"{len(head.changed)} files"
    if len(head.changed) == 1:
        files = "1 file"
    return f"no ML project changed ({files})"


def steps(s: Situation, bad: BadName | None = None) -> list[tuple[str, State, str]]:
    """Name, state and line of the status of each step: `branch-name`, the projects' names,
    `gate`.
    """
    if bad is not None:
        return [("branch-name", "failed", _line(f"{bad.name} can't be used with Databricks"))]
    return [(row.name, row.state, _timed(row)) for row in rows.rows(s)]


def _timed(row: rows.Row) -> str:
    line = masked(row.line)
    if row.state == "succeeded" and (took := escape.duration(row.seconds)):
        line += f" · {took}"
    return _line(line)


def _numbers(steps: Sequence[Step]) -> list[str]:
    """The first metric of each project, and how it stands beside the version that serves, or the
    target branch.
    """
    found: list[str] = []
    for step in steps:
        for judgement in step.judgements[:1]:
            if judgement.value is None or not math.isfinite(judgement.value):
                continue
            number = f"{judgement.metric.name} {escape.number(judgement.value)}"
            for reference, value in (
                (step.baseline.serving, judgement.serving),
                (step.baseline.target, judgement.target),
            ):
                if reference is not None and reference.comparable and value is not None:
                    number += f" ({escape.difference(judgement.value, value)} vs {reference.label})"
                    break
            found.append(number)
    return found


def _line(text: str) -> str:
    plain = " ".join(escape.visible(text).split())
    if len(plain) <= LONGEST:
        return plain
    return plain[: LONGEST - 1] + "…"
