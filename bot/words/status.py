"""The one line beside the pull request's status: at most 80 characters, the same words as the report."""

from collections.abc import Sequence

from bot.facts import PullRequestHead, Step
from bot.words import escape

LONGEST = 80


def running(steps: Sequence[Step]) -> str:
    """Work is under way."""
    return _line(f"running {', '.join(step.project.name for step in steps)}")


def ended(steps: Sequence[Step]) -> str:
    """The verdict in a line."""
    for state in ("failed", "no cluster"):
        for step in steps:
            if step.state == state:
                what = "failed" if state == "failed" else "could not be run"
                return _line(f"{step.project.name} {what}: {step.reason or 'there was no cluster'}")
    numbers = [
        f"{metric.name} {escape.number(step.run.metrics[metric.name])}"
        for step in steps
        if step.run
        for metric in step.project.metrics[:1]
    ]
    return _line(" · ".join(["passed", *numbers]))


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
    """The code of forks is not run."""
    return "comes from a fork; nothing was run"


def nothing_to_run(head: PullRequestHead) -> str:
    """No project is touched."""
    count = len(head.changed)
    return f"no ML project changed ({count} file{'' if count == 1 else 's'})"


def _line(text: str) -> str:
    plain = " ".join(escape.visible(text).split())
    return plain if len(plain) <= LONGEST else plain[: LONGEST - 1] + "…"
