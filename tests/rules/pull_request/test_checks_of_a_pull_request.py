"""What a pull request needs next: what is started, what is cancelled, what is left alone."""

from dataclasses import replace
from typing import Any

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
    ordered,
    run_of,
    started,
    statuses,
)
from hypothesis import given
from hypothesis import strategies as st

from bot.actions import CancelRun, CloseRun, LookAgain, PullRequestAction, PutReport, SetStatus
from bot.config.repository import BranchRule, Mlops
from bot.facts.pull_request import PullRequestFacts
from bot.facts.runs import Outcome, ProjectRun
from bot.rules.pull_request import checks, steps

OLD_RUN = run_of(TRAIN, iteration=2, commit="0" * 40, token="of-iteration-2")


# -- what is not judged


def test_a_bad_branch_name_starts_nothing() -> None:
    orders = checks.plan(replace(PR, head=replace(HEAD, source="feature/wine")), NOW)

    assert kinds(orders) == ["PutReport", "SetStatus"]
    assert statuses(orders) == [
        ("failed", "the branch name can't be used with Databricks; nothing was run")
    ]


def test_a_bad_branch_name_is_answered_with_one_that_no_branch_has() -> None:
    pr = replace(
        PR,
        head=replace(HEAD, source="feature/wine"),
        branches=frozenset({"feature/wine", "feature_wine"}),
    )

    report = checks.plan(pr, NOW)[0]

    assert isinstance(report, PutReport)
    assert "`feature_wine_2`" in report.body


def test_the_target_branch_may_be_called_as_it_likes() -> None:
    config = CONFIG.model_copy(update={"target": "release/1.0"})
    head = replace(HEAD, source="release/1.0", target="release/1.0")

    assert started(checks.plan(replace(PR, target="release/1.0", head=head, config=config), NOW))


def test_the_branch_rule_of_the_configuration_is_the_one_that_counts() -> None:
    config = CONFIG.model_copy(update={"branches": BranchRule(forbidden=("_",))})

    assert started(checks.plan(replace(PR, config=config), NOW)) == []


def test_the_code_of_a_fork_waits_for_somebody_who_may_let_it_run() -> None:
    waiting = checks.plan(replace(PR, head=replace(HEAD, fork=True)), NOW)
    allowed = checks.plan(
        replace(PR, head=replace(HEAD, fork=True), orders=(ordered("ok-to-test"),)), NOW
    )

    assert kinds(waiting) == ["PutReport", "SetStatus"]
    assert [state for state, _ in statuses(waiting)] == ["pending"]
    assert [start.fork for start in started(allowed)] == [True]


def test_a_configuration_that_cannot_be_used_is_an_error_and_shows_its_sentence() -> None:
    orders = checks.plan(
        replace(PR, config=None, problem="config/mlops.yml: projects[0].path is missing."), NOW
    )

    assert kinds(orders) == ["PutReport", "SetStatus"]
    assert statuses(orders)[0][0] == "error"
    assert "projects[0].path is missing." in orders[0].body  # type: ignore[union-attr]


@pytest.mark.parametrize("config", [CONFIG, None])
def test_a_pull_request_to_another_branch_is_left_alone(config: Mlops | None) -> None:
    assert checks.plan(replace(PR, head=replace(HEAD, target="dev"), config=config), NOW) == []


def test_a_pull_request_without_an_iteration_is_waited_for() -> None:
    assert checks.plan(replace(PR, head=replace(HEAD, iteration=0)), NOW) == [LookAgain(1.0)]


@pytest.mark.parametrize(
    "changed", [(), ("README.md",), ("projects/train",), ("projects/training/train.py",)]
)
def test_a_pull_request_that_touches_no_project_gets_a_status_and_no_comment(
    changed: tuple[str, ...],
) -> None:
    orders = checks.plan(changing(*changed), NOW)

    assert kinds(orders) == ["SetStatus"]
    assert statuses(orders)[0][0] == "notApplicable"


def test_a_report_of_an_earlier_commit_does_not_stay_when_no_project_is_touched_any_more() -> None:
    orders = checks.plan(replace(PR, head=replace(HEAD, changed=("README.md",), thread=9)), NOW)

    assert kinds(orders) == ["PutReport", "SetStatus"]
    assert orders[0].tone == "fine"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "change", [{"open": False}, {"judged": True}, {"judged": True, "fork": True}]
)
def test_a_closed_or_judged_pull_request_needs_nothing(change: dict[str, Any]) -> None:
    assert checks.plan(replace(PR, head=replace(HEAD, **change)), NOW) == []


def test_a_judged_commit_needs_nothing_even_without_a_configuration() -> None:
    assert checks.plan(replace(PR, head=replace(HEAD, judged=True), config=None), NOW) == []


# -- what is cancelled


@pytest.mark.parametrize(
    "change",
    [{}, {"judged": True}, {"target": "dev"}, {"source": "a/b"}, {"fork": True}, {"changed": ()}],
)
def test_a_run_of_an_older_iteration_is_cancelled_whatever_else_is_so(
    change: dict[str, Any],
) -> None:
    orders = checks.plan(replace(PR, head=replace(HEAD, **change), runs=(OLD_RUN,)), NOW)

    assert CancelRun(OLD_RUN) in orders
    assert any(isinstance(order, LookAgain) for order in orders)


