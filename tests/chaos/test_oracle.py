"""The storm's oracle finds what is wrong: each thing that may go wrong is done to the world on
purpose, and found.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.chaos import production, repository_content, runs, verdicts
from sandbox.chaos.changes import Change
from sandbox.mlflow_server import MlflowServer
from sandbox.world import World
from tests.chaos.neighbourhood import Neighbourhood


@pytest.fixture(scope="module")
def here(
    tmp_path_factory: pytest.TempPathFactory, mlflow_server: MlflowServer
) -> Iterator[Neighbourhood]:
    root: Path = tmp_path_factory.mktemp("oracle")
    with World(root, repository_content.prepare(root / "content"), mlflow=mlflow_server) as world:
        yield Neighbourhood(world)


def found(here: Neighbourhood, change: Change) -> list[str]:
    return [one.kind for one in verdicts.findings(here.world.azure, [change])]


def of_runs(here: Neighbourhood, change: Change) -> list[str]:
    name = f"!{change.number} "
    told = runs.findings(here.world, [change])
    return [
        one.kind
        for one in told
        if name in one.sentence or f"ull request {change.number}" in one.sentence
    ]


@pytest.mark.parametrize("verdict", ["succeeded", "failed"])
def test_a_pull_request_that_was_answered_rightly_is_right(
    here: Neighbourhood, verdict: str
) -> None:
    change = here.opened(verdict=verdict)

    here.answered(change)

    assert found(here, change) == []


def test_a_pull_request_of_which_nothing_was_said_is_lost(here: Neighbourhood) -> None:
    assert found(here, here.opened()) == ["lost", "lost"]


def test_a_pull_request_that_is_pending_for_ever_is_lost(here: Neighbourhood) -> None:
    change = here.opened()

    here.open_thread(change, f"### ✅ ML validation — `{change.pushed[-1][0][:7]}`")
    here.say_status(change, "pending")

    assert found(here, change) == ["lost"]


def test_a_wrong_verdict_is_found(here: Neighbourhood) -> None:
    change = here.opened(verdict="failed")

    here.open_thread(change, f"### ❌ ML validation — `{change.pushed[-1][0][:7]}`")
    here.say_status(change, "succeeded")

    assert found(here, change) == ["wrong"]


def test_a_wrong_verdict_on_an_iteration_that_is_over_is_found(here: Neighbourhood) -> None:
    change = here.opened()
    here.say_status(change, "error", iteration=1)
    change.pushed.append(
        (here.world.azure.push(change.branch, {"more.md": change.branch}, "More"), "succeeded")
    )

    here.answered(change)

    assert found(here, change) == ["wrong"]


def test_a_verdict_that_was_given_twice_is_found(here: Neighbourhood) -> None:
    change = here.opened()
    here.answered(change)

    here.say_status(change, "succeeded")

    assert found(here, change) == ["doubled"]


def test_a_verdict_that_was_taken_back_is_found(here: Neighbourhood) -> None:
    change = here.opened()
    here.answered(change)

    here.say_status(change, "pending")

    assert found(here, change) == ["wrong"]


def test_a_second_thread_is_found(here: Neighbourhood) -> None:
    change = here.opened()
    here.answered(change)

    here.open_thread(change, "Again.")

    assert found(here, change) == ["doubled"]


def test_a_report_about_an_older_commit_is_found(here: Neighbourhood) -> None:
    change = here.opened()
    here.answered(change)
    change.pushed.append(
        (here.world.azure.push(change.branch, {"new.md": change.branch}, "New"), "succeeded")
    )

    here.say_status(change, "succeeded")

    assert found(here, change) == ["lost"]


def test_a_report_that_says_another_thing_than_the_verdict_is_found(here: Neighbourhood) -> None:
    change = here.opened()

    here.open_thread(change, f"### ❌ ML validation — `{change.pushed[-1][0][:7]}`")
    here.say_status(change, "succeeded")

    assert found(here, change) == ["wrong"]


def test_a_missing_reply_to_a_merge_is_found(here: Neighbourhood) -> None:
    change = here.opened()
    here.answered(change)
    here.world.azure.complete(change.number)
    change.state, change.to_be_told = "merged", True

    before = found(here, change)
    here.reply(change, "🔁 Merged as `abcdef0`: …")

    assert before == ["lost"]
    assert found(here, change) == []


@pytest.mark.parametrize(
    "again", ["🔁 Merged as `abcdef0`: 1 new.", "🔁 Merged as `abcdef0`: 1 updated."]
)
def test_a_merge_that_was_told_twice_is_found(here: Neighbourhood, again: str) -> None:
    change = here.opened()
    here.answered(change)
    here.world.azure.complete(change.number)
    change.state, change.to_be_told = "merged", True

    here.reply(change, "🔁 Merged as `abcdef0`: 1 new.")
    here.reply(change, again)

    assert found(here, change) == ["doubled"]


def test_runs_that_ended_as_they_did_are_right(here: Neighbourhood) -> None:
    change = here.opened()

    here.in_mlflow(change, "FINISHED", cluster_run=here.on_a_cluster(change))

    assert of_runs(here, change) == []


def test_a_second_run_for_the_same_commit_is_found(here: Neighbourhood) -> None:
    change = here.opened()

    here.on_a_cluster(change)
    here.on_a_cluster(change)

    assert of_runs(here, change) == ["doubled"]


def test_a_run_that_goes_on_is_found(here: Neighbourhood) -> None:
    change = here.opened()

    run = here.on_a_cluster(change, 600, wait=False)
    told = of_runs(here, change)
    here.world.databricks.executor.cancel(here.world.databricks.runs_api.runs[run])

    assert told == ["leaked"]


def test_an_mlflow_run_that_is_not_closed_is_found(here: Neighbourhood) -> None:
    change = here.opened()

    here.in_mlflow(change, "RUNNING", cluster_run=here.on_a_cluster(change))

    assert of_runs(here, change) == ["leaked"]


def test_an_mlflow_run_that_shows_another_end_than_the_true_one_is_found(
    here: Neighbourhood,
) -> None:
    change = here.opened()

    here.in_mlflow(change, "FAILED", cluster_run=here.on_a_cluster(change))
    here.in_mlflow(change, "FINISHED")

    assert of_runs(here, change) == ["wrong", "wrong"]


def test_two_mlflow_runs_for_one_order_are_found(here: Neighbourhood) -> None:
    change = here.opened()

    here.in_mlflow(change, "KILLED", token=change.branch)
    here.in_mlflow(change, "KILLED", token=change.branch)

    assert of_runs(here, change) == ["doubled"]


def test_a_workspace_that_differs_from_main_is_found(here: Neighbourhood) -> None:
    wanted = production.wanted_objects(here.world)
    for path, text in wanted.items():
        here.put(path, text)
    job = here.job("nobody_model")
    equal = production.findings(here.world)

    here.put("/Shared/mlflow_hooks/settings.py", b"THRESHOLD = 2\n")
    here.put("/Shared/projects/stray.txt", b"1")
    here.world.azure.push(
        "main", {"mlflow_hooks/new.py": repository_content.notebook("new")}, "New"
    )
    told = production.findings(here.world)
    here.no_job(job)

    assert equal == []
    assert [(one.kind, one.sentence.split()[0]) for one in told] == [
        ("lost", "/Shared/mlflow_hooks/new"),
        ("lost", "/Shared/mlflow_hooks/settings.py"),
        ("wrong", "/Shared/projects/stray.txt"),
    ]


def test_a_job_that_is_not_pointed_at_what_serves_is_found(here: Neighbourhood) -> None:
    change, model = here.opened(), "served_model"
    here.served(change, model)
    here.open_thread(change, "Passed.")

    none = [one.kind for one in production.findings(here.world) if "job" in one.sentence]
    wrong = here.job("other_model")
    pointed_elsewhere = [
        one.kind for one in production.findings(here.world) if "job" in one.sentence
    ]
    here.no_job(wrong)
    right = here.job(model)
    silent = [one.sentence for one in production.findings(here.world) if "is live" in one.sentence]
    second = here.job(model)
    twice = [one.kind for one in production.findings(here.world) if "job" in one.sentence]
    here.no_job(second)
    here.reply(change, "🚀 `served_model` **v1** is live.")
    told = [one.sentence for one in production.findings(here.world) if "live" in one.sentence]
    here.no_job(right)
    here.champion("DELETE", model)

    assert (none, pointed_elsewhere, twice) == (["lost"], ["lost"], ["doubled"])
    assert silent == [f"Pull request {change.number} was not told that served_model v1 is live."]
    assert told == []
