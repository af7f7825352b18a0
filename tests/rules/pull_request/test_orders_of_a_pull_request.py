"""What orders make of a pull request: run again, stopped, accepted, and in line with others."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from example_pull_request import (
    ALONE,
    HEAD,
    NOW,
    PR,
    SCORE,
    TRAIN,
    changing,
    kinds,
    ordered,
    run_of,
    started,
)
from hypothesis import given
from hypothesis import strategies as st

from bot.actions import CancelRun, PutReport, SetStatus
from bot.config.deployment import Reporting
from bot.facts.discussion import Order
from bot.facts.pull_request import PullRequestFacts, QueuePosition
from bot.facts.runs import Outcome, ProjectRun
from bot.rules.pull_request import checks, steps

ALL = ("projects/train/x", "projects/score/x", "projects/alone/x")


def in_round(project: Any, number: int, outcome: Outcome | None = None, **known: Any) -> ProjectRun:
    """A run that an order to run again led to."""
    token = steps.token(PR.repository, HEAD, project.path, 1, number)
    return run_of(project, outcome, token=token, **known)


def with_(
    *runs: ProjectRun, orders: tuple[Order, ...] = (), changed: tuple[str, ...] = HEAD.changed
) -> PullRequestFacts:
    return replace(changing(*changed), runs=runs, orders=orders)


def states(pr: PullRequestFacts) -> list[str]:
    return [step.state for step in checks.planned(pr)]


# -- run and retry


def test_retry_runs_again_what_failed_and_what_was_skipped_for_it() -> None:
    pr = with_(
        run_of(TRAIN, "failed"), run_of(ALONE, "succeeded"), orders=(ordered("retry"),), changed=ALL
    )

    assert states(pr) == ["waits", "waits", "passed"]
    assert [order.project for order in started(checks.plan(pr, NOW))] == [TRAIN.path]


def test_retry_keeps_the_training_when_only_the_scoring_failed() -> None:
    pr = with_(run_of(TRAIN, "succeeded"), run_of(SCORE, "failed"), orders=(ordered("retry"),))

    (again,) = started(checks.plan(pr, NOW))

    assert again.project == SCORE.path
    assert again.parameters["model_version"] == "17"


def test_run_begins_everything_anew_under_other_names() -> None:
    runs = (run_of(TRAIN, "succeeded"), run_of(SCORE, "succeeded"))
    pr = with_(*runs, orders=(ordered("run"),))

    (again,) = started(checks.plan(pr, NOW))

    assert states(pr) == ["waits", "waits"]
    assert again.token not in {run.token for run in runs}


@pytest.mark.parametrize(
    ("argument", "again"),
    [
        ("score", [SCORE.path]),
        ("projects/score", [SCORE.path]),
        ("train", [TRAIN.path]),
        ("ALL", [TRAIN.path, ALONE.path]),
    ],
)
def test_one_project_is_run_again_with_what_comes_after_it(argument: str, again: list[str]) -> None:
    runs = (run_of(TRAIN, "succeeded"), run_of(SCORE, "succeeded"))
    pr = with_(*runs, orders=(ordered("run", argument),))

    assert [order.project for order in started(checks.plan(pr, NOW))] == again
    assert states(pr)[-1] == "waits"


@pytest.mark.parametrize(
    ("argument", "runs"),
    [("all", [TRAIN.path, ALONE.path]), ("alone", [ALONE.path]), ("score", [TRAIN.path])],
    ids=["all", "one that stands alone", "one that needs another"],
)
def test_what_the_change_does_not_touch_runs_when_it_is_asked_for(
    argument: str, runs: list[str]
) -> None:
    pr = with_(orders=(ordered("run", argument),), changed=("README.md",))

    assert [order.project for order in started(checks.plan(pr, NOW))] == runs


def test_what_ran_again_is_what_counts() -> None:
    pr = with_(
        run_of(TRAIN, "failed"),
        in_round(TRAIN, 1, "succeeded"),
        in_round(SCORE, 1, "succeeded"),
        orders=(ordered("retry"),),
    )

    assert states(pr) == ["passed", "passed"]


def test_the_scoring_of_a_new_round_gets_the_version_of_that_round() -> None:
    again = in_round(TRAIN, 1, "succeeded", model_version="18")
    pr = with_(run_of(TRAIN, "succeeded"), again, orders=(ordered("run"),))

    (scoring,) = started(checks.plan(pr, NOW))

    assert scoring.parameters["model_version"] == "18"


ORDERS = st.lists(
    st.builds(
        ordered,
        st.sampled_from(("run", "retry", "cancel")),
        st.sampled_from(("", "train", "score", "alone")),
    ),
    max_size=5,
).map(tuple)
OUTCOMES: st.SearchStrategy[Outcome | None] = st.sampled_from(
    (None, "succeeded", "failed", "no cluster")
)


@given(ORDERS, st.data())
def test_no_order_and_no_history_leads_to_a_run_that_was_there_before(
    orders: tuple[Order, ...], data: st.DataObject
) -> None:
    rounds = len(steps.rounds(orders)) + 1
    runs = [
        in_round(project, number, data.draw(OUTCOMES))
        if number
        else run_of(project, data.draw(OUTCOMES))
        for project in (TRAIN, SCORE, ALONE)
        for number in range(rounds)
        if data.draw(st.booleans())
    ]
    pr = with_(*runs, orders=orders, changed=ALL)
    starts = [order.token for order in started(checks.plan(pr, NOW))]

    assert len(set(starts)) == len(starts)
    assert not set(starts) & {run.token for run in runs}
    assert steps.steps(pr, [TRAIN, SCORE, ALONE]) == steps.steps(
        replace(pr, runs=tuple(reversed(runs))), [TRAIN, SCORE, ALONE]
    )


# -- cancel


def test_what_came_through_before_it_could_be_cancelled_is_judged_like_any_other() -> None:
    runs = (run_of(TRAIN, "succeeded", withdrawn=True), run_of(SCORE, "succeeded"))

    actions = checks.plan(with_(*runs, orders=(ordered("cancel"),)), NOW)

    (verdict,) = (one for one in actions if isinstance(one, SetStatus) and one.name == "validate")
    assert verdict.state == "succeeded"
    assert verdict.description.startswith("passed")


def test_cancel_stops_what_runs_and_gives_a_verdict_when_it_has_stopped() -> None:
    run = run_of(TRAIN)
    stopping = checks.plan(with_(run, orders=(ordered("cancel"),)), NOW)
    stopped = checks.plan(
        with_(
            replace(run, outcome="cancelled", withdrawn=True, closed=True),
            orders=(ordered("cancel"),),
        ),
        NOW,
    )

    assert CancelRun(run) in stopping
    assert not started(stopping)
    assert kinds(stopped) == ["PutReport", "SetStatus"]
    (verdict,) = (one for one in stopped if isinstance(one, SetStatus) and one.name == "validate")
    assert (verdict.state, verdict.description) == ("failed", "cancelled by Kim")


def test_what_was_cancelled_begins_again_when_somebody_asks() -> None:
    stopped = run_of(TRAIN, "cancelled", withdrawn=True)
    pr = with_(stopped, orders=(ordered("cancel"), ordered("run")))

    (again,) = started(checks.plan(pr, NOW))

    assert again.token != stopped.token


# -- override


@pytest.mark.parametrize(
    ("run", "argument", "state"),
    [
        (run_of(TRAIN, "failed"), "train", "accepted"),
        (run_of(TRAIN, "failed"), "projects/train", "accepted"),
        (run_of(TRAIN, "failed"), "gate", "failed"),
        (run_of(TRAIN, "failed"), "score", "failed"),
        (run_of(TRAIN, "succeeded", metrics={"r2": 0.3}), "gate", "accepted"),
        (run_of(TRAIN, "succeeded", metrics={"r2": 0.3}), "Train", "accepted"),
        (run_of(TRAIN, "succeeded"), "gate", "passed"),
    ],
)
def test_only_the_check_that_was_named_is_accepted(
    run: ProjectRun, argument: str, state: str
) -> None:
    assert states(with_(run, orders=(ordered("override", argument, "because"),)))[0] == state


def test_a_failure_that_was_accepted_passes_with_what_was_skipped_for_it() -> None:
    pr = with_(run_of(TRAIN, "failed"), orders=(ordered("override", "train", "because"),))

    orders = checks.plan(pr, NOW)

    assert states(pr) == ["accepted", "skipped"]
    assert [
        one.state for one in orders if isinstance(one, SetStatus) and one.name == "validate"
    ] == ["succeeded"]


# -- in line


def test_no_more_is_started_than_there_is_room_for() -> None:
    changed = ("projects/train/x", "projects/alone/x")
    roomy, narrow, none = (
        started(
            checks.plan(
                replace(changing(*changed), queue_position=QueuePosition(free, 0, 1, 2)), NOW
            )
        )
        for free in (2, 1, 0)
    )

    assert [len(starts) for starts in (roomy, narrow, none)] == [2, 1, 0]


def test_what_was_begun_and_cut_off_needs_no_room_of_its_own() -> None:
    lost = run_of(TRAIN, cluster_run="")
    pr = replace(
        changing("projects/train/x"), runs=(lost,), queue_position=QueuePosition(0, 0, 0, 1)
    )

    assert [order.token for order in started(checks.plan(pr, NOW))] == [lost.token]
    assert checks.wanted(pr, NOW) == (1, 0)


@pytest.mark.parametrize(
    "pr",
    [
        replace(PR, head=replace(HEAD, judged=True)),
        replace(PR, head=replace(HEAD, open=False)),
        replace(PR, head=replace(HEAD, fork=True)),
        replace(PR, head=replace(HEAD, source="a/b")),
        replace(PR, orders=(ordered("cancel"),)),
        replace(PR, config=None),
    ],
    ids=["judged", "closed", "a fork", "badly named", "cancelled", "without a configuration"],
)
def test_nobody_stands_in_line_for_what_is_not_run(pr: PullRequestFacts) -> None:
    assert checks.wanted(pr, NOW) == (0, 0)


# -- how much is said


@pytest.mark.parametrize(("seconds", "told"), [(0, False), (9, False), (10, True), (600, True)])
def test_a_running_report_is_put_again_after_ten_seconds(seconds: float, told: bool) -> None:
    pr = replace(
        PR, head=replace(HEAD, pending=True, thread=9), runs=(run_of(TRAIN),), reported=NOW
    )

    orders = checks.plan(pr, NOW + timedelta(seconds=seconds))

    assert any(isinstance(order, PutReport) for order in orders) == told


def test_who_wants_no_progress_gets_none() -> None:
    pr = replace(
        PR, head=replace(HEAD, pending=True, thread=9), runs=(run_of(TRAIN),), reported=NOW
    )

    orders = checks.plan(pr, NOW + timedelta(hours=1), Reporting(progress=None, steps=False))

    assert [type(order).__name__ for order in orders] == ["LookAgain"]
