"""What the results of a pull request's runs say: may it merge."""

import math
from dataclasses import replace
from typing import Any

import pytest
from example_pull_request import ALONE, HEAD, NOW, PR, SCORE, TRAIN, changing, kinds, run_of

from bot.actions import PutReport, SetStatus
from bot.config.repository import Project
from bot.facts.runs import ProjectRun
from bot.rules import runs as project_runs
from bot.rules.pull_request import checks, steps
from bot.words import steps as words


def verdict(*runs: ProjectRun, changed: tuple[str, ...] = HEAD.changed) -> tuple[str, str, str]:
    """State, description and first line of the report."""
    orders = checks.plan(replace(changing(*changed), runs=runs), NOW)
    assert kinds(orders) == ["PutReport", "SetStatus"]
    report, status = orders[0], orders[-1]
    assert isinstance(report, PutReport)
    assert isinstance(status, SetStatus)
    return status.state, status.description, report.body.splitlines()[0]


def test_all_passed_may_merge() -> None:
    state, description, first = verdict(run_of(TRAIN, "succeeded"), run_of(SCORE, "succeeded"))

    assert state == "succeeded"
    assert description == "passed · rmse 0.71 · rows 1000 · 5m"
    assert first == "### ✅ ML validation passed — `a1b2c3d` · 5m"


def test_a_failed_training_skips_scoring_and_fails() -> None:
    state, description, first = verdict(run_of(TRAIN, "failed", reason="KeyError: 'alcohol'"))

    assert state == "failed"
    assert description == "train failed: KeyError: 'alcohol'"
    assert first == "### ❌ ML validation failed in `train` — `a1b2c3d` · 5m"


def test_scoring_that_was_skipped_says_why() -> None:
    training, scoring = steps.steps(replace(PR, runs=(run_of(TRAIN, "failed"),)), [TRAIN, SCORE])

    assert training.state == "failed"
    assert (scoring.state, words.reason(scoring)) == ("skipped", "train did not succeed")


def test_a_failure_skips_everything_that_comes_after_it() -> None:
    last = Project(path="projects/last", after=("projects/score",))

    found = steps.steps(replace(PR, runs=(run_of(TRAIN, "failed"),)), [TRAIN, SCORE, last])

    assert [step.state for step in found] == ["failed", "skipped", "skipped"]


def test_a_project_that_stands_alone_is_not_skipped_with_the_others() -> None:
    orders = checks.plan(
        replace(changing("projects/train/x", "projects/alone/x"), runs=(run_of(TRAIN, "failed"),)),
        NOW,
    )

    assert "StartRun" in kinds(orders)
    assert not [
        order for order in orders if isinstance(order, SetStatus) and order.state != "pending"
    ]


def lost(project: Project, **known: Any) -> list[ProjectRun]:
    """As many runs of a project as are tried, none of which got a cluster."""
    return [
        run_of(project, "no cluster", attempt=number + 1, **known)
        for number in range(len(project_runs.PAUSES) + 1)
    ]


def test_what_the_workspace_could_not_do_is_an_error_and_not_a_failure() -> None:
    state, _, first = verdict(*lost(TRAIN, reason="no capacity in westeurope"))

    assert state == "error"
    assert first == "### ⚠️ Databricks could not run `train`: not your fault — `a1b2c3d` · 5m"


def test_a_failure_weighs_more_than_a_missing_cluster() -> None:
    state, _, _ = verdict(
        *lost(TRAIN),
        run_of(ALONE, "failed"),
        changed=("projects/train/x", "projects/alone/x"),
    )

    assert state == "failed"


@pytest.mark.parametrize(
    ("project", "run", "reason"),
    [
        (TRAIN, run_of(TRAIN, "succeeded"), ""),
        (ALONE, run_of(ALONE, "succeeded"), ""),
        (TRAIN, run_of(TRAIN, "failed", reason="exit code 3"), "exit code 3"),
        (TRAIN, run_of(TRAIN, "cancelled"), "the run was cancelled"),
        (TRAIN, run_of(TRAIN, "timed out", reason="killed"), "ran past its limit of 30m"),
        (
            TRAIN,
            run_of(TRAIN, "succeeded", model_version=""),
            "ended without registering the model feature_wine_model",
        ),
    ],
)
def test_a_run_passes_only_if_it_ended_well_and_with_its_model(
    project: Project, run: ProjectRun, reason: str
) -> None:
    failure = project_runs.fault(project, run)

    assert (words.fault(failure) if failure else "") == reason


@pytest.mark.parametrize(
    ("metrics", "reason"),
    [
        ({"r2": 0.3}, "ended without logging the metric rmse"),
        ({"rmse": 0.7}, "ended without logging the metric r2"),
        ({"rmse": math.nan, "r2": 0.3}, "logged rmse as nan"),
        ({"rmse": 0.7, "r2": -math.inf}, "logged r2 as -inf"),
    ],
)
def test_a_model_that_cannot_be_measured_is_refused_with_a_word_why(
    metrics: dict[str, float], reason: str
) -> None:
    unmeasured = run_of(TRAIN, "succeeded", metrics=metrics)

    state, description, _ = verdict(unmeasured, run_of(SCORE, "succeeded"))

    assert state == "failed"
    assert reason in description


def test_a_failed_verdict_leaves_the_thread_open_and_a_good_one_closes_it() -> None:
    good = checks.plan(
        replace(PR, runs=(run_of(TRAIN, "succeeded"), run_of(SCORE, "succeeded"))), NOW
    )[0]
    bad = checks.plan(replace(PR, runs=(run_of(TRAIN, "failed"),)), NOW)[0]

    assert isinstance(good, PutReport)
    assert isinstance(bad, PutReport)
    assert (good.tone, bad.tone) == ("fine", "to do")


def test_a_failed_run_without_a_reason_is_spoken_of_in_proper_words() -> None:
    failure = project_runs.fault(TRAIN, run_of(TRAIN, "failed"))

    assert failure is not None
    assert words.fault(failure) != "the run was failed"
