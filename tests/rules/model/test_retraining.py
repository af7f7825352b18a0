"""What a retraining needs next, and what it is made of."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot import subjects
from bot.actions import Answer, CloseRun, LookAgain, RetrainingAction, StartRun
from bot.config.repository import Job, Metric, Mlops, Project, Retrain
from bot.facts.model import RetrainingFacts
from bot.facts.runs import ProjectRun
from bot.rules.model import retraining
from bot.subjects import Retraining

NOW = datetime(2026, 11, 25, 1, 30, tzinfo=UTC)
WINE = Project(
    path="projects/wine",
    parameters={"model_name": "{branch}_model", "data": "toy", "rounds": 3},
    model="{branch}_model",
    metrics=(Metric(name="rmse"),),
    timeout=60.0,
    retrain=Retrain(model="wine_quality", parameters={"data": "full"}, timeout=3600.0),
)
CONFIG = Mlops(
    projects=(WINE, Project(path="projects/score")),
    jobs=(
        Job(name="nightly", notebook="/Shared/hooks/score", model="wine_*"),
        Job(name="tides", notebook="/Shared/hooks/score", model="tide_model"),
    ),
)
SUBJECT = Retraining("contoso/ml/wine", 42, 7, 1, "wine")
ASKED = RetrainingFacts(SUBJECT, "main", "d4e5f6a7b8c9", CONFIG)
RUN = ProjectRun(
    token=retraining.token(SUBJECT),
    project="projects/wine",
    commit="d4e5f6a7b8c9",
    iteration=0,
    backend="databricks-jobs",
    mlflow_run="m1",
    cluster_run="c1",
    started=NOW - timedelta(minutes=12),
    model_name="wine_quality",
    where="production",
    owner=subjects.key(SUBJECT),
)
TRAINED = replace(
    RUN, outcome="succeeded", ended=NOW, model_version="18", metrics={"rmse": 0.7, "loss": 3.0}
)


def plan(*runs: ProjectRun, asked: RetrainingFacts = ASKED) -> list[RetrainingAction]:
    return retraining.plan(replace(asked, runs=runs), NOW)


def answered(orders: list[RetrainingAction]) -> str:
    (told,) = (order for order in orders if isinstance(order, Answer))
    assert (told.number, told.thread, told.comment) == (42, 7, 1)
    assert told.body.startswith(told.sign)
    return told.body


def test_it_is_trained_from_the_target_branch_on_what_the_configuration_says_of_production() -> (
    None
):
    start, again = plan()

    assert isinstance(start, StartRun)
    assert (start.commit, start.source, start.number) == ("d4e5f6a7b8c9", "main", 42)
    assert start.experiment == "/Shared/signalman/main_expr"
    assert (start.model, start.timeout) == ("wine_quality", 3600.0)
    assert start.parameters == {"model_name": "wine_quality", "data": "full", "rounds": "3"}
    assert (start.where, subjects.parse(start.owner)) == ("production", SUBJECT)
    assert again == LookAgain(0.0)


def test_a_command_has_one_run_however_often_it_is_looked_at() -> None:
    other = replace(SUBJECT, comment=2)

    assert plan() == plan()
    assert retraining.token(SUBJECT) != retraining.token(other)
    assert len(retraining.token(SUBJECT)) <= 64


def test_a_run_of_which_nobody_noted_where_it_is_is_started_again_under_its_token() -> None:
    start, _ = plan(replace(RUN, cluster_run=""))

    assert isinstance(start, StartRun)
    assert start.token == RUN.token


def test_a_run_that_is_under_way_is_left_alone() -> None:
    (again,) = plan(RUN)

    assert again == LookAgain(15.0)


def test_a_new_version_is_told_with_how_to_promote_it_and_the_run_is_closed_last() -> None:
    orders = plan(TRAINED)

    told = answered(orders)
    assert (
        "🏁 `wine`: `wine_quality` **v18** is registered, trained from `d4e5f6a` in 12m; nothing is "  # noqa: E501 a table, or a text as it is sent
        "promoted by this." in told
    )
    assert "`data=full`" in told
    assert "`rmse` 0.7" in told
    assert "loss" not in told
    assert "job `nightly` scores with it" in told
    assert "tides" not in told
    assert orders[-1] == CloseRun(TRAINED)


def test_what_was_answered_and_closed_is_only_looked_for_once_more() -> None:
    orders = plan(replace(TRAINED, closed=True))

    assert [type(order) for order in orders] == [Answer]


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (
            replace(TRAINED, model_version=""),
            "it ended without registering a version of wine_quality",
        ),
        (
            replace(RUN, outcome="failed", reason="KeyError: 'alcohol'", ended=NOW),
            "KeyError: 'alcohol'",
        ),
        (replace(RUN, outcome="timed out", ended=NOW), "it ran past its limit of 3600 s"),
        (replace(RUN, outcome="cancelled", ended=NOW), "somebody cancelled its run"),
        (replace(RUN, outcome="no cluster", ended=NOW), "the workspace gave no cluster"),
    ],
)
def test_a_training_that_gave_no_version_is_told_with_its_reason_and_log(
    run: ProjectRun, reason: str
) -> None:
    run = replace(run, log="the last line")

    orders = plan(run)

    told = answered(orders)
    assert reason in told
    assert "```text\nthe last line\n```" in told
    assert orders[-1] == CloseRun(run)


@pytest.mark.parametrize("named", ["score", "projects/score", "tide", ""])
def test_a_project_that_is_not_to_be_retrained_is_refused_with_those_that_are(named: str) -> None:
    told = answered(plan(asked=replace(ASKED, subject=replace(SUBJECT, project=named))))

    assert "has no retrain for it; it has one for: wine" in told


def test_a_configuration_that_cannot_be_used_is_told() -> None:
    broken = replace(
        ASKED, config=None, problem="config/mlops.yml: projekts is not a key that Signalman knows"
    )

    assert "projekts is not a key" in answered(plan(asked=broken))
    assert plan(replace(RUN, cluster_run=""), asked=broken)[-1] == CloseRun(
        replace(RUN, cluster_run="")
    )


def test_a_second_mlflow_run_that_a_lost_answer_made_is_closed_too() -> None:
    double = replace(RUN, token="double", mlflow_run="m2", outcome="cancelled")

    assert plan(TRAINED, double)[1:] == [CloseRun(TRAINED), CloseRun(double)]
