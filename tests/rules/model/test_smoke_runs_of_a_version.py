"""A version is tried before a job scores with it, once for what it is tried with."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.actions import (
    CancelRun,
    CloseRun,
    CommentVersion,
    LookAgain,
    ModelAction,
    Reply,
    StartRun,
    TagVersion,
)
from bot.config.repository import Job, Metric, Mlops, Project
from bot.facts.branch import SourceFile
from bot.facts.model import ACCEPTED, ModelFacts, SmokeTest
from bot.facts.runs import ProjectRun
from bot.rules.model import admission, rollout, smoke
from bot.rules.runs import PAUSES
from tests.rules.model.test_rollout_of_a_version import NOW, POINTED, kinds, model, version

SCORING = Project(
    path="projects/scoring",
    parameters={
        "model_name": "{model_name}",
        "model_version": "{model_version}",
        "data": "toy",
        "branch": "{branch}",
    },
    metrics=(Metric(name="rows", goal="higher", limit=1),),
)
CONFIG = Mlops(projects=(SCORING,))
JOB = Job(
    name="nightly-scoring",
    notebook="/Shared/hooks/score",
    model="wine_*",
    project="projects/scoring",
)
FILES = (
    SourceFile("projects/scoring/score.py", "a1", 10),
    SourceFile("projects/scoring/MLproject", "b2", 10),
)


def asked(
    job: Job = JOB, files: Sequence[SourceFile] = FILES, config: Mlops = CONFIG
) -> SmokeTest | None:
    return smoke.test(config, job, ("wine_model", "17"), "c0ffee", files)


def to_be_tried(*runs: ProjectRun, test: SmokeTest | None = None) -> ModelFacts:
    facts = model(version("17", 10))
    assert facts.admission is not None
    return replace(
        facts, wanted=JOB, runs=runs, admission=replace(facts.admission, smoke=test or asked())
    )


def run(facts: ModelFacts, attempt: int = 1, **known: object) -> ProjectRun:
    found = facts.admission
    assert found is not None
    assert found.smoke is not None
    assert found.version is not None
    token = smoke.token(facts, found.version, found.smoke, attempt)
    made = ProjectRun(
        token, "projects/scoring", "c0ffee", 0, "databricks-jobs", mlflow_run="m", cluster_run="7"
    )
    return replace(made, started=NOW - timedelta(minutes=5), **known)  # type: ignore[arg-type]


FACTS = to_be_tried()
GOOD = run(FACTS, outcome="succeeded", metrics={"rows": 120.0}, ended=NOW)


def plan(*runs: ProjectRun) -> list[ModelAction]:
    return rollout.plan(to_be_tried(*runs), NOW)


def test_it_is_started_in_production_with_toy_data_and_the_exact_version() -> None:
    start, again = plan()

    assert isinstance(start, StartRun)
    assert start.parameters == {
        "model_name": "wine_model",
        "model_version": "17",
        "data": "toy",
        "branch": "main",
    }
    assert (start.commit, start.source, start.experiment) == (
        "c0ffee",
        "main",
        "/Shared/signalman/smoke",
    )
    assert (start.kind, start.where, start.owner) == ("smoke", "production", "model/wine_%2A")
    assert start.number is None
    assert again == LookAgain(0.0)


@pytest.mark.parametrize(
    ("job", "config"),
    [
        (JOB.model_copy(update={"smoke": None}), CONFIG),
        (JOB.model_copy(update={"project": None}), CONFIG),
        (JOB, Mlops()),
    ],
)
def test_a_job_that_does_not_want_it_or_cannot_be_tried_is_not(job: Job, config: Mlops) -> None:
    assert asked(job, config=config) is None


def test_the_job_may_have_parameters_of_its_own() -> None:
    job = JOB.model_validate(
        {**JOB.model_dump(), "smoke": {"parameters": {"data": "tiny"}, "timeout": "5m"}}
    )
    test = asked(job)

    assert test is not None
    assert (test.parameters["data"], test.timeout) == ("tiny", 300.0)


def test_the_job_is_not_touched_while_it_runs() -> None:
    assert kinds(plan(run(FACTS))) == ["LookAgain"]


def test_when_it_has_passed_its_run_is_closed_and_the_job_pointed() -> None:
    orders = plan(GOOD)
    (told,) = (one for one in orders if isinstance(one, Reply))

    assert kinds(orders) == ["CloseRun", *POINTED, "TagJob"]
    assert "smoke run passed: `rows` 120 in 5m" in told.body
    assert not told.sign.endswith("5m"), "how long it took is told otherwise by another clock"


@pytest.mark.parametrize(
    ("known", "why"),
    [
        ({"outcome": "failed", "reason": "KeyError: 'sugar'"}, "KeyError: 'sugar'"),
        ({"outcome": "timed out"}, "ran past its limit of 30m"),
        ({"outcome": "cancelled"}, "the run was cancelled"),
        ({"outcome": "succeeded"}, "ended without logging the metric rows"),
        ({"outcome": "succeeded", "metrics": {"rows": 0.0}}, "rows 0 < 1 (limit)"),
    ],
)
def test_when_it_has_failed_people_are_told_why_and_the_job_stays(
    known: dict[str, object], why: str
) -> None:
    orders = plan(run(FACTS, closed=True, **known))
    (told,) = (one for one in orders if isinstance(one, Reply))

    assert kinds(orders) == ["TagVersion", "Reply", "CommentVersion", "TagVersion"]
    assert f"its smoke run on toy data says `{why}`." in told.body


def test_a_cluster_that_does_not_start_is_waited_for_a_while_and_tried_again() -> None:
    lost = run(
        FACTS,
        outcome="no cluster",
        reason="CLOUD_FAILURE",
        ended=NOW - timedelta(seconds=10),
        closed=True,
    )
    later = replace(lost, ended=NOW - timedelta(seconds=40))
    again = run(FACTS, 2, outcome="no cluster", ended=NOW - timedelta(minutes=3), closed=True)
    last = run(FACTS, 3, outcome="no cluster", reason="CLOUD_FAILURE", ended=NOW, closed=True)

    assert plan(lost) == [LookAgain(PAUSES[0] - 10)]
    assert kinds(plan(later)) == ["StartRun", "LookAgain"]
    assert kinds(plan(later, again)) == ["StartRun", "LookAgain"]
    assert kinds(plan(later, again, last)) == [
        "TagVersion",
        "Reply",
        "CommentVersion",
        "TagVersion",
    ]


def test_a_run_that_was_made_for_something_else_is_stopped_and_closed() -> None:
    other = replace(run(FACTS), token="another version's")
    orders = plan(other, GOOD)

    assert orders[0] == CancelRun(other)
    assert orders[1] == LookAgain(2.0)
    assert rollout.plan(to_be_tried(replace(other, outcome="cancelled"), GOOD), NOW)[0] == CloseRun(
        replace(other, outcome="cancelled")
    )


def test_one_that_was_begun_and_noted_nowhere_is_not_taken_for_another() -> None:
    assert kinds(plan(run(FACTS, cluster_run=""))) == ["StartRun", "LookAgain"]


def test_what_cannot_be_scored_with_for_cheaper_reasons_is_not_tried() -> None:
    facts = to_be_tried()
    assert facts.admission is not None
    orders = rollout.plan(replace(facts, admission=replace(facts.admission, signature="")), NOW)

    assert kinds(orders) == ["TagVersion", "Reply", "CommentVersion", "TagVersion"]


@pytest.mark.parametrize(
    "test",
    [
        asked(files=FILES[:1]),
        asked(
            config=Mlops(projects=(SCORING.model_copy(update={"parameters": {"data": "other"}}),))
        ),
    ],
)
def test_another_content_or_other_parameters_are_another_run(test: SmokeTest) -> None:
    failed = run(FACTS, outcome="failed", reason="x", closed=True)

    assert kinds(rollout.plan(to_be_tried(failed, test=test), NOW)) == ["StartRun", "LookAgain"]


def test_a_word_that_it_is_to_be_accepted_has_it_tried_once_more() -> None:
    failed = run(FACTS, outcome="failed", reason="x", closed=True)
    facts = to_be_tried(failed)
    assert facts.admission is not None
    assert facts.admission.version is not None
    accepted = replace(facts.admission.version, tags={ACCEPTED: "Ben: a glitch"})

    assert kinds(
        rollout.plan(replace(facts, admission=replace(facts.admission, version=accepted)), NOW)
    ) == [
        "StartRun",
        "LookAgain",
    ]


def test_a_refusal_is_told_once_and_its_order_of_files_does_not_matter() -> None:
    facts = to_be_tried(run(FACTS, outcome="failed", reason="x", closed=True))
    orders = rollout.plan(facts, NOW)
    found = facts.admission
    assert found is not None
    assert found.version is not None
    tags = {
        key: value
        for order in orders
        if isinstance(order, TagVersion)
        for key, value in order.tags.items()
    }
    told = replace(facts, admission=replace(found, version=replace(found.version, tags=tags)))

    assert isinstance(orders[0], TagVersion)
    assert orders[0].needed
    assert rollout.plan(told, NOW) == []
    assert asked(files=FILES) == asked(files=FILES[::-1])


def test_of_many_jobs_the_last_that_were_told_are_kept() -> None:
    known = model(version("17", 10)).admission
    assert known is not None
    assert known.version is not None
    one = known.version
    for number in range(60):
        one = replace(one, tags=admission.noting(one, f"the job number {number}", "0123456789ab"))

    assert len(one.tags[admission.TOLD]) <= admission.LONGEST
    assert admission.told(one, "the job number 59") == "0123456789ab"
    assert admission.told(one, "the job number 0") == ""


def test_a_version_that_the_registry_still_works_on_is_waited_for() -> None:
    facts = to_be_tried()
    assert facts.admission is not None
    assert facts.admission.version is not None
    pending = replace(facts.admission.version, status="PENDING_REGISTRATION")

    assert rollout.plan(
        replace(facts, admission=replace(facts.admission, version=pending)), NOW
    ) == [LookAgain(5.0)]


def test_a_version_that_could_not_be_registered_is_refused() -> None:
    facts = to_be_tried()
    assert facts.admission is not None
    assert facts.admission.version is not None
    failed = replace(facts.admission.version, status="FAILED_REGISTRATION")
    orders = rollout.plan(replace(facts, admission=replace(facts.admission, version=failed)), NOW)
    (said,) = (one for one in orders if isinstance(one, CommentVersion))

    assert "`FAILED_REGISTRATION`, not `READY`" in said.body


def test_a_version_that_is_gone_is_neither_scored_with_nor_commented_on() -> None:
    facts = to_be_tried()
    assert facts.admission is not None

    assert rollout.plan(replace(facts, admission=replace(facts.admission, version=None)), NOW) == []
