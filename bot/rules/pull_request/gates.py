"""The quality gate: whether a model is good enough to be merged.

Its metrics are held against limits, and against what is there already.

A model that cannot be measured is not good enough. Nothing is judged by a run
that was made of other data.
"""

import math
from typing import Literal

from bot.config.repository import Metric, Project
from bot.facts.quality_gate import Baseline, GateRefusal, Judgement, Reference
from bot.facts.runs import ProjectRun

Source = Literal["", "limit", "target", "serving"]
Verdict = Literal["ok", "worse", "missing", "shown"]

NOISE = 1e-9
"""A share of the numbers compared: less is what computers add to a sum, not what a model does."""


def judge(
    project: Project, run: ProjectRun, baseline: Baseline
) -> tuple[tuple[Judgement, ...], GateRefusal | None]:
    """What each metric of a run that ended well says, and why the run is refused; None: it is
    not.
    """
    judgements = tuple(_judged(metric, run, baseline) for metric in project.metrics)
    refusing = tuple(judgement for judgement in judgements if judgement.refuses)
    signature = None
    if project.signature == "equal" and _differs(run, baseline.serving):
        signature = run.signature
    if not refusing and signature is None:
        return judgements, None
    return judgements, GateRefusal(refusing, baseline, signature)


def _differs(run: ProjectRun, serving: Reference | None) -> bool:
    """Whether a run's model has another signature than the version that serves.

    A version that serves without a signature asks for none; a model without one cannot be told to
    fit one that has.
    """
    return serving is not None and serving.signature not in ("", run.signature)


def _judged(metric: Metric, run: ProjectRun, baseline: Baseline) -> Judgement:
    value = run.metrics.get(metric.name)
    target = _number(metric, baseline.target)
    serving = _number(metric, baseline.serving)
    bound, noise, source = _bound(metric, baseline)
    verdict: Verdict = "shown"
    if value is None or not math.isfinite(value):
        verdict = "missing"
    elif bound is not None:
        if metric.goal == "lower":
            excess = value - bound
        else:
            excess = bound - value
        verdict = "ok"
        if excess > noise:
            verdict = "worse"
    return Judgement(metric, value, target, serving, bound, source, verdict)


def _bound(metric: Metric, baseline: Baseline) -> tuple[float | None, float, Source]:
    """The tightest bound there is, what is only noise in a comparison with it, and where it comes
    from.
    """
    bounds: list[tuple[float, float, Source]] = []
    if metric.limit is not None:
        bounds.append((metric.limit, NOISE * abs(metric.limit), "limit"))
    compared = _compared(metric, baseline)
    if metric.tolerance is not None and compared is not None:
        reference, source = compared
        slack = _slack(metric.tolerance, reference)
        if metric.goal == "lower":
            allowed = reference + slack
        else:
            allowed = reference - slack
        if math.isfinite(allowed):
            bounds.append((allowed, NOISE * (abs(reference) + slack), source))
    if not bounds:
        return None, 0.0, ""
    # Of two that are equal the first, which is the limit.
    if metric.goal == "lower":
        return min(bounds, key=lambda entry: entry[0])
    return max(bounds, key=lambda entry: entry[0])


def _compared(metric: Metric, baseline: Baseline) -> tuple[float, Source] | None:
    """The value that a tolerance starts from: the serving version's, or else the target
    branch's.
    """
    candidates: tuple[tuple[Reference | None, Source], ...] = (
        (baseline.serving, "serving"),
        (baseline.target, "target"),
    )
    for reference, source in candidates:
        value = _number(metric, reference)
        if reference is not None and reference.comparable and value is not None:
            return value, source
    return None


def _slack(tolerance: float | str, reference: float) -> float:
    """How much worse than the reference may be merged, in the metric's unit."""
    if isinstance(tolerance, str):
        return abs(reference) * float(tolerance.rstrip("%")) / 100
    return tolerance


def _number(metric: Metric, reference: Reference | None) -> float | None:
    """What a reference has of a metric, if that is a number."""
    value = None
    if reference:
        value = reference.metrics.get(metric.name)
    if value is not None and math.isfinite(value):
        return value
    return None
