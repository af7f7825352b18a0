"""What holds of every gate, whatever the numbers."""

import math
from dataclasses import replace
from typing import Any

from example_gate import judged
from example_pull_request import TRAIN, run_of
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.config.repository import Metric, Project
from bot.facts.quality_gate import Baseline, Reference
from bot.rules.pull_request import gates

NUMBERS = st.floats(-1e12, 1e12, allow_nan=False)
ANYTHING = st.one_of(
    NUMBERS, st.floats(), st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0, 1e308, 5e-324])
)
TOLERANCES = st.one_of(
    st.none(), st.floats(0, 1e6), st.floats(0, 500).map(lambda share: f"{share:.3f}%")
)
METRICS = st.builds(
    Metric,
    name=st.just("m"),
    goal=st.sampled_from(["lower", "higher"]),
    required=st.booleans(),
    limit=st.one_of(st.none(), NUMBERS),
    tolerance=TOLERANCES,
)
REFERENCES = st.one_of(
    st.none(),
    st.builds(
        Reference,
        label=st.just("r"),
        metrics=st.one_of(st.just({}), ANYTHING.map(lambda value: {"m": value})),
        comparable=st.booleans(),
    ),
)
BASELINES = st.builds(Baseline, target=REFERENCES, serving=REFERENCES)


def better(metric: Metric, value: float, by: float) -> float:
    return value - by if metric.goal == "lower" else value + by


@given(METRICS, NUMBERS, st.floats(0, 1e12), BASELINES)
def test_a_better_value_is_never_refused_where_a_worse_one_was_not(
    metric: Metric, value: float, by: float, baseline: Baseline
) -> None:
    assume(not judged(metric, value, baseline)[0].refuses)

    assert not judged(metric, better(metric, value, by), baseline)[0].refuses


@given(METRICS, st.sampled_from([None, math.nan, math.inf, -math.inf]), BASELINES)
def test_what_is_no_number_never_passes_where_one_is_required(
    metric: Metric, value: float | None, baseline: Baseline
) -> None:
    judgement, reason = judged(metric.model_copy(update={"required": True}), value, baseline)

    assert judgement.verdict == "missing"
    assert judgement.refuses
    assert reason


@given(METRICS, NUMBERS, BASELINES, st.integers(-8, 8))
def test_another_unit_changes_no_verdict(
    metric: Metric, value: float, baseline: Baseline, power: int
) -> None:
    # By powers of two a float is scaled without a rounding; the numbers are kept from the edges of
    # what there is.
    scale = 2.0**power
    numbers = [value, metric.limit, metric.tolerance, *(known(baseline))]
    assume(all(abs(one) > 1e-200 or one == 0 for one in numbers if isinstance(one, float)))
    assume(
        all(abs(one) < 1e200 for one in numbers if isinstance(one, float) and math.isfinite(one))
    )
    tolerance = (
        metric.tolerance if isinstance(metric.tolerance, str | None) else metric.tolerance * scale
    )
    scaled = metric.model_copy(
        update={
            "limit": None if metric.limit is None else metric.limit * scale,
            "tolerance": tolerance,
        }
    )

    before, after = (
        judged(metric, value, baseline)[0],
        judged(scaled, value * scale, times(baseline, scale))[0],
    )

    assert (before.verdict, before.source) == (after.verdict, after.source)


def known(baseline: Baseline) -> list[float]:
    return [
        one for two in (baseline.target, baseline.serving) if two for one in two.metrics.values()
    ]


def times(baseline: Baseline, scale: float) -> Baseline:
    def scaled(reference: Reference | None) -> Reference | None:
        return reference and replace(
            reference, metrics={n: v * scale for n, v in reference.metrics.items()}
        )

    return Baseline(scaled(baseline.target), scaled(baseline.serving))


@given(METRICS, NUMBERS, BASELINES)
def test_the_other_direction_is_the_same_with_its_sign_turned(
    metric: Metric, value: float, baseline: Baseline
) -> None:
    turned = metric.model_copy(
        update={
            "goal": "higher" if metric.goal == "lower" else "lower",
            "limit": None if metric.limit is None else -metric.limit,
        }
    )

    assert (
        judged(metric, value, baseline)[0].verdict
        == judged(turned, -value, times(baseline, -1.0))[0].verdict
    )


@given(METRICS, NUMBERS, BASELINES)
def test_the_bound_itself_passes(metric: Metric, value: float, baseline: Baseline) -> None:
    bound = judged(metric, value, baseline)[0].bound
    assume(bound is not None)
    assert bound is not None

    assert judged(metric, bound, baseline)[0].verdict == "ok"


@given(METRICS, NUMBERS, BASELINES)
def test_a_limit_never_loosens_what_a_tolerance_asks_nor_the_other_way_round(
    metric: Metric, value: float, baseline: Baseline
) -> None:
    assume(not judged(metric, value, baseline)[0].refuses)

    for without in ("limit", "tolerance"):
        assert not judged(metric.model_copy(update={without: None}), value, baseline)[0].refuses


@given(METRICS, NUMBERS, BASELINES, ANYTHING)
def test_what_cannot_be_compared_changes_no_verdict(
    metric: Metric, value: float, baseline: Baseline, other: float
) -> None:
    def turned(reference: Reference | None) -> Reference | None:
        return (
            replace(reference, metrics={"m": other})
            if reference and not reference.comparable
            else reference
        )

    changed = Baseline(turned(baseline.target), turned(baseline.serving))

    assert judged(metric, value, baseline)[0].verdict == judged(metric, value, changed)[0].verdict


@given(METRICS, ANYTHING, BASELINES)
def test_a_reason_is_one_line_and_its_two_numbers_differ(
    metric: Metric, value: float, baseline: Baseline
) -> None:
    judgement, reason = judged(metric, value, baseline)

    assert bool(reason) == judgement.refuses
    assert "\n" not in reason
    if judgement.verdict == "worse":
        _, shown, sign, bound, *_ = reason.split()
        assert shown != bound
        assert (float(shown) > float(bound)) == (sign == ">") == (metric.goal == "lower")


@given(
    st.lists(METRICS, max_size=5), st.dictionaries(st.sampled_from("abcde"), ANYTHING), BASELINES
)
def test_there_is_a_judgement_for_each_metric_in_the_order_of_the_configuration(
    metrics: list[Metric], logged: dict[str, float], baseline: Baseline
) -> None:
    named = tuple(
        metric.model_copy(update={"name": "abcde"[place]}) for place, metric in enumerate(metrics)
    )
    known: dict[str, Any] = {"metrics": logged}
    run = replace(run_of(TRAIN, "succeeded"), **known)

    judgements, refusal = gates.judge(Project(path=TRAIN.path, metrics=named), run, baseline)

    assert tuple(one.metric for one in judgements) == named
    assert (refusal is not None) == any(one.refuses for one in judgements)
