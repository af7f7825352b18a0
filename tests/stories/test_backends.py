"""Pull requests on every backend, and on a workspace that is also the MLflow server, seen from
outside.

These bots hear nothing unless it is said: the sweep finds their pull requests.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from sandbox.databricks import Databricks
from sandbox.mlflow_server import MlflowServer
from sandbox.world import World
from tests.bot_in_process import CONTENT, Bot, start_bot
from tests.stories.test_pull_requests import in_mode, opened

pytestmark = pytest.mark.slow

BOTH = {"projects/quick/note.md": "x", "projects/quick_scoring/note.md": "x"}


class Deployed:
    """A world whose operator has set some variables otherwise."""

    def __init__(self, world: World, **variables: str) -> None:
        self._world = world
        self._variables = variables

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world, name)

    def environment(self, bot_url: str, var: Path, *, mlflow: str | None = None) -> dict[str, str]:
        return {**self._world.environment(bot_url, var, mlflow=mlflow), **self._variables}


@pytest.fixture(scope="module")
def own_world(
    tmp_path_factory: pytest.TempPathFactory, mlflow_server: MlflowServer
) -> Iterator[World]:
    """A world that no other story's bot looks at."""
    with World(
        tmp_path_factory.mktemp("backends"), CONTENT, slots=4, mlflow=mlflow_server
    ) as started:
        yield started


@pytest.fixture
def deploy(own_world: World, tmp_path: Path) -> Iterator[Callable[..., Bot]]:
    """Start a bot with a `backend`, an MLflow address and variables."""
    servers = []

    def start(backend: str, mlflow: str | None = None, **variables: str) -> Bot:
        plain = (CONTENT / "config" / "mlops.yml").read_text()
        own_world.azure.push(
            "main", {"config/mlops.yml": f"backend: {backend}\n{plain}"}, f"Use {backend}"
        )
        bot, server = start_bot(
            cast(World, Deployed(own_world, **variables)), tmp_path / "bot", mlflow=mlflow
        )
        servers.append(server)
        return bot

    yield start
    for server in servers:
        server.shutdown()


def test_a_pull_request_is_validated_by_processes_of_this_machine(
    deploy: Callable[..., Bot], own_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_DEVOPS_TOKEN", "canary-4711")
    bot = deploy("local")

    pr = opened(bot, "on_this_machine", BOTH)
    bot.sweep()

    assert pr.status == "succeeded"
    assert [one["state"] for one in pr.statuses] == ["pending", "succeeded"]
    assert "`rmse`" in pr.report
    assert pr.report.count("[MLflow run](") == 2
    assert bot.ends(pr) == {"FINISHED"}
    assert own_world.databricks.runs() == []


@pytest.mark.parametrize(
    ("mode", "reason"), [("raises", "KeyError: 'alcohol'"), ("exits", "exit code 3")]
)
def test_a_project_that_fails_on_this_machine_is_told_so(
    deploy: Callable[..., Bot], mode: str, reason: str
) -> None:
    bot = deploy("local")

    pr = opened(bot, f"on_this_machine_{mode}", in_mode(bot, mode))
    bot.sweep()

    assert pr.status == "failed"
    assert reason in pr.report.splitlines()[2]
    assert bot.ends(pr) == {"FAILED"}


def test_a_newer_commit_stops_the_older_process(deploy: Callable[..., Bot]) -> None:
    bot = deploy("local")
    pr = opened(bot, "on_this_machine_again", in_mode(bot, "for ever"))
    bot.worker.sweep()
    while pr.status != "pending" or not bot.mlflow_runs(pr):
        bot.worker.step(ahead=60)
    bot.world.azure.push("on_this_machine_again", in_mode(bot, "fine"), "Do not wait")
    bot.sweep()

    assert pr.status == "succeeded"
    assert sorted(bot.ends(pr, every=True)) == ["FINISHED", "KILLED"]


def test_no_secret_of_the_bot_reaches_a_process_of_this_machine(
    deploy: Callable[..., Bot], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_DEVOPS_TOKEN", "canary-4711")
    bot = deploy("local")

    pr = opened(bot, "on_this_machine_curious", in_mode(bot, "tells all"))
    bot.sweep()

    (output,) = (bot.settings.var / "runs").glob("*/output.log")
    variables = [line for line in output.read_text().splitlines() if line.startswith("variable ")]
    assert pr.status == "succeeded"
    assert any(line.startswith("variable MLFLOW_RUN_ID ") for line in variables)
    for secret in ("canary-4711", *vars(bot.world.keys).values()):
        assert not any(secret in line for line in variables)


def test_a_pull_request_is_validated_by_mlflows_own_backend(
    deploy: Callable[..., Bot], own_world: World, tmp_path: Path
) -> None:
    tokens = {"dapi-old": "signalman"}
    with Databricks(
        tmp_path / "old", tokens=tokens, mlflow_url=own_world.mlflow.url, dbfs_root=True
    ) as old:
        bot = deploy(
            "databricks", DATABRICKS_VALIDATION_HOST=old.url, DATABRICKS_VALIDATION_TOKEN="dapi-old"
        )

        pr = opened(bot, "on_an_old_workspace", in_mode(bot, "fine"))
        bot.worker.sweep()
        bot.settle(180.0)

        (run,) = old.runs()
        assert pr.status == "succeeded"
        assert "`rmse`" in pr.report
        assert f"[run page]({run['run_page_url'].partition('?')[0]}" in pr.report
        assert "on_an_old_workspace_model" in pr.report
        assert bot.ends(pr) == {"FINISHED"}


def test_one_workspace_can_be_everything_promotion_by_stage_included(
    deploy: Callable[..., Bot], own_world: World
) -> None:
    bot = deploy("databricks-jobs", mlflow="databricks")
    own_world.databricks.subscribe_bot(
        f"{bot.url}/webhooks/databricks", own_world.keys.databricks_hooks
    )

    pr = opened(bot, "all_databricks", BOTH)
    bot.sweep()
    validated = (pr.status, pr.report)
    own_world.databricks.transition("all_databricks_model", 1, "Production")
    bot.settle()

    (job,) = own_world.databricks.jobs()
    parameters = {one["name"]: one["default"] for one in job["settings"]["parameters"]}
    assert validated[0] == "succeeded", validated[1]
    assert f"{own_world.databricks.url}/ml/experiments/" in validated[1]
    assert bot.ends(pr) == {"FINISHED"}
    assert (parameters["model_name"], parameters["model_version"]) == ("all_databricks_model", "1")
    assert job["settings"]["tags"]["signalman_commit"] == own_world.azure.tip("all_databricks")
    (told,) = pr.replies
    assert "**v1**" in told
    assert "stage Production" in told
