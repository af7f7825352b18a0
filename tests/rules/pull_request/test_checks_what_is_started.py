"""What a pull request starts: which projects, in which order, with what, and how often it looks at
them.
"""

from dataclasses import replace
from datetime import timedelta

import pytest
from example_pull_request import (
    ALONE,
    CONFIG,
    HEAD,
    NOW,
    PR,
    SCORE,
    SERVING,
    TRAIN,
    changing,
    kinds,
    run_of,
    started,
    statuses,
)
from hypothesis import given
from hypothesis import strategies as st

from bot.actions import LookAgain, PutReport, StartRun
from bot.config.repository import Mlops, Project
from bot.rules import runs as project_runs
from bot.rules.pull_request import checks, steps

# -- what is started


def test_training_starts_before_scoring() -> None:
    orders = checks.plan(PR, NOW)

    assert kinds(orders) == ["SetStatus", "StartRun", "LookAgain"]
    assert [order.project for order in started(orders)] == [TRAIN.path]
    assert statuses(orders)[0][0] == "pending"


def test_pending_is_posted_once() -> None:
    assert statuses(checks.plan(replace(PR, head=replace(HEAD, pending=True)), NOW)) == []


def test_two_projects_that_do_not_depend_on_each_other_start_in_the_same_pass() -> None:
    orders = checks.plan(changing("projects/train/train.py", "projects/alone/run.py"), NOW)

    assert [order.project for order in started(orders)] == [TRAIN.path, ALONE.path]


def test_scoring_waits_while_training_runs() -> None:
    orders = checks.plan(replace(PR, head=replace(HEAD, pending=True), runs=(run_of(TRAIN),)), NOW)

    assert kinds(orders) == ["PutReport", "LookAgain"]


def test_scoring_gets_exactly_the_version_that_this_training_registered() -> None:
    pr = replace(PR, runs=(run_of(TRAIN, "succeeded"),), serving=SERVING)

    (scoring,) = started(checks.plan(pr, NOW))

    assert scoring.project == SCORE.path
    assert scoring.parameters == {"model_name": "feature_wine_model", "model_version": "17"}


def test_scoring_never_takes_the_version_of_an_older_iterations_training() -> None:
    older = replace(run_of(TRAIN, "succeeded", model_version="16"), iteration=2, token="older")

    (scoring,) = started(checks.plan(replace(PR, runs=(older, run_of(TRAIN, "succeeded"))), NOW))

    assert scoring.parameters["model_version"] == "17"


def test_a_run_is_started_with_all_that_it_needs() -> None:
    (training,) = started(checks.plan(PR, NOW))

    assert training == StartRun(
        token=steps.token(PR.repository, HEAD, TRAIN.path),
        project="projects/train",
        entry_point="main",
        commit=HEAD.commit,
        source="feature_wine",
        number=42,
        iteration=3,
        backend="databricks-jobs",
        cluster="cluster.json",
        experiment="/Shared/a.kim@contoso.com/feature_wine_expr",
        model="feature_wine_model",
        parameters={"model_name": "feature_wine_model", "data": "toy", "rounds": "3"},
        timeout=1800.0,
    )


def test_a_project_may_run_elsewhere_than_the_others() -> None:
    local = TRAIN.model_copy(update={"backend": "local"})

    (training,) = started(checks.plan(replace(PR, config=Mlops(projects=(local,))), NOW))

    assert training.backend == "local"


def test_braces_in_a_branch_name_stay_what_they_are() -> None:
    (training,) = started(checks.plan(replace(PR, head=replace(HEAD, source="{model_name}")), NOW))

    assert training.parameters["model_name"] == "{model_name}_model"


def test_a_start_that_reached_no_cluster_is_made_again_under_the_same_name() -> None:
    lost = run_of(TRAIN, cluster_run="")

    (again,) = started(checks.plan(replace(PR, runs=(lost,)), NOW))

    assert again.token == lost.token


# -- what is touched


@pytest.mark.parametrize(
    ("changed", "serves", "runs"),
    [
        (["projects/train/train.py"], True, [TRAIN]),
        (["projects/train/deep/er/x.csv"], False, [TRAIN]),
        (["projects/score/score.py"], True, [SCORE]),
        (["projects/score/score.py"], False, [TRAIN, SCORE]),
        (["projects/alone/MLproject"], False, [ALONE]),
        (["projects/score/x", "projects/train/x"], True, [TRAIN, SCORE]),
        (["config/mlops.yml"], True, [TRAIN, SCORE, ALONE]),
        (["config/bot.yml", "README.md"], True, []),
        (["projects/train2/train.py", "old/projects/train/x"], True, []),
        ([], False, []),
    ],
)
def test_only_projects_whose_folder_changed_are_run(
    changed: list[str], serves: bool, runs: list[Project]
) -> None:
    assert checks.touched(CONFIG, changed, has_serving=serves) == runs


def test_a_change_of_scoring_alone_scores_with_the_version_that_serves() -> None:
    pr = replace(changing("projects/score/score.py"), serving=SERVING)

    (scoring,) = started(checks.plan(pr, NOW))

    assert scoring.project == SCORE.path
    assert scoring.parameters == {"model_name": "wine_model", "model_version": "7"}


