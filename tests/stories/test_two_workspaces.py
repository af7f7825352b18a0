"""Two workspaces: what a pull request changes runs in one, and never reaches the other, which
serves.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from bot.controllers.model import origins
from bot.rules.model import validated
from sandbox.bot_process import BotProcess
from sandbox.databricks import Databricks, Exchange
from sandbox.mlflow_server import MlflowServer
from sandbox.ports import free_port
from sandbox.world import World
from tests.bot_in_process import CONTENT, Bot, PullRequest, start_bot
from tests.stories.test_pull_requests import in_mode, opened
from tests.stories.test_retrainings_asked_for import answers, asked_for

pytestmark = pytest.mark.slow

THIEF = Path(__file__).with_name("thief.py")
CONFIG = Path(__file__).parents[2] / "config" / "bot.yml"
PROBE = "thief"
CANARY = "dapi-canary-0123456789abcdef"


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, mlflow_server: MlflowServer) -> Iterator[World]:
    """A world with a workspace for pull requests, and one that serves."""
    root = tmp_path_factory.mktemp("two")
    with World(root, CONTENT, slots=4, two_workspaces=True, mlflow=mlflow_server) as started:
        yield started


@pytest.fixture(scope="module")
def deployed(two: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bot]:
    """A bot that hears of everything."""
    bot, server = start_bot(two, tmp_path_factory.mktemp("bot_of_two"))
    two.subscribe(bot.url)
    bot.sweep()
    yield bot
    server.shutdown()


def stealing(world: World) -> dict[str, str | bytes | None]:
    """A change that makes a project a thief.

    The machine it sees ends with these tests, as a cluster's would: it reads no process above, and
    no file of others.
    """
    asked = (
        f"PRODUCTION, OURS, END = {world.databricks.url!r}, {str(world.root.parent)!r}, "
        f"{os.getpid()}"
    )
    program = THIEF.read_text().replace('PRODUCTION, OURS, END = "", "", 0', asked)
    return {"projects/quick/train.py": program, "projects/quick/canary.txt": CANARY}


def of_production(world: World) -> dict[str, str]:
    """What nobody but the bot may know."""
    names = ("azure", "azure_hooks", "databricks", "person", "databricks_hooks", "mlflow_hooks")
    return {name: getattr(world.keys, name) for name in names}


def stolen(tags: dict[str, str], secrets: dict[str, str]) -> list[str]:
    found = {
        digest
        for key, value in tags.items()
        if key.startswith("found.")
        for digest in value.split()
    }
    assert sha256(CANARY.encode()).hexdigest()[:16] in found, "it did not even read its own files"
    return [
        name
        for name, secret in secrets.items()
        if sha256(secret.encode()).hexdigest()[:16] in found
    ]


def calls(workspace: Databricks, since: int = 0) -> tuple[list[Exchange], list[Exchange]]:
    """The thief's calls, and everybody else's."""
    every = list(workspace.calls)[since:]
    probes = [one for one in every if one.query.get("probe") == PROBE]
    return probes, [one for one in every if one.query.get("probe") != PROBE]


def changes(every: list[Exchange]) -> list[str]:
    """The calls that change something; MLflow is asked for lists by POST too."""
    return [
        f"{one.method} {one.path}"
        for one in every
        if one.method != "GET" and not one.path.endswith("/search")
    ]


def tags_of(run: dict[str, Any]) -> dict[str, str]:
    return {one["key"]: one["value"] for one in run["data"]["tags"]}


def run_of(bot: Bot, pr: PullRequest) -> Any:
    """The one MLflow run of a pull request, in the validation workspace."""
    runs = bot.services.validation.runs
    tags = {"signalman.pull_request": str(pr.number)}
    (run,) = [run for one in runs.experiments(tags) for run in runs.runs(one.id, tags)]
    return run


def versions(bot: Bot, workspace: str, model: str) -> list[str]:
    return [one.version for one in getattr(bot.services, workspace).models.versions(model)]


@pytest.fixture(scope="module")
def theft(deployed: Bot, two: World) -> tuple[PullRequest, int]:
    """A pull request that was judged although it only looked for credentials, and how many calls
    there were before.
    """
    before = len(two.databricks.calls)
    pr = opened(deployed, "thief", stealing(two))
    deployed.settle()
    assert pr.status == "succeeded", pr.report
    return pr, before


def test_no_call_of_a_pull_requests_code_is_let_into_production(
    theft: tuple[PullRequest, int], two: World
) -> None:
    probes, others = calls(two.databricks, theft[1])

    assert len(probes) > 20
    assert {one.status for one in probes} <= {401, 403}
    assert {one.user for one in probes} == {""}
    assert {one.user for one in others} == {"signalman"}
    assert changes(others) == []
    assert two.databricks.runs() == []


def test_nothing_that_a_pull_requests_code_can_read_is_a_secret_of_the_bots(
    theft: tuple[PullRequest, int], deployed: Bot, two: World
) -> None:
    tags = dict(run_of(deployed, theft[0]).tags)

    assert stolen(tags, of_production(two)) == []
    assert stolen(tags, {"the bot's own in validation": two.keys.validation}) == []
    assert [name for name in tags if name.startswith("opened.")] == []


def test_no_secret_of_production_is_written_anywhere_that_a_pull_request_reaches(
    theft: tuple[PullRequest, int], deployed: Bot, two: World
) -> None:
    pr, _ = theft
    run = run_of(deployed, pr)
    written = {
        "log": "".join(
            two.validation.output(one["run_id"]) for one in two.validation.runs()
        ).encode(),
        "kept log": "".join(deployed.queue.log(run.tags["signalman.token"])).encode(),
        "comments": repr(pr.threads).encode(),
        "statuses": repr(pr.statuses).encode(),
        "MLflow run": repr(run).encode(),
        "calls to validation": b"".join(one.sent + one.answered for one in two.validation.calls),
        **two.validation.tree(),
    }

    for name, secret in of_production(two).items():
        assert [place for place, content in written.items() if secret.encode() in content] == [], (
            name
        )


def test_each_workspace_is_signed_in_to_with_its_own_token(deployed: Bot, two: World) -> None:
    workspaces = {"signalman": two.databricks, "signalman-validation": two.validation}

    for user, workspace in workspaces.items():
        assert {one.user for one in calls(workspace)[1] if one.user} == {user}
        assert [one.path for one in calls(workspace)[1] if one.status in (401, 403)] == []


def test_what_a_pull_request_registers_is_in_the_validation_registry_only(
    theft: tuple[PullRequest, int], deployed: Bot
) -> None:
    assert versions(deployed, "validation", "thief_model") == ["1"]
    assert versions(deployed, "production", "thief_model") == []


# -- a merge and a promotion


@pytest.fixture(scope="module")
def merged(deployed: Bot, two: World) -> tuple[PullRequest, dict[str, int]]:
    """A pull request that was validated and merged, and how many calls each workspace had met
    before the merge.
    """
    wanted = (
        two.azure.read("config/mlops.yml")
        .decode()
        .replace("model: quick_wine", "model: merged_model")
    )
    two.azure.push(
        "main", {"config/mlops.yml": wanted}, "Train a model that the job follows", base="main"
    )
    hook = "# Databricks notebook source\nprint('merged')\n"
    pr = opened(deployed, "merged", in_mode(deployed, "better") | {"mlflow_hooks/merged.py": hook})
    deployed.settle()
    assert pr.status == "succeeded", pr.report
    before = {"production": len(two.databricks.calls), "validation": len(two.validation.calls)}
    two.azure.complete(pr.number)
    deployed.settle()
    return pr, before


def of_the_workspace(every: list[Exchange]) -> list[str]:
    """Changes of notebooks, files and jobs.

    What a merge measured is noted in the validation workspace's MLflow, in an experiment that lies
    in a folder.
    """
    return [one for one in changes(every) if "/mlflow/" not in one and not one.endswith("/mkdirs")]


def test_a_merge_is_written_to_production_and_not_to_validation(
    merged: tuple[PullRequest, dict[str, int]], two: World
) -> None:
    _, before = merged

    assert "/Shared/mlflow_hooks/merged" in two.databricks.tree()
    assert "/Shared/mlflow_hooks/merged" not in two.validation.tree()
    assert "POST /api/2.0/workspace/import" in of_the_workspace(
        calls(two.databricks, before["production"])[1]
    )
    assert of_the_workspace(calls(two.validation, before["validation"])[1]) == []
    assert two.validation.jobs() == []
    assert [job["settings"]["name"] for job in two.databricks.jobs()] == ["nightly"]


def points_at(two: World) -> tuple[str | None, str | None]:
    (job,) = two.databricks.jobs()
    found = {one["name"]: one["default"] for one in job["settings"]["parameters"]}
    return found.get("model_name"), found.get("model_version")


def test_promoting_in_the_validation_registry_moves_nothing(
    merged: tuple[PullRequest, dict[str, int]], deployed: Bot, two: World
) -> None:
    before = points_at(two)

    two.validation.transition("merged_model", 1, "Production")
    deployed.sweep()

    assert versions(deployed, "validation", "merged_model") == ["1"]
    assert points_at(two) == before


def test_a_retraining_brings_what_was_merged_to_production_where_it_is_promoted(
    merged: tuple[PullRequest, dict[str, int]], deployed: Bot, two: World
) -> None:
    pr, _ = merged
    here, there = len(two.databricks.runs()), len(two.validation.runs())

    thread = asked_for(deployed, pr)
    deployed.settle()
    two.databricks.transition("merged_model", 1, "Production")
    deployed.settle()

    (told,) = answers(deployed, pr, thread)
    assert "`merged_model` **v1** is registered" in told
    assert (len(two.databricks.runs()), len(two.validation.runs())) == (here + 1, there)
    assert versions(deployed, "production", "merged_model") == ["1"]
    assert points_at(two) == ("merged_model", "1")
    assert any(
        "`merged_model` **v1**" in reply and "job `nightly`" in reply for reply in pr.replies
    )


def test_whoever_copies_a_version_and_names_its_run_lets_the_bot_know_where_it_comes_from(
    theft: tuple[PullRequest, int], deployed: Bot
) -> None:
    pr, world = theft[0], deployed.services
    (repository,) = world.repositories.values()

    found = origins.judged(run_of(deployed, pr).id, repository, world)

    assert found is not None
    assert (found.pull_request, found.commit) == (pr.number, deployed.world.azure.tip("thief"))
    assert validated.doubt(found, repository.served.key, "main") is None


# -- on the bot's own machine


def test_on_the_bots_own_machine_a_project_finds_no_secret_in_the_bots_processes(
    two: World, tmp_path: Path
) -> None:
    code = "from bot.backends import launcher; print(launcher.fence())"
    if (
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout.strip()
        == b"0"
    ):
        pytest.skip("this kernel has no Landlock")
    plain = two.azure.read("config/mlops.yml").decode()
    two.azure.push(
        "main",
        {"config/mlops.yml": f"backend: local\n{plain}"},
        "Run on the bot's machine",
        base="main",
    )
    before = len(two.databricks.calls)
    bot = BotProcess(free_port(), tmp_path / "bot.log")
    # Its MLflow is one that needs no sign-in: what runs here has none.
    environment = two.environment(bot.url, tmp_path / "var", mlflow=two.mlflow.url)
    two.azure.push("thief_here", stealing(two), "Look around")
    pr = two.azure.open_pull_request("thief_here", title="Look around")
    bot.start({**environment, "BOT_CONFIG": str(CONFIG)})
    try:
        deadline = time.monotonic() + 120
        while not (
            ended := [
                one for one in two.azure.statuses(pr) if one["state"] in ("succeeded", "failed")
            ]
        ):
            assert time.monotonic() < deadline, bot.log.read_text()[-3000:]
            threading.Event().wait(0.5)
    finally:
        bot.stop()

    (run,) = [
        run
        for run in two.mlflow.call(
            "POST", "/api/2.0/mlflow/runs/search", {"experiment_ids": experiments(two)}
        )["runs"]
        if tags_of(run).get("signalman.pull_request") == str(pr)
    ]
    probes, others = calls(two.databricks, before)
    assert ended[0]["state"] == "succeeded", ended
    assert stolen(tags_of(run), {**of_production(two), "validation": two.keys.validation}) == []
    assert len(probes) > 20
    assert {one.status for one in probes} <= {401, 403}
    assert {one.user for one in others if one.path.startswith("/api/")} == {"signalman"}
    assert "/Shared/owned.txt" not in two.databricks.tree()


def experiments(two: World) -> list[str]:
    every = two.mlflow.call("POST", "/api/2.0/mlflow/experiments/search", {"max_results": 1000})[
        "experiments"
    ]
    return [one["experiment_id"] for one in every]
