"""What a pull request needs next: what is started, what is cancelled, what is left alone."""

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
)
from hypothesis import given
from hypothesis import strategies as st

from bot.actions import Action, CancelRun, CloseRun, LookAgain, PutReport, SetStatus, StartRun
from bot.config import BranchRule, Mlops, Project
from bot.facts import ProjectRun, PullRequestFacts
from bot.rules import checks


def started(orders: list[Action]) -> list[StartRun]:
    return [order for order in orders if isinstance(order, StartRun)]


def statuses(orders: list[Action]) -> list[tuple[str, str]]:
    return [(order.state, order.description) for order in orders if isinstance(order, SetStatus)]


OLD_RUN = run_of(TRAIN, iteration=2, commit="0" * 40, token="of-iteration-2")


# -- what is not judged


def test_a_bad_branch_name_starts_nothing() -> None:
    orders = checks.plan(replace(PR, head=replace(HEAD, source="feature/wine")), NOW)

    assert kinds(orders) == ["PutReport", "SetStatus"]
    assert statuses(orders) == [("failed", "the branch name can't be used with Databricks; nothing was run")]


def test_a_bad_branch_name_is_answered_with_one_that_no_branch_has() -> None:
    pr = replace(PR, head=replace(HEAD, source="feature/wine"), branches=frozenset({"feature/wine", "feature_wine"}))

    report = checks.plan(pr, NOW)[0]

    assert isinstance(report, PutReport)
    assert "`feature_wine_2`" in report.body


def test_the_target_branch_may_be_called_as_it_likes() -> None:
    config = CONFIG.model_copy(update={"target": "release/1.0"})
    head = replace(HEAD, source="release/1.0", target="release/1.0")

    assert started(checks.plan(replace(PR, head=head, config=config), NOW))


def test_the_branch_rule_of_the_configuration_is_the_one_that_counts() -> None:
    config = CONFIG.model_copy(update={"branches": BranchRule(forbidden=("_",))})

    assert started(checks.plan(replace(PR, config=config), NOW)) == []


def test_the_code_of_a_fork_is_not_run() -> None:
    orders = checks.plan(replace(PR, head=replace(HEAD, fork=True)), NOW)

    assert kinds(orders) == ["PutReport", "SetStatus"]
    assert statuses(orders) == [("failed", "comes from a fork; nothing was run")]


def test_a_configuration_that_cannot_be_used_is_an_error_and_shows_its_sentence() -> None:
    orders = checks.plan(replace(PR, config=None, problem="config/mlops.yml: projects[0].path is missing."), NOW)

    assert kinds(orders) == ["PutReport", "SetStatus"]
    assert statuses(orders)[0][0] == "error"
    assert "projects[0].path is missing." in orders[0].body  # type: ignore[union-attr]


def test_a_pull_request_to_another_branch_is_left_alone() -> None:
    assert checks.plan(replace(PR, head=replace(HEAD, target="dev")), NOW) == []


@pytest.mark.parametrize("changed", [(), ("README.md",), ("projects/train",), ("projects/training/train.py",)])
def test_a_pull_request_that_touches_no_project_gets_a_status_and_no_comment(changed: tuple[str, ...]) -> None:
    orders = checks.plan(changing(*changed), NOW)

    assert kinds(orders) == ["SetStatus"]
    assert statuses(orders)[0][0] == "notApplicable"


def test_a_report_of_an_earlier_commit_does_not_stay_when_no_project_is_touched_any_more() -> None:
    orders = checks.plan(replace(PR, head=replace(HEAD, changed=("README.md",), thread=9)), NOW)

    assert kinds(orders) == ["PutReport", "SetStatus"]
    assert orders[0].thread_status == "closed"  # type: ignore[union-attr]


@pytest.mark.parametrize("change", [{"open": False}, {"judged": True}, {"judged": True, "fork": True}])
def test_a_closed_or_judged_pull_request_needs_nothing(change: dict[str, bool]) -> None:
    assert checks.plan(replace(PR, head=replace(HEAD, **change)), NOW) == []