def test_a_change_of_scoring_alone_brings_its_training_along_when_no_version_serves() -> None:
    (first,) = started(checks.plan(changing("projects/score/score.py"), NOW))

    assert first.project == TRAIN.path


# -- how a run is named


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["contoso/ml/wine", "contoso/ml/wine!1", "contoso/m/lwine"]),
            st.integers(1, 120),
            st.integers(1, 120),
            st.text("0123456789abcdef", min_size=40, max_size=40),
            st.sampled_from(["projects/train", "projects/score", "train", "1/projects/train"]),
        ),
        unique=True,
        max_size=20,
    )
)
def test_no_two_project_runs_share_a_name(runs: list[tuple[str, int, int, str, str]]) -> None:
    tokens = {
        steps.token(
            repository, replace(HEAD, number=number, iteration=iteration, commit=commit), project
        )
        for repository, number, iteration, commit, project in runs
    }

    assert len(tokens) == len(runs)
    assert all(len(token) == 32 for token in tokens)


def test_a_project_run_keeps_its_name_whatever_else_changes_on_the_pull_request() -> None:
    retitled = replace(HEAD, title="Try more rounds", judged=True, thread=7, changed=())

    assert steps.token(PR.repository, retitled, TRAIN.path) == steps.token(
        PR.repository, HEAD, TRAIN.path
    )


# -- patience


@pytest.mark.parametrize(
    ("ages", "seconds"),
    [
        ([], 1.0),
        ([0.0], 1.0),
        ([59.9], 1.0),
        ([60.0], 5.0),
        ([299.0], 5.0),
        ([300.0], 15.0),
        ([9000.0, 3.0], 1.0),
    ],
)
def test_the_longer_a_run_takes_the_less_often_it_is_looked_at(
    ages: list[float], seconds: float
) -> None:
    assert project_runs.patience(ages) == seconds


def test_only_runs_under_way_decide_how_soon_to_look_again() -> None:
    old = run_of(TRAIN, started=NOW - timedelta(hours=1))
    quick = run_of(ALONE, "succeeded", started=NOW - timedelta(seconds=30))
    pr = replace(changing("projects/train/x", "projects/alone/x"), runs=(old, quick))

    assert LookAgain(15.0) in checks.plan(pr, NOW)


def test_a_report_on_running_work_tells_for_how_long_it_runs() -> None:
    pr = replace(PR, runs=(run_of(TRAIN),))

    early, late = (
        next(order.body for order in checks.plan(pr, at) if isinstance(order, PutReport))
        for at in (NOW, NOW + timedelta(hours=2))
    )

    assert "| 🔵 running | 5m |" in early
    assert "| 🔵 running | 2h05m |" in late


def test_a_run_that_got_no_cluster_is_tried_again_after_a_pause_under_another_token() -> None:
    no_cluster = run_of(TRAIN, "no cluster", ended=NOW)
    pr = replace(changing("projects/train/x"), runs=(no_cluster,))

    at_once = checks.plan(pr, NOW)
    later = started(checks.plan(pr, NOW + timedelta(seconds=project_runs.PAUSES[0])))

    assert LookAgain(project_runs.PAUSES[0]) in at_once
    assert not started(at_once)
    assert [order.project for order in later] == [TRAIN.path]
    assert later[0].token != no_cluster.token


def test_what_follows_a_run_that_is_tried_again_waits_for_it() -> None:
    pr = replace(PR, runs=(run_of(TRAIN, "no cluster", ended=NOW), run_of(TRAIN, attempt=2)))

    assert [step.state for step in steps.steps(pr, (TRAIN, SCORE))] == ["runs", "waits"]


def test_a_failing_script_is_not_tried_again() -> None:
    pr = replace(changing("projects/train/x"), runs=(run_of(TRAIN, "failed"),))

    assert not started(checks.plan(pr, NOW + timedelta(hours=1)))


def test_a_run_that_the_bot_stopped_is_run_again_when_its_pull_request_is_open_again() -> None:
    stopped = run_of(TRAIN, "cancelled", withdrawn=True)
    pr = replace(PR, runs=(stopped,))

    (order,) = started(checks.plan(pr, NOW))

    assert [step.state for step in steps.steps(pr, (TRAIN, SCORE))] == ["waits", "waits"]
    assert (order.project, order.token) == (
        TRAIN.path,
        steps.token(PR.repository, HEAD, TRAIN.path, 2),
    )


def test_a_run_that_somebody_else_stopped_has_failed() -> None:
    pr = replace(PR, runs=(run_of(TRAIN, "cancelled"),))

    assert [step.state for step in steps.steps(pr, (TRAIN,))] == ["failed"]


def test_a_run_that_the_bot_stopped_is_not_counted_among_those_without_a_cluster() -> None:
    runs = [run_of(TRAIN, "cancelled", withdrawn=True)] + [
        run_of(TRAIN, "no cluster", attempt=n) for n in (2, 3)
    ]
    pr = replace(changing("projects/train/x"), runs=tuple(runs))

    (order,) = started(checks.plan(pr, NOW + timedelta(seconds=project_runs.PAUSES[1])))

    assert [(step.state, step.losses) for step in steps.steps(pr, (TRAIN,))] == [("again", 2)]
    assert order.token == steps.token(PR.repository, HEAD, TRAIN.path, 4)
