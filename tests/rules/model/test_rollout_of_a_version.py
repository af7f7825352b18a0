"""Which version of a model a scoring job loads, in whatever order it was told."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.actions import CommentVersion, ModelAction, PointJob, Reply, TagJob, TagVersion
from bot.config.repository import Job
from bot.facts.branch import JobFacts
from bot.facts.model import Admission, Judged, ModelFacts, ModelVersion, Origin, ServingVersion
from bot.rules.model import admission, rollout

JOB = JobFacts(
    11, "nightly-scoring", parameters={"data": "full", "model_name": "", "model_version": ""}
)
NOW = datetime(2026, 11, 25, 1, 30, tzinfo=UTC)
ORIGIN = Origin(
    "contoso/ml/wine", "d4e5f6a7", 42, own=True, judged=(Judged("d4e5f6a7", 42, "succeeded"),)
)
NIGHTLY = Job(
    name="nightly-scoring", notebook="/Shared/hooks/score", model="wine_*", unvalidated="allow"
)
SIGNATURE = '{"inputs":[{"name":"acidity","type":"double"}]}'


POINTED = ["PointJob", "Reply", "CommentVersion", "TagVersion"]


def kinds(orders: Sequence[ModelAction]) -> list[str]:
    """What sort of orders these are."""
    return [type(order).__name__ for order in orders]


def version(
    number: str, updated: int, *, name: str = "wine_model", alias: bool = False
) -> ServingVersion:
    told = "alias champion" if alias else "stage Production"
    return ServingVersion(name, number, f"run-{number}", told, updated, by_alias=alias)


def model(
    *candidates: ServingVersion, job: JobFacts | None = JOB, origin: Origin | None = ORIGIN
) -> ModelFacts:
    chosen = rollout.promoted(candidates)
    known = (
        ModelVersion(chosen.name, chosen.version, chosen.run, status="READY") if chosen else None
    )
    facts = ModelFacts(
        "contoso/ml/wine", "nightly-scoring", job, candidates, origin, NIGHTLY, target="main"
    )
    return replace(facts, admission=Admission(known, SIGNATURE, SIGNATURE))


def job_at(number: str, *, tagged: str | None = None, bundle: bool = False) -> JobFacts:
    tags = {rollout.MODEL: "wine_model", rollout.VERSION: tagged or number, "team": "wine"}
    parameters = {"data": "full", "model_name": "wine_model", "model_version": number}
    return replace(JOB, parameters=parameters, tags=tags, bundle=bundle)


def after(job: JobFacts, orders: Sequence[ModelAction]) -> JobFacts:
    """The job when these orders were carried out."""
    for order in orders:
        if isinstance(order, PointJob):
            wanted = {"model_name": order.model, "model_version": order.version}
            job = replace(job, parameters={**job.parameters, **wanted})
        if isinstance(order, TagJob):
            job = replace(job, tags=rollout.tags(replace(order, job=job)))
    return job


@pytest.mark.parametrize(
    ("candidates", "serves"),
    [
        ([], None),
        ([version("3", 10)], "3"),
        ([version("3", 10), version("2", 20)], "2"),
        ([version("3", 10, alias=True), version("2", 20)], "3"),
        ([version("3", 10, alias=True), version("2", 20, alias=True)], "2"),
        ([version("9", 10), version("10", 10)], "10"),
    ],
)
def test_the_alias_goes_before_the_stage_and_then_the_latest_change_counts(
    candidates: list[ServingVersion], serves: str | None
) -> None:
    found = rollout.promoted(candidates)

    assert (found.version if found else None) == serves


CANDIDATES = st.lists(
    st.builds(
        version,
        st.integers(1, 30).map(str),
        st.integers(0, 3),
        name=st.sampled_from(("wine_model", "tide_model")),
        alias=st.booleans(),
    ),
    max_size=6,
)


@given(CANDIDATES, st.randoms(use_true_random=False))
def test_the_order_in_which_versions_are_told_does_not_matter(
    candidates: list[ServingVersion], dice: object
) -> None:
    shuffled = list(candidates)
    dice.shuffle(shuffled)  # type: ignore[attr-defined]

    assert rollout.plan(model(*shuffled), NOW) == rollout.plan(model(*candidates), NOW)


@given(CANDIDATES, st.lists(st.integers(0, 3), max_size=4))
def test_a_rollout_cut_off_anywhere_and_done_again_ends_in_the_same_job(
    candidates: list[ServingVersion], cuts: list[int]
) -> None:
    job = JOB
    for cut in cuts:
        job = after(job, rollout.plan(model(*candidates, job=job), NOW)[:cut])

    end = after(job, rollout.plan(model(*candidates, job=job), NOW))

    assert end == after(JOB, rollout.plan(model(*candidates), NOW))
    assert rollout.plan(model(*candidates, job=end), NOW) == []


@given(CANDIDATES)
def test_the_job_is_signed_last(candidates: list[ServingVersion]) -> None:
    orders = rollout.plan(model(*candidates), NOW)

    assert kinds(orders) == ([*POINTED, "TagJob"] if candidates else [])


def test_a_promoted_version_is_what_the_job_scores_with_and_its_pull_request_is_told() -> None:
    point, told, comment, sign, tag = rollout.plan(model(version("17", 10, alias=True)), NOW)

    assert point == PointJob(JOB, "wine_model", "17")
    assert isinstance(told, Reply)
    assert told.number == 42
    assert "`wine_model` **v17** → job `nightly-scoring`" in told.body
    assert isinstance(comment, CommentVersion)
    assert comment.body.startswith(
        "Job `nightly-scoring` scores with this version from its next run on (its first)"
    )
    assert isinstance(sign, TagVersion)
    assert list(sign.tags) == [admission.TOLD]
    assert tag == TagJob(JOB, "wine_model", "17", "d4e5f6a7")


def test_a_job_that_is_pointed_and_signed_needs_nothing() -> None:
    assert rollout.plan(model(version("17", 10), job=job_at("17")), NOW) == []


def test_going_back_to_an_older_version_is_told_with_the_one_before() -> None:
    _, told, *_ = rollout.plan(model(version("12", 99), job=job_at("17")), NOW)

    assert isinstance(told, Reply)
    assert "**v12**" in told.body
    assert "was `wine_model` `v17`" in told.body


def test_a_job_that_somebody_pointed_elsewhere_is_pointed_back_without_a_word() -> None:
    orders = rollout.plan(model(version("17", 10), job=job_at("3", tagged="17")), NOW)

    assert kinds(orders) == ["PointJob"]


def test_a_job_that_was_pointed_but_not_signed_is_told_of_and_signed() -> None:
    orders = rollout.plan(model(version("17", 10), job=job_at("17", tagged="12")), NOW)

    assert kinds(orders) == [*POINTED[1:], "TagJob"]


@pytest.mark.parametrize("origin", [None, Origin("contoso/ml/wine", "d4e5f6a7", None)])
def test_a_version_that_no_pull_request_produced_is_told_to_nobody(origin: Origin | None) -> None:
    orders = rollout.plan(model(version("17", 10), origin=origin), NOW)

    assert kinds(orders) == ["PointJob", "CommentVersion", "TagVersion", "TagJob"]


def test_a_job_that_an_asset_bundle_manages_is_left_to_its_bundle() -> None:
    assert rollout.plan(model(version("18", 10), job=job_at("17", bundle=True)), NOW) == []


def test_a_job_that_is_not_there_is_not_pointed() -> None:
    assert rollout.plan(model(version("18", 10), job=None), NOW) == []


def test_the_job_remembers_what_it_scored_with_before() -> None:
    first = after(JOB, rollout.plan(model(version("12", 10)), NOW))
    second = after(first, rollout.plan(model(version("17", 20), job=first), NOW))

    assert rollout.before(first) == ("", "")
    assert rollout.before(second) == ("wine_model", "12")
    assert second.tags[rollout.BEFORE] == "wine_model/12"


def test_a_version_whose_name_is_too_long_for_a_tag_is_not_remembered() -> None:
    long = version("12", 10, name="w" * 255)
    first = after(JOB, rollout.plan(model(long), NOW))

    assert (
        rollout.BEFORE
        not in after(first, rollout.plan(model(version("17", 20), job=first), NOW)).tags
    )


def test_a_model_of_which_nothing_is_promoted_leaves_the_job_as_it_is() -> None:
    assert rollout.plan(model(job=job_at("17")), NOW) == []
