"""MLflow's own backend `databricks`, end to end: on a workspace as they were when it still
worked.
"""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from example_project import CLUSTER, MAIN, ended, project, submission
from pydantic import SecretStr

from bot.backends.databricks_mlflow import DatabricksMlflow
from bot.backends.run import Submission
from bot.config.environment import WorkspaceAccess as Access
from bot.errors import ProjectError, ServiceError
from bot.services.databricks_sdk import DatabricksSdk
from bot.services.mlflow import Mlflow
from sandbox.databricks import Databricks as WorkspaceAccess
from sandbox.world import World
from tests.bot_in_process import CONTENT

pytestmark = pytest.mark.slow

SUBMIT = "/api/2.0/jobs/runs/submit"
QUICK = CONTENT / "projects" / "quick"
# The process that submits has the bot's token, so nothing of the project's folder may be imported
# there.
SPY = "import os, pathlib\npathlib.Path({witness!r}).write_text(str(dict(os.environ)))\n"


@pytest.fixture(scope="module")
def workspace(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkspaceAccess]:
    folder = tmp_path_factory.mktemp("old-workspace")
    tokens = {"dapi-bot": "signalman"}
    with WorkspaceAccess(
        folder, tokens=tokens, mlflow_url=world.mlflow.url, dbfs_root=True
    ) as started:
        yield started


@pytest.fixture
def backend(workspace: WorkspaceAccess) -> DatabricksMlflow:
    return DatabricksMlflow(client(workspace), "databricks")


def client(workspace: WorkspaceAccess) -> DatabricksSdk:
    return DatabricksSdk(Access(workspace.url, (SecretStr("dapi-bot"),)))


def mlflow(workspace: WorkspaceAccess) -> Mlflow:
    return Mlflow(workspace.url, sign_in=lambda: "dapi-bot", workspace=True)


def prepared(workspace: WorkspaceAccess, folder: Path, **more: Any) -> Submission:
    """A submission for an MLflow run that the bot has created."""
    runs = mlflow(workspace)
    experiment = runs.make_experiment("/Shared/mlflows_own_backend", {})
    run = runs.start(experiment, "a run", datetime.now(UTC), {})
    return submission(
        folder, environment={"MLFLOW_RUN_ID": run, "MLFLOW_EXPERIMENT_ID": experiment}, **more
    )


def test_a_project_runs_under_the_run_that_the_bot_created(
    workspace: WorkspaceAccess, backend: DatabricksMlflow
) -> None:
    asked = prepared(
        workspace,
        QUICK,
        parameters={"model_name": "own backend model"},
        token="a good one",
        timeout=180.0,
    )

    run = backend.submit(asked)
    again = backend.submit(asked)
    seen = ended(backend, run, 180)

    assert run == again
    assert (seen.outcome, seen.reason) == ("succeeded", "")
    assert f"/runs/{run}" in seen.page
    found = mlflow(workspace).run(asked.environment["MLFLOW_RUN_ID"])
    assert found.metrics == {"rmse": 0.5}
    assert found.status == "FINISHED"
    assert mlflow(workspace).registered_by(found.id) == ("own backend model", "1")


def test_a_project_that_fails_is_seen_with_its_log(
    workspace: WorkspaceAccess, backend: DatabricksMlflow
) -> None:
    asked = prepared(
        workspace, QUICK, parameters={"mode": "exits"}, token="a bad one", timeout=180.0
    )

    run = backend.submit(asked)
    seen = ended(backend, run, 180)

    assert seen.outcome == "failed"
    assert "exit code" in seen.reason
    assert "mode exits" in seen.log
    assert b"mode exits" in backend.whole_log(run, asked.token).content
    assert backend.live_log(run, asked.token, 0).content == b""


def test_what_mlflow_leaves_out_of_a_submission_is_added(
    workspace: WorkspaceAccess, backend: DatabricksMlflow, tmp_path: Path
) -> None:
    machines = {**CLUSTER, "custom_tags": {"team": "ml"}}

    run = backend.submit(
        prepared(workspace, project(tmp_path / "project"), token="complete", cluster=machines)
    )
    backend.cancel(run)

    sent = [call.request for call in workspace.calls if call.path == SUBMIT][-1]
    assert (sent["idempotency_token"], sent["timeout_seconds"]) == ("complete", 60)
    assert sent["run_name"] == "signalman contoso/ml/models !7 example (fine)"
    # Nothing but the cluster: MLflow's own command adds keys of its own to it.
    assert sent["new_cluster"] == {
        **CLUSTER,
        "custom_tags": {"team": "ml", "signalman_pull_request": "7"},
    }
    assert [one["pypi"]["package"] for one in sent["libraries"]] == [
        "mlflow==3.17.2",
        "scikit-learn==1.9.1",
        "mlflow==3.17.2",
    ]
    assert ended(backend, run).outcome == "cancelled"


def test_nothing_of_the_project_is_run_where_the_token_is(
    workspace: WorkspaceAccess, backend: DatabricksMlflow, tmp_path: Path
) -> None:
    witness = tmp_path / "witness"
    folder = project(tmp_path / "project", **{"main.py": MAIN})
    site = folder / ".local" / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    site.mkdir(parents=True)
    for name in ("usercustomize.py", "sitecustomize.py", "mlflow.py"):
        (site / name).write_text(SPY.format(witness=str(witness)))
        (folder / name).write_text(SPY.format(witness=str(witness)))
    (folder / ".databrickscfg").write_text("[DEFAULT]\nhost = http://127.0.0.1:1\ntoken = theirs\n")

    backend.cancel(backend.submit(prepared(workspace, folder, token="spy")))

    assert not witness.exists()


def test_a_workspace_without_a_dbfs_root_is_told_in_so_many_words(
    world: World, tmp_path: Path
) -> None:
    backend = DatabricksMlflow(
        DatabricksSdk(Access(world.databricks.url, (SecretStr(world.keys.validation),))),
        "databricks",
    )
    asked = submission(
        project(tmp_path / "project"),
        environment={"MLFLOW_RUN_ID": "0" * 32, "MLFLOW_EXPERIMENT_ID": "0"},
    )

    with pytest.raises((ProjectError, ServiceError), match="DBFS root is disabled"):
        backend.submit(asked)
