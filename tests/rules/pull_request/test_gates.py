"""Which models are good enough to be merged, and what is said of one that is not."""

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from example_gate import MAIN, SERVING, judged, r2, rmse, said
from example_pull_request import TRAIN, run_of

from bot.config.repository import Metric, Project
from bot.facts.quality_gate import Baseline, Reference
from bot.rules.pull_request import gates

BOTH = Baseline(target=MAIN, serving=SERVING)
ONLY_MAIN = Baseline(target=MAIN)
OTHER_DATA = Baseline(target=MAIN, serving=replace(SERVING, comparable=False))


@pytest.mark.parametrize(
    ("metric", "value", "baseline", "reason"),
    [
        # Nothing is asked of it.
        (rmse(), 0.9, BOTH, ""),
        (rmse(tolerance="2%"), 0.9, Baseline(), ""),
        # A limit holds whatever serves.
        (rmse(limit=0.744), 0.744, Baseline(), ""),
        (rmse(limit=0.744), 0.802, Baseline(), "rmse 0.802 > 0.744 (limit)"),
        (r2(limit=0.35), 0.3, BOTH, "r2 0.3 < 0.35 (limit)"),
        (rmse(limit=0.0), 0.0, Baseline(), ""),
        (rmse(limit=-1.0), -0.5, Baseline(), "rmse -0.5 > -1 (limit)"),
        # A share of the serving version's value.
        (rmse(tolerance="2%"), 0.7446, BOTH, ""),
        (rmse(tolerance="2%"), 0.802, BOTH, "rmse 0.802 > 0.7446 (production v12 0.73 + 2%)"),
        (r2(tolerance="10%"), 0.3, BOTH, "r2 0.3 < 0.3294 (production v12 0.366 − 10%)"),
        # In the metric's unit.
        (rmse(tolerance=0.02), 0.75, BOTH, ""),
        (rmse(tolerance=0.02), 0.76, BOTH, "rmse 0.76 > 0.75 (production v12 0.73 + 0.02)"),
        (r2(tolerance=0.01), 0.35, BOTH, "r2 0.35 < 0.356 (production v12 0.366 − 0.01)"),
        (rmse(tolerance=0), 0.73, BOTH, ""),
        (rmse(tolerance=0), 0.74, BOTH, "rmse 0.74 > 0.73 (production v12 0.73)"),
        (rmse(tolerance="0%"), 0.74, BOTH, "rmse 0.74 > 0.73 (production v12 0.73)"),
        # While nothing serves, or nothing that can be compared, the target branch's last run.
        (rmse(tolerance="2%"), 0.8, ONLY_MAIN, "rmse 0.8 > 0.7354 (main 0.721 + 2%)"),
        (rmse(tolerance="2%"), 0.8, OTHER_DATA, "rmse 0.8 > 0.7354 (main 0.721 + 2%)"),
        (rmse(tolerance="2%"), 0.8, Baseline(MAIN, Reference("production v12")), "rmse 0.8 > 0.7354 (main 0.721 + 2%)"),  # noqa: E501 a table, or a text as it is sent
        (
            rmse(tolerance="2%"), 0.8, Baseline(MAIN, Reference("production v12", {"rmse": math.nan})),  # noqa: E501 a table, or a text as it is sent
            "rmse 0.8 > 0.7354 (main 0.721 + 2%)",
        ),
        (rmse(tolerance="2%"), 0.8, Baseline(target=replace(MAIN, comparable=False)), ""),
        # The tighter of two.
        (rmse(limit=0.76, tolerance="2%"), 0.75, BOTH, "rmse 0.75 > 0.7446 (production v12 0.73 + 2%)"),  # noqa: E501 a table, or a text as it is sent
        (rmse(limit=0.74, tolerance="2%"), 0.742, BOTH, "rmse 0.742 > 0.74 (limit)"),
        (r2(limit=0.36, tolerance=0.1), 0.35, BOTH, "r2 0.35 < 0.36 (limit)"),
        # What nobody can measure is not good enough.
        (rmse(), None, BOTH, "ended without logging the metric rmse"),
        (rmse(), math.nan, BOTH, "logged rmse as nan"),
        (rmse(limit=0.744), math.inf, BOTH, "logged rmse as inf"),
        (rmse(limit=0.744), -math.inf, BOTH, "logged rmse as -inf"),
        # What need not be logged may be missing, but is still no nonsense where there is a bound.
        (rmse(required=False), None, BOTH, ""),
        (rmse(required=False, limit=0.744), None, BOTH, ""),
        (rmse(required=False), math.nan, BOTH, ""),
        (rmse(required=False, limit=0.744), math.nan, BOTH, "logged rmse as nan"),
        (rmse(required=False, tolerance="2%"), math.inf, Baseline(), "logged rmse as inf"),
        (rmse(required=False, limit=0.744), 0.8, BOTH, "rmse 0.8 > 0.744 (limit)"),
    ],
)  # fmt: skip
def test_a_metric_is_refused_for_one_reason_that_says_all(
    metric: Metric, value: float | None, baseline: Baseline, reason: str
) -> None:
    judgement, told = judged(metric, value, baseline)

    assert told == reason
    assert judgement.refuses == bool(reason)


