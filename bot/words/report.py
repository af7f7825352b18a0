"""The bot's one comment on a pull request, state by state. Its first line is the verdict and the commit."""

import re
from collections.abc import Sequence
from itertools import groupby

from bot.config import Metric, Mlops
from bot.facts import BadName, PullRequestHead, Step
from bot.words import escape
from bot.words.template import render

duration = escape.duration

MOST_METRICS = 100
LOG_BUDGET = 60_000
"""Characters, shared among the projects that failed: a comment has room for 150,000."""

_PLAIN = re.compile(r"\w[\w./:-]*", re.ASCII)


def running(head: PullRequestHead, steps: Sequence[Step]) -> str:
    """What runs and what waits, without anything that changes by time alone."""
    return render("running", head=head, steps=steps)


def ended(head: PullRequestHead, steps: Sequence[Step]) -> str:
    """The verdict over all steps: passed, or failed in the first that did."""
    broken = next((step for step in steps if step.state == "failed"), None)
    lost = next((step for step in steps if step.state == "no cluster"), None)
    metrics = _metrics(steps)
    failed = sum(step.state == "failed" for step in steps)
    values = {
        "head": head,
        "steps": steps,
        "seconds": _seconds(steps),
        "metrics": metrics[:MOST_METRICS],
        "more_metrics": len(metrics[MOST_METRICS:]),
        "log_budget": LOG_BUDGET // max(1, failed),
    }
    if broken is not None:
        return render("failed", broken=broken, **values)
    if lost is not None:
        return render("no_cluster", broken=lost, **values)
    return render("passed", **values)


def bad_branch(head: PullRequestHead, bad: BadName, free: str | None, config: Mlops) -> str:
    """Why the branch's name cannot be used, which one could, and how to get there."""
    by_character = groupby(sorted(bad.at_fault), key=lambda one: one[0])
    at_fault = [(_shown(character), [position for _, position in found]) for character, found in by_character]
    return render(
        "bad_branch",
        head=head,
        bad=bad,
        at_fault=sorted(at_fault, key=lambda one: one[1][0]),
        free=free,
        # Only a name that no shell reads anything into is offered for copying.
        simple=bool(
            re.fullmatch(r"\w[\w./:-]*", bad.name, re.ASCII) and re.fullmatch(r"[\w.-]+", free or "", re.ASCII)
        ),
        experiment=config.experiment,
        target=config.target,
    )


def bad_config(head: PullRequestHead, problem: str) -> str:
    """The target branch's configuration is not usable; it is nobody's fault on this pull request."""
    return render("bad_config", head=head, problem=problem)


def held_up(head: PullRequestHead, neighbour: str) -> str:
    """A neighbour does not do its part; the same words however long it takes."""
    return render("held_up", head=head, neighbour=neighbour)


def fork(head: PullRequestHead) -> str:
    """The pull request comes from a fork."""
    return render("fork", head=head)


def nothing_to_run(head: PullRequestHead) -> str:
    """An earlier commit touched a project, this one does not."""
    return render("nothing_to_run", head=head)


def _seconds(steps: Sequence[Step]) -> float | None:
    """From the first start to the last end; steps may overlap."""
    runs = [step.run for step in steps if step.run]
    starts = [run.started for run in runs if run.started and run.ended]
    ends = [run.ended for run in runs if run.started and run.ended]
    return (max(ends) - min(starts)).total_seconds() if starts and ends else None


def _metrics(steps: Sequence[Step]) -> list[tuple[str, Metric, float | None]]:
    """A row for each metric of each project that logged any; one that crashed before has nothing to show."""
    return [
        (step.project.name, metric, step.run.metrics.get(metric.name))
        for step in steps
        if step.run and any(metric.name in step.run.metrics for metric in step.project.metrics)
        for metric in step.project.metrics
    ]


def _shown(character: str) -> str:
    return escape.code(character) or f"U+{ord(character):04X}"