def test_the_same_commit_pushed_again_is_judged_anew() -> None:
    again = run_of(
        TRAIN,
        "succeeded",
        iteration=2,
        token=steps.token(PR.repository, replace(HEAD, iteration=2), "x"),
    )

    assert [order.project for order in started(checks.plan(replace(PR, runs=(again,)), NOW))] == [
        TRAIN.path
    ]


def test_the_runs_of_a_closed_pull_request_are_cancelled() -> None:
    run = run_of(TRAIN)

    orders = checks.plan(replace(PR, head=replace(HEAD, open=False), runs=(run,)), NOW)

    assert orders == [CancelRun(run), LookAgain(1.0)]


def test_a_superseded_run_is_stopped_even_if_nobody_noted_where_it_is() -> None:
    lost = replace(OLD_RUN, cluster_run="")

    orders = checks.plan(replace(PR, head=replace(HEAD, judged=True), runs=(lost,)), NOW)

    assert orders == [CancelRun(lost), LookAgain(1.0)]


def test_the_newest_iterations_run_is_not_cancelled() -> None:
    orders = checks.plan(replace(PR, runs=(run_of(TRAIN), OLD_RUN)), NOW)

    assert [order.run for order in orders if isinstance(order, CancelRun)] == [OLD_RUN]


def test_a_run_that_ended_is_closed_once() -> None:
    ended = run_of(TRAIN, "failed", closed=False)

    assert CloseRun(ended) in checks.plan(replace(PR, runs=(ended,)), NOW)
    assert "CloseRun" not in kinds(
        checks.plan(replace(PR, runs=(replace(ended, closed=True),)), NOW)
    )


# -- always


OUTCOMES: st.SearchStrategy[Outcome | None] = st.sampled_from(
    (None, "succeeded", "failed", "timed out", "cancelled", "no cluster")
)


@st.composite
def pull_requests(draw: st.DrawFn) -> PullRequestFacts:
    runs: list[ProjectRun] = []
    for project in (TRAIN, SCORE, ALONE):
        if draw(st.booleans()):
            run = run_of(
                project, draw(OUTCOMES), cluster_run=draw(st.sampled_from(("", "17"))), closed=False
            )
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
                st.sampled_from(
                    (
                        "projects/train/x",
                        "projects/score/x",
                        "projects/alone/x",
                        "config/mlops.yml",
                        "x",
                    )
                )
            ).map(tuple)
        ),
        thread=draw(st.sampled_from((0, 9))),
    )
    return replace(PR, head=head, runs=tuple(runs), serving=draw(st.sampled_from((None, SERVING))))


@given(pull_requests())
def test_a_verdict_is_the_last_order_and_the_report_comes_right_before_it(
    pr: PullRequestFacts,
) -> None:
    orders = checks.plan(pr, NOW)
    verdicts = [
        place
        for place, (state, _) in enumerate_statuses(orders)
        if state not in ("pending", "notApplicable")
    ]
    reports = [place for place, order in enumerate(orders) if isinstance(order, PutReport)]

    assert len(verdicts) <= 1
    assert all(place == len(orders) - 1 and reports for place in verdicts)


@given(pull_requests())
def test_nothing_is_started_twice_nor_before_what_it_comes_after(pr: PullRequestFacts) -> None:
    starts = started(checks.plan(pr, NOW))
    reached = {run.token for run in pr.runs if run.cluster_run or run.over}
    passed = {
        run.project
        for run in pr.runs
        if run.outcome == "succeeded" and run.iteration == HEAD.iteration
    }

    assert not {order.token for order in starts} & reached
    assert len({order.token for order in starts}) == len(starts)
    for order in starts:
        touched = {
            p.path
            for p in checks.touched(CONFIG, pr.head.changed, has_serving=pr.serving is not None)
        }
        assert set(CONFIG.project(order.project).after) & touched <= passed


@given(pull_requests())
def test_an_unjudged_pull_request_gets_a_verdict_or_is_looked_at_again(
    pr: PullRequestFacts,
) -> None:
    orders = checks.plan(pr, NOW)

    settled = not pr.head.open or pr.head.judged
    final = any(state != "pending" for state, _ in statuses(orders))
    assert settled or final or any(isinstance(order, LookAgain) for order in orders)


@given(pull_requests())
def test_every_cancelled_run_belongs_to_nobody_any_more(pr: PullRequestFacts) -> None:
    cancelled = [order.run for order in checks.plan(pr, NOW) if isinstance(order, CancelRun)]

    assert all(not run.over for run in cancelled)
    assert all(not pr.head.open or run.iteration != pr.head.iteration for run in cancelled)


def enumerate_statuses(orders: list[PullRequestAction]) -> list[tuple[int, tuple[str, str]]]:
    return [
        (place, (one.state, one.description))
        for place, one in enumerate(orders)
        if isinstance(one, SetStatus) and one.name == "validate"
    ]