def test_a_judged_commit_needs_nothing_even_without_a_configuration() -> None:
    assert checks.plan(replace(PR, head=replace(HEAD, judged=True), config=None), NOW) == []


# -- what is cancelled


@pytest.mark.parametrize(
    "change", [{}, {"judged": True}, {"target": "dev"}, {"source": "a/b"}, {"fork": True}, {"changed": ()}]
)
def test_a_run_of_an_older_iteration_is_cancelled_whatever_else_is_so(change: dict[str, object]) -> None:
    orders = checks.plan(replace(PR, head=replace(HEAD, **change), runs=(OLD_RUN,)), NOW)  # type: ignore[arg-type]

    assert CancelRun(OLD_RUN) in orders
    assert any(isinstance(order, LookAgain) for order in orders)


def test_the_same_commit_pushed_again_is_judged_anew() -> None:
    again = run_of(TRAIN, "succeeded", iteration=2, token=checks.token(PR.repository, replace(HEAD, iteration=2), "x"))

    assert [order.project for order in started(checks.plan(replace(PR, runs=(again,)), NOW))] == [TRAIN.path]


def test_the_runs_of_a_closed_pull_request_are_cancelled() -> None:
    run = run_of(TRAIN)

    orders = checks.plan(replace(PR, head=replace(HEAD, open=False), runs=(run,)), NOW)

    assert orders == [CancelRun(run), LookAgain(1.0)]


def test_a_superseded_run_that_never_reached_a_cluster_is_closed_in_mlflow_only() -> None:
    lost = replace(OLD_RUN, cluster_run="")

    orders = checks.plan(replace(PR, head=replace(HEAD, judged=True), runs=(lost,)), NOW)

    assert orders == [CloseRun(replace(lost, outcome="cancelled"))]


def test_the_newest_iterations_run_is_not_cancelled() -> None:
    orders = checks.plan(replace(PR, runs=(run_of(TRAIN), OLD_RUN)), NOW)

    assert [order.run for order in orders if isinstance(order, CancelRun)] == [OLD_RUN]


def test_a_run_that_ended_is_closed_once() -> None:
    ended = run_of(TRAIN, "failed", closed=False)

    assert CloseRun(ended) in checks.plan(replace(PR, runs=(ended,)), NOW)
    assert "CloseRun" not in kinds(checks.plan(replace(PR, runs=(replace(ended, closed=True),)), NOW))


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
        token=checks.token(PR.repository, HEAD, TRAIN.path),
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
def test_only_projects_whose_folder_changed_are_run(changed: list[str], serves: bool, runs: list[Project]) -> None:
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
        checks.token(repository, replace(HEAD, number=number, iteration=iteration, commit=commit), project)
        for repository, number, iteration, commit, project in runs
    }

    assert len(tokens) == len(runs)
    assert all(len(token) == 32 for token in tokens)


def test_a_project_run_keeps_its_name_whatever_else_changes_on_the_pull_request() -> None:
    retitled = replace(HEAD, title="Try more rounds", judged=True, thread=7, changed=())

    assert checks.token(PR.repository, retitled, TRAIN.path) == checks.token(PR.repository, HEAD, TRAIN.path)


# -- patience


@pytest.mark.parametrize(
    ("ages", "seconds"),
    [([], 1.0), ([0.0], 1.0), ([59.9], 1.0), ([60.0], 5.0), ([299.0], 5.0), ([300.0], 15.0), ([9000.0, 3.0], 1.0)],
)
def test_the_longer_a_run_takes_the_less_often_it_is_looked_at(ages: list[float], seconds: float) -> None:
    assert checks.patience(ages) == seconds


@pytest.mark.xfail(strict=True, reason="the age of a run that has ended counts too, so the others are polled every second")
def test_only_runs_under_way_decide_how_soon_to_look_again() -> None:
    old = run_of(TRAIN, started=NOW - timedelta(hours=1))
    quick = run_of(ALONE, "succeeded", started=NOW - timedelta(seconds=30))
    pr = replace(changing("projects/train/x", "projects/alone/x"), runs=(old, quick))

    assert LookAgain(15.0) in checks.plan(pr, NOW)


