"""Back to the version before, and no look undoes it until something else is promoted."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.actions import PointJob, TagJob
from bot.config.repository import Schedule
from bot.facts.branch import JobFacts
from bot.facts.model import ModelFacts, ServingVersion
from bot.rules.model import rollback, rollout
from bot.words import model as words
from tests.rules.model.test_rollout_of_a_version import CANDIDATES, JOB, after, model, version

NOW = datetime(2026, 11, 25, 1, 30, tzinfo=UTC)
V12, V17, V18 = version("12", 10), version("17", 20), version("18", 30)


def looked(job: JobFacts, *candidates: ServingVersion) -> JobFacts:
    """The job after a pass over its model."""
    return after(job, rollout.plan(model(*candidates, job=job), NOW))


def back(facts: ModelFacts, cut: int | None = None) -> JobFacts:
    """The job after it was rolled back, or after the first few orders of that."""
    assert facts.job is not None
    return after(facts.job, rollback.plan(facts, "0c9e1f2")[:cut])


AT_17 = looked(looked(JOB, V12), V17)
HELD = back(model(V17, job=AT_17))


def test_the_job_scores_with_the_version_before_and_its_tags_say_why() -> None:
    point, tag = rollback.plan(model(V17, job=AT_17), "0c9e1f2")

    assert point == PointJob(AT_17, "wine_model", "12")
    assert tag == TagJob(AT_17, "wine_model", "12", "0c9e1f2", held="wine_model/17")
    assert rollout.loaded(HELD) == ("wine_model", "12")
    assert HELD.tags == {
        rollout.MODEL: "wine_model",
        rollout.VERSION: "12",
        rollout.COMMIT: "0c9e1f2",
        rollout.HELD: "wine_model/17",
    }


def test_no_look_undoes_it_while_the_same_version_is_promoted() -> None:
    assert rollout.plan(model(V17, job=HELD), NOW) == []
    assert rollout.plan(model(replace(V17, updated=99), V12, job=HELD), NOW) == []


def test_a_job_that_somebody_pointed_elsewhere_goes_back_to_the_version_before() -> None:
    elsewhere = replace(HELD, parameters={**HELD.parameters, "model_version": "3"})

    assert rollout.plan(model(V17, job=elsewhere), NOW) == [PointJob(elsewhere, "wine_model", "12")]


def test_another_promotion_ends_it_and_clears_the_tag() -> None:
    job = looked(HELD, V17, V18)

    assert rollout.loaded(job) == ("wine_model", "18")
    assert rollout.HELD not in job.tags
    assert rollout.before(job) == ("wine_model", "12")


def test_promoting_what_it_was_rolled_back_to_ends_it_too() -> None:
    job = looked(HELD, replace(V12, updated=99))

    assert job == replace(
        HELD, tags={name: value for name, value in HELD.tags.items() if name != rollout.HELD}
    )
    assert rollout.loaded(looked(job, V18)) == ("wine_model", "18")


def test_the_version_that_was_held_may_serve_again_later() -> None:
    job = looked(looked(HELD, V18), replace(V17, updated=99))

    assert rollout.loaded(job) == ("wine_model", "17")


def test_asked_for_twice_it_does_nothing_more_and_says_the_same() -> None:
    first, again = model(V17, job=AT_17), model(V17, job=HELD)

    assert rollback.plan(again, "0c9e1f2") == []
    assert rollback.told(again, NOW) == rollback.told(first, NOW)


def test_a_promotion_that_no_look_has_seen_yet_is_what_is_rolled_back() -> None:
    job = back(model(V17, V18, job=AT_17))

    assert rollout.loaded(job) == ("wine_model", "17")
    assert rollout.held(job, V18)


def test_the_next_run_is_told_in_the_time_zone_of_the_schedule() -> None:
    timed = replace(AT_17, schedule=Schedule(cron="0 0 2 * * ?", timezone="Europe/Zurich"))

    told = rollback.told(model(V17, job=timed), NOW)

    assert "**v12** again (was v17), from its next run on: 2026-11-26 02:00 CET." in told


@pytest.mark.parametrize(
    ("facts", "exists", "reason"),
    [
        (model(job=AT_17), True, "nothing is promoted"),
        (model(V17, job=None), True, "not in the workspace"),
        (model(V17, job=replace(AT_17, bundle=True)), True, "an Asset Bundle manages it"),
        (model(V12, job=looked(JOB, V12)), True, "nothing is known of what it scored with before"),
        (model(V17, job=AT_17), False, "not in the registry any more"),
        (model(version("2", 30, name="w" * 255), job=AT_17), True, "too long for a tag"),
        (model(V17, job=AT_17), True, ""),
    ],
)
def test_why_a_job_is_not_rolled_back(facts: ModelFacts, exists: bool, reason: str) -> None:
    refusal = rollback.refusal(facts, exists=exists)

    assert (refusal is None) == (reason == "")
    assert refusal is None or reason in words.not_rolled_back(refusal)


@given(
    CANDIDATES,
    CANDIDATES,
    st.lists(st.integers(0, 2), max_size=4),
    st.randoms(use_true_random=False),
)
def test_cut_off_anywhere_and_looked_at_in_any_order_it_ends_in_the_same_job(
    earlier: list[ServingVersion], now: list[ServingVersion], cuts: Sequence[int], dice: object
) -> None:
    start = looked(looked(JOB, *earlier), *now)
    whole = back(model(*now, job=start))

    job = start
    for cut in cuts:
        job = back(model(*now, job=job), cut)
        dice.shuffle(now)  # type: ignore[attr-defined]
        job = looked(job, *now)
    job = back(model(*now, job=job))

    assert (job.parameters, job.tags) == (whole.parameters, whole.tags)
    if rollout.HELD in job.tags:
        assert rollout.plan(model(*now, job=job), NOW) == []


@given(CANDIDATES, CANDIDATES, CANDIDATES)
def test_what_is_promoted_next_serves_unless_it_is_what_was_rolled_back(
    earlier: list[ServingVersion], now: list[ServingVersion], later: list[ServingVersion]
) -> None:
    job = back(model(*now, job=looked(looked(JOB, *earlier), *now)))
    chosen = rollout.promoted(later)

    end = looked(job, *later)

    if chosen is not None and not rollout.held(job, chosen):
        assert rollout.pointed(end, chosen)
        assert rollout.HELD not in end.tags
    else:
        assert end == job
