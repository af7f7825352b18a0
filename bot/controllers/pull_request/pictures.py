"""The pictures of a report: what the runs drew, and a chart of what they are judged by, attached to
the pull request.

A picture that cannot be had is left out: no report waits for one. Azure DevOps
is called once for each, and for nothing else; done twice, it finds the same.
"""

import logging
import math
from collections.abc import Iterator, Mapping, Sequence

from bot.controllers.services import Repository, Services
from bot.errors import ServiceError
from bot.facts.pull_request import Picture, PullRequestHead, Step
from bot.facts.quality_gate import Baseline, Judgement
from bot.facts.runs import ProjectRun
from bot.pictures.chart import chart
from bot.pictures.harmless import reencoded
from bot.words import attachment

PER_PROJECT = 4
"""How many of its own pictures each project shows, by the names of their files."""

MOST = 8
"""How many there are in all: each is a call to Azure DevOps."""

LARGEST = 8 * 1024 * 1024
"""Bytes of a picture that is read from MLflow, before it is made smaller."""

_REFUSED = (400, 403, 404, 409, 413)

log = logging.getLogger(__name__)


def attach_all(
    head: PullRequestHead,
    steps: Sequence[Step],
    baselines: Mapping[str, Baseline],
    repository: Repository,
    services: Services,
) -> tuple[Picture, ...]:
    """Attach the pictures of all runs that have ended, and give them in the order of the steps,
    charts first.

    Raises ServiceError only while Azure DevOps is away.
    """
    attached: list[Picture] = []
    for step in steps:
        run = step.run
        if run is None or not run.over or run.withdrawn or not run.mlflow_run:
            continue
        before = ""
        if len(steps) > 1:
            before = f"{step.project.name}: "
        for path, content in _of_step(step, run, baselines.get(step.project.path), head, services):
            if len(attached) == MOST:
                return tuple(attached)
            name = attachment.picture(step.project.path, run.commit, run.mlflow_run, path, content)
            try:
                url = repository.azure.attach(head.number, name, content)
            except ServiceError as refused:
                if refused.status not in _REFUSED:
                    raise
                log.warning("a picture of pull request %s is left out: %s", head.number, refused)
            else:
                attached.append(Picture(f"{before}{path.removesuffix('.png')}", url))
    return tuple(attached)


def _of_step(
    step: Step,
    run: ProjectRun,
    baseline: Baseline | None,
    head: PullRequestHead,
    services: Services,
) -> Iterator[tuple[str, bytes]]:
    judged = next(
        (judgement for judgement in step.judgements if judgement.bound is not None),
        next(iter(step.judgements), None),
    )
    if judged is not None:
        drawn = _chart(judged, baseline or Baseline(), head.target)
        if drawn is not None:
            yield judged.metric.name, drawn
    yield from _drawn(run, services)


def _chart(judged: Judgement, baseline: Baseline, target: str) -> bytes | None:
    """A chart of a metric, where there is something to compare it with."""
    name = judged.metric.name
    history = [
        metrics[name] for metrics in baseline.history if math.isfinite(metrics.get(name, math.nan))
    ]
    if judged.value is None or (len(history) < 2 and judged.serving is None):
        return None
    return chart(
        name, judged.metric.goal, history, judged.value, judged.bound, judged.serving, target
    )


def _drawn(run: ProjectRun, services: Services) -> Iterator[tuple[str, bytes]]:
    """What a run drew: the first of its pictures that can be shown."""
    mlflow = services.validation.runs
    try:
        paths = sorted(mlflow.pictures(run.mlflow_run, LARGEST))
    except ServiceError as away:
        log.warning("the pictures of run %s are left out: %s", run.mlflow_run, away)
        return
    shown = 0
    for path in paths[: 2 * PER_PROJECT]:
        try:
            content = reencoded(mlflow.artifact(run.mlflow_run, path, LARGEST))
        except ServiceError as away:
            log.warning("a picture of run %s is left out: %s", run.mlflow_run, away)
            continue
        if content is None:
            log.warning(
                "a picture of run %s is left out: %s is no still PNG of a usual size",
                run.mlflow_run,
                path,
            )
            continue
        yield path, content
        shown += 1
        if shown == PER_PROJECT:
            return