def test_what_is_said_of_running_work_does_not_change_by_time_alone() -> None:
    pr = replace(PR, runs=(run_of(TRAIN),))

    early, late = (
        [order for order in checks.plan(pr, at) if isinstance(order, PutReport)]
        for at in (NOW, NOW + timedelta(hours=2))
    )

    assert early == late != []


# -- always


OUTCOMES = st.sampled_from((None, "succeeded", "failed", "timed out", "cancelled", "no cluster"))


@st.composite
def pull_requests(draw: st.DrawFn) -> PullRequestFacts:
    runs: list[ProjectRun] = []
    for project in (TRAIN, SCORE, ALONE):
        if draw(st.booleans()):
            run = run_of(project, draw(OUTCOMES), cluster_run=draw(st.sampled_from(("", "17"))), closed=False)
            runs.append(replace(run, closed=run.over and draw(st.booleans())))
    if draw(st.booleans()):
        runs.append(replace(OLD_RUN, outcome=draw(OUTCOMES)))
    head = replace(
        HEAD,
        open=draw(st.booleans()) or draw(st.booleans()),
        judged=draw(st.sampled_from((False, False, False, True))),
        pending=draw(st.booleans()),
        source=draw(st.sampled_from(("feature_wine", "feature_wine", "feature/wine"))),
        changed=draw(
            st.lists(
                st.sampled_from(("projects/train/x", "projects/score/x", "projects/alone/x", "config/mlops.yml", "x"))
            ).map(tuple)
        ),
        thread=draw(st.sampled_from((0, 9))),
    )
    return replace(PR, head=head, runs=tuple(runs), serving=draw(st.sampled_from((None, SERVING))))


@given(pull_requests())
def test_a_verdict_is_the_last_order_and_the_report_comes_right_before_it(pr: PullRequestFacts) -> None:
    orders = checks.plan(pr, NOW)
    verdicts = [place for place, (state, _) in enumerate_statuses(orders) if state not in ("pending", "notApplicable")]

    assert len(verdicts) <= 1
    assert all(place == len(orders) - 1 and isinstance(orders[place - 1], PutReport) for place in verdicts)


@given(pull_requests())
def test_nothing_is_started_twice_nor_before_what_it_comes_after(pr: PullRequestFacts) -> None:
    starts = started(checks.plan(pr, NOW))
    reached = {run.token for run in pr.runs if run.cluster_run or run.over}
    passed = {run.project for run in pr.runs if run.outcome == "succeeded" and run.iteration == HEAD.iteration}

    assert not {order.token for order in starts} & reached
    assert len({order.token for order in starts}) == len(starts)
    for order in starts:
        touched = {p.path for p in checks.touched(CONFIG, pr.head.changed, has_serving=pr.serving is not None)}
        assert set(CONFIG.project(order.project).after) & touched <= passed


@given(pull_requests())
def test_an_unjudged_pull_request_gets_a_verdict_or_is_looked_at_again(pr: PullRequestFacts) -> None:
    orders = checks.plan(pr, NOW)

    settled = not pr.head.open or pr.head.judged
    final = any(state != "pending" for state, _ in statuses(orders))
    assert settled or final or any(isinstance(order, LookAgain) for order in orders)


@given(pull_requests())
def test_every_cancelled_run_belongs_to_nobody_any_more(pr: PullRequestFacts) -> None:
    cancelled = [order.run for order in checks.plan(pr, NOW) if isinstance(order, CancelRun)]

    assert all(not run.over for run in cancelled)
    assert all(not pr.head.open or run.iteration != pr.head.iteration for run in cancelled)


def enumerate_statuses(orders: list[Action]) -> list[tuple[int, tuple[str, str]]]:
    return [(n, (one.state, one.description)) for n, one in enumerate(orders) if isinstance(one, SetStatus)]
