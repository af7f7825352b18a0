"""What becomes of what a closed pull request left behind."""

from dataclasses import replace
from typing import Any

import pytest
from example_pull_request import HEAD, PR, TRAIN, run_of

from bot import run_tags
from bot.actions import (
    ArchiveExperiment,
    ArchiveVersion,
    DeleteExperiment,
    DeleteRun,
    DeleteVersion,
)
from bot.facts.model import ModelVersion
from bot.facts.pull_request import Leavings
from bot.rules.pull_request import cleanup

ONE, TWO = ModelVersion("wine_model", "1", "run1"), ModelVersion("wine_model", "2", "run2")
LEFT = Leavings(
    "7",
    runs=("run1", "run2"),
    versions=(ONE, TWO),
    loaded=frozenset(),
    shared=False,
    others=False,
    merged=False,
)
USED: dict[str, dict[str, Any]] = {
    "an alias": {"versions": (replace(ONE, aliases=("champion",)), TWO)},
    "the stage Production": {"versions": (replace(ONE, stage="Production"), TWO)},
    "the stage Staging": {"versions": (replace(ONE, stage="Staging"), TWO)},
    "a job that loads it": {"loaded": frozenset({("wine_model", "1")})},
}


def test_what_is_abandoned_is_archived_and_the_sign_comes_last() -> None:
    assert cleanup.plan(LEFT, "archive") == [
        ArchiveVersion("wine_model", "1"),
        ArchiveVersion("wine_model", "2"),
        ArchiveExperiment("7"),
    ]


def test_what_is_abandoned_is_deleted_where_the_policy_says_so() -> None:
    assert cleanup.plan(LEFT, "delete") == [
        DeleteVersion("wine_model", "1"),
        DeleteVersion("wine_model", "2"),
        DeleteRun("run1"),
        DeleteRun("run2"),
        DeleteExperiment("7"),
    ]


def test_all_is_kept_where_the_policy_says_so() -> None:
    assert cleanup.plan(LEFT, "keep") == []


@pytest.mark.parametrize("mark", USED.values(), ids=USED)
def test_a_version_that_somebody_uses_is_never_archived(mark: dict[str, Any]) -> None:
    orders = cleanup.plan(replace(LEFT, **mark), "archive")

    assert orders == [ArchiveVersion("wine_model", "2"), ArchiveExperiment("7")]


@pytest.mark.parametrize("mark", USED.values(), ids=USED)
def test_a_version_that_somebody_uses_is_never_deleted_nor_the_run_that_made_it(
    mark: dict[str, Any],
) -> None:
    orders = cleanup.plan(replace(LEFT, **mark), "delete")

    assert orders == [DeleteVersion("wine_model", "2"), DeleteRun("run2"), ArchiveExperiment("7")]


@pytest.mark.parametrize("policy", ["archive", "delete"])
def test_what_was_merged_may_be_promoted_yet_and_stays(policy: Any) -> None:
    assert cleanup.plan(replace(LEFT, merged=True), policy) == [ArchiveExperiment("7")]


@pytest.mark.parametrize("policy", ["archive", "delete"])
def test_an_experiment_that_an_open_pull_request_uses_too_is_left_to_it(policy: Any) -> None:
    orders = cleanup.plan(replace(LEFT, shared=True), policy)

    assert not any(isinstance(order, ArchiveExperiment | DeleteExperiment) for order in orders)
    assert len(orders) >= 2


def test_an_experiment_with_somebody_elses_runs_is_not_deleted() -> None:
    assert cleanup.plan(replace(LEFT, others=True), "delete")[-1] == ArchiveExperiment("7")


def test_a_version_that_somebody_brought_back_is_not_archived_again() -> None:
    back = replace(ONE, tags={run_tags.VERSION_ARCHIVED: "its pull request was abandoned"})

    assert cleanup.plan(replace(LEFT, versions=(back,)), "archive") == [ArchiveExperiment("7")]


def test_nothing_is_tidied_while_the_pull_request_is_open_or_its_runs_are_not_closed() -> None:
    closed = replace(PR, head=replace(HEAD, open=False))
    running = replace(closed, runs=(run_of(TRAIN),))
    ended = replace(closed, runs=(run_of(TRAIN, "cancelled", closed=True),))
    elsewhere = replace(closed, head=replace(closed.head, target="release"))

    assert [cleanup.due(pr) for pr in (PR, running, elsewhere, closed, ended)] == [
        False,
        False,
        False,
        True,
        True,
    ]