@pytest.mark.parametrize(
    ("metric", "value", "verdict", "source"),
    [
        (rmse(), 0.7, "shown", ""),
        (rmse(limit=0.8), 0.7, "ok", "limit"),
        (rmse(limit=0.6), 0.7, "worse", "limit"),
        (rmse(tolerance="2%"), 0.7, "ok", "serving"),
        (rmse(limit=0.73, tolerance=0), 0.73, "ok", "limit"),
        (rmse(required=False), None, "missing", ""),
        (rmse(), math.nan, "missing", ""),
    ],
)
def test_a_judgement_tells_what_was_asked(
    metric: Metric, value: float | None, verdict: str, source: str
) -> None:
    judgement, _ = judged(metric, value, BOTH)

    assert (judgement.verdict, judgement.source) == (verdict, source)
    assert (judgement.target, judgement.serving) == (0.721, 0.73)


@pytest.mark.parametrize(
    ("metric", "value", "baseline"),
    [
        (rmse(tolerance=0.1), 0.1 + 0.2, Baseline(serving=Reference("v", {"rmse": 0.2}))),
        (rmse(tolerance="2%"), 0.73 * 1.02, BOTH),
        (rmse(tolerance="2%"), 0.73 + 0.73 * 0.02, BOTH),
        (rmse(tolerance=0.3), 0.0, Baseline(serving=Reference("v", {"rmse": -0.1 - 0.2}))),
        (r2(tolerance=0.3), 0.0, Baseline(serving=Reference("v", {"r2": 0.1 + 0.2}))),
        (rmse(limit=0.3), 0.1 + 0.2, Baseline()),
        (r2(limit=0.1 + 0.2), 0.3, Baseline()),
    ],
)
def test_nobody_is_refused_by_the_noise_of_a_sum(
    metric: Metric, value: float, baseline: Baseline
) -> None:
    assert judged(metric, value, baseline)[1] == ""


@pytest.mark.parametrize(
    ("value", "limit", "reason"),
    [
        (0.74401, 0.744, "rmse 0.74401 > 0.744 (limit)"),
        (0.744000001, 0.744, "rmse 0.744000001 > 0.744 (limit)"),
        (1000.2, 999.96, "rmse 1000.2 > 999.96 (limit)"),
        (123456.4, 123456.3, "rmse 123456.4 > 123456.3 (limit)"),
        (1e16 + 1e9, 1e16, "rmse 1.0000001e+16 > 1e+16 (limit)"),
    ],
)
def test_two_numbers_that_differ_never_look_the_same(
    value: float, limit: float, reason: str
) -> None:
    assert judged(rmse(limit=limit), value)[1] == reason


def test_of_many_reasons_the_first_are_told_and_how_many_more_there_are() -> None:
    project = Project(
        path=TRAIN.path, metrics=tuple(Metric(name=f"m{n}", limit=1.0) for n in range(9))
    )
    run = replace(run_of(TRAIN, "succeeded"), metrics={f"m{n}": 2.0 for n in range(9)})

    _, refusal = gates.judge(project, run, Baseline())

    assert said(refusal) == "m0 2 > 1 (limit); m1 2 > 1 (limit); m2 2 > 1 (limit); and 6 more"


# -- signatures


def columns(**kinds: str) -> str:
    return json.dumps([{"name": name, "type": kind} for name, kind in kinds.items()])


ALCOHOL = json.dumps(
    {"inputs": columns(alcohol="double", ph="double"), "outputs": columns(quality="double")}
)
DENSITY = json.dumps(
    {"inputs": columns(density="double", ph="long"), "outputs": columns(quality="double")}
)
TENSOR = json.dumps({"inputs": json.dumps([{"type": "tensor", "tensor-spec": {"shape": [-1, 2]}}])})


@pytest.mark.parametrize(
    ("wanted", "ours", "theirs", "reason"),
    [
        ("equal", ALCOHOL, ALCOHOL, ""),
        ("any", DENSITY, ALCOHOL, ""),
        ("equal", ALCOHOL, "", ""),
        ("equal", "", ALCOHOL, "its model has no signature, and production v12 has one"),
        ("equal", "", "", ""),
        (
            "equal", DENSITY, ALCOHOL,
            "its signature is not that of production v12: "
            "inputs without alcohol, with density, ph long instead of double",
        ),
        ("equal", TENSOR, ALCOHOL, "its signature is not that of production v12"),
        ("equal", "no JSON", ALCOHOL, "its signature is not that of production v12"),
        ("equal", "[" * 100_000, ALCOHOL, "its signature is not that of production v12"),
    ],
)  # fmt: skip
def test_a_model_with_another_signature_is_refused_where_that_is_asked(
    wanted: Any, ours: str, theirs: str, reason: str
) -> None:
    project = Project(path=TRAIN.path, signature=wanted)
    run = replace(run_of(TRAIN, "succeeded"), signature=ours)

    judgements, refusal = gates.judge(
        project, run, Baseline(MAIN, replace(SERVING, signature=theirs))
    )

    assert judgements == ()
    assert said(refusal) == reason


def test_no_signature_is_asked_while_nothing_serves() -> None:
    project = Project(path=TRAIN.path, signature="equal")
    run = replace(run_of(TRAIN, "succeeded"), signature=ALCOHOL)

    assert gates.judge(project, run, Baseline(replace(MAIN, signature=DENSITY))) == ((), None)


def test_another_signature_is_told_beside_a_metric_that_is_worse() -> None:
    project = Project(path=TRAIN.path, signature="equal", metrics=(rmse(limit=0.5),))
    run = replace(run_of(TRAIN, "succeeded"), signature=TENSOR)

    _, refusal = gates.judge(project, run, Baseline(serving=replace(SERVING, signature=ALCOHOL)))

    assert said(refusal) == "rmse 0.71 > 0.5 (limit); its signature is not that of production v12"
