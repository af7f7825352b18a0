"""What a gate says to people: why a model is not good enough, in one line with the numbers that
tell so.
"""

import json
import math
from typing import Any

from bot.facts.quality_gate import Baseline, GateRefusal, Judgement, Reference
from bot.words import escape

MOST_SENTENCES = 3


def refused(refusal: GateRefusal) -> str:
    """All reasons in one line; of many the first, and how many more there are."""
    reasons = [_judged(judgement, refusal.baseline) for judgement in refusal.judgements]
    serving = refusal.baseline.serving
    if refusal.signature is not None and serving is not None:
        reasons.append(_signature(refusal.signature, serving.signature, serving.label))
    more = len(reasons) - MOST_SENTENCES
    if more > 0:
        reasons[MOST_SENTENCES:] = [f"and {more} more"]
    return "; ".join(reasons)


def bound(judgement: Judgement) -> str:
    """The worst value that may be merged: `≤ 0.7446`; empty when any may."""
    if judgement.bound is None:
        return ""
    shown = escape.number(judgement.bound)
    if judgement.verdict == "worse" and judgement.value is not None:
        shown = escape.apart(judgement.value, judgement.bound)[1]
    if judgement.metric.goal == "lower":
        return f"≤ {shown}"
    return f"≥ {shown}"


def _judged(judgement: Judgement, baseline: Baseline) -> str:
    """Why one metric is refused: `rmse 0.802 > 0.7446 (production v12 0.73 + 2%)`."""
    name = judgement.metric.name
    value = judgement.value
    bound = judgement.bound
    if value is None:
        return f"ended without logging the metric {name}"
    if not math.isfinite(value):
        return f"logged {name} as {escape.number(value)}"
    if bound is None:
        return f"{name} {escape.number(value)}"
    beyond = "<"
    if judgement.metric.goal == "lower":
        beyond = ">"
    shown, allowed = escape.apart(value, bound)
    return f"{name} {shown} {beyond} {allowed} ({_source(judgement, baseline)})"


def _signature(ours: str, theirs: str, serving: str) -> str:
    """How a model's signature differs from that of the version that serves, as far as that can be
    told.
    """
    if not ours:
        return f"its model has no signature, and {serving} has one"
    found = [
        f"{kind} {', '.join(changes)}"
        for kind in ("inputs", "outputs")
        if (changes := _changes(_columns(ours, kind), _columns(theirs, kind)))
    ]
    told = ""
    if found:
        told = f": {'; '.join(found)}"
    return f"its signature is not that of {serving}{told}"


def _source(judgement: Judgement, baseline: Baseline) -> str:
    reference: Reference | None = {"serving": baseline.serving, "target": baseline.target}.get(
        judgement.source
    )
    if judgement.source == "serving":
        value = judgement.serving
    else:
        value = judgement.target
    if reference is None or value is None:
        return "limit"
    tolerance = judgement.metric.tolerance
    if isinstance(tolerance, str):
        shown = tolerance
    else:
        shown = escape.number(tolerance or 0)
    sign = "−"
    if judgement.metric.goal == "lower":
        sign = "+"
    if shown in ("0", "0%"):
        allowance = ""
    else:
        allowance = f" {sign} {shown}"
    return f"{reference.label} {escape.number(value)}{allowance}"


def _columns(signature: str, kind: str) -> dict[str, str] | None:
    """Column -> type; None where there are no named columns."""
    try:
        found: Any = json.loads(signature)[kind]
        # MLflow writes the columns as a text of their own
        # (https://mlflow.org/docs/latest/ml/model/signatures/).
        if isinstance(found, str):
            columns = json.loads(found)
        else:
            columns = found
        return {str(column["name"]): str(column["type"]) for column in columns}
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _changes(ours: dict[str, str] | None, theirs: dict[str, str] | None) -> list[str]:
    if ours is None or theirs is None:
        return []
    return [
        *(f"without {name}" for name in theirs if name not in ours),
        *(f"with {name}" for name in ours if name not in theirs),
        *(
            f"{name} {kind} instead of {theirs[name]}"
            for name, kind in ours.items()
            if theirs.get(name, kind) != kind
        ),
    ]
