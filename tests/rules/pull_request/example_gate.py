"""A project with one metric, its run, and what it is compared with, for the tests of `gates`."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from example_pull_request import TRAIN, run_of

from bot.config.repository import Metric, Project
from bot.facts.quality_gate import Baseline, GateRefusal, Judgement, Reference
from bot.rules.pull_request import gates
from bot.words import gate

SERVING = Reference("production v12", {"rmse": 0.73, "r2": 0.366})
MAIN = Reference("main", {"rmse": 0.721, "r2": 0.374})


def judged(
    metric: Metric, value: float | None, baseline: Baseline | None = None, **known: Any
) -> tuple[Judgement, str]:
    """What a run with this value of the metric (None: not logged) is told."""
    metrics: Mapping[str, float] = {} if value is None else {metric.name: value}
    project = Project(path=TRAIN.path, metrics=(metric,))
    run = replace(run_of(TRAIN, "succeeded"), metrics=metrics, **known)
    (judgement,), refusal = gates.judge(project, run, baseline or Baseline())
    return judgement, said(refusal)


def said(refusal: GateRefusal | None) -> str:
    """Why the gate refuses, as people read it; empty when it does not."""
    return gate.refused(refusal) if refusal else ""


def rmse(**rules: Any) -> Metric:
    """An error: lower is better."""
    return Metric(name="rmse", **rules)


def r2(**rules: Any) -> Metric:
    """A score: higher is better."""
    return Metric(name="r2", goal="higher", **rules)
