"""What people are told while a neighbour keeps a judgement waiting."""

from dataclasses import replace

import pytest
from example_pull_request import HEAD, PR, kinds

from bot.actions import SetStatus
from bot.facts.pull_request import PullRequestFacts
from bot.rules.pull_request import checks


def test_the_status_is_pending_at_once_and_the_report_follows_when_it_lasts() -> None:
    told = [kinds(checks.held_up(PR, "Databricks", failures)) for failures in range(4)]

    assert told == [
        ["SetStatus"],
        ["SetStatus"],
        ["SetStatus", "PutReport"],
        ["SetStatus", "PutReport"],
    ]


def test_what_is_pending_already_is_not_set_again() -> None:
    pr = replace(PR, head=replace(HEAD, pending=True))

    assert kinds(checks.held_up(pr, "Databricks", 5)) == ["PutReport"]


def test_the_words_stay_the_same_however_long_it_lasts() -> None:
    early, late = (checks.held_up(PR, "MLflow", failures) for failures in (checks.PATIENCE, 1000))

    assert early == late
    assert [order.state for order in early if isinstance(order, SetStatus)] == ["pending"]


@pytest.mark.parametrize(
    "pr",
    [
        replace(PR, head=replace(HEAD, open=False)),
        replace(PR, head=replace(HEAD, judged=True)),
        replace(PR, head=replace(HEAD, iteration=0)),
        replace(PR, head=replace(HEAD, target="release")),
    ],
    ids=["closed", "judged", "without an iteration", "to another branch"],
)
def test_nobody_is_told_of_what_nobody_waits_for(pr: PullRequestFacts) -> None:
    assert checks.held_up(pr, "Databricks", 100) == []
