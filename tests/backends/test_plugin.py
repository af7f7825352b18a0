"""`databricks-jobs` as everybody uses it who has MLflow: from the command line, and from Python."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sandbox.world import World
from tests.bot_in_process import CONTENT

pytestmark = pytest.mark.slow

QUICK = CONTENT / "projects" / "quick"
MLFLOW = Path(sys.executable).with_name("mlflow")
CANCELS = """
import sys
import mlflow.projects
run = mlflow.projects.run(sys.argv[1], parameters={"mode": "for ever"}, backend="databricks-jobs",
                          backend_config=sys.argv[2], experiment_name="/Shared/plugin_python", synchronous=False)
assert run.get_status() == mlflow.entities.RunStatus.RUNNING
run.cancel()
print("RUN", run.run_id)
"""  # noqa: E501 a table, or a text as it is sent


def environment(world: World, home: Path, **more: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "DATABRICKS_HOST": world.databricks.url,
        "DATABRICKS_TOKEN": world.keys.person,
        "MLFLOW_TRACKING_URI": "databricks",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        **more,
    }


def mlflow_run(
    world: World, home: Path, experiment: str, *words: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    command = [
        str(MLFLOW),
        "run",
        str(QUICK),
        "-b",
        "databricks-jobs",
        "--experiment-name",
        f"/Shared/{experiment}",
    ]
    return subprocess.run(
        [*command, *words],
        env=environment(world, home, **variables),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def run_of(world: World, experiment: str) -> dict[str, Any]:
    """The one MLflow run of an experiment."""
    path = f"/api/2.0/mlflow/experiments/get-by-name?experiment_name=/Shared/{experiment}"
    found = world.mlflow.call("GET", path)["experiment"]["experiment_id"]
    (run,) = world.mlflow.call("POST", "/api/2.0/mlflow/runs/search", {"experiment_ids": [found]})[
        "runs"
    ]
    return dict(run)


def tags_of(run: dict[str, Any]) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in run["data"]["tags"]}


def test_mlflow_run_runs_a_project_on_databricks_and_closes_its_run(
    world: World, tmp_path: Path
) -> None:
    config = str(QUICK / "cluster.json")

    done = mlflow_run(
        world,
        tmp_path,
        "plugin_good",
        "--backend-config",
        config,
        "-P",
        "model_name=plugin_model",
        "-P",
        "mode=fine",
    )

    assert done.returncode == 0, done.stderr
    run = run_of(world, "plugin_good")
    assert run["info"]["status"] == "FINISHED"
    assert {metric["key"] for metric in run["data"]["metrics"]} == {"rmse"}
    assert {one["key"]: one["value"] for one in run["data"]["params"]} == {
        "model_name": "plugin_model",
        "mode": "fine",
    }
    tags = tags_of(run)
    (cluster_run,) = (
        one
        for one in world.databricks.runs()
        if str(one["run_id"]) == tags["mlflow.databricks.shellJobRunID"]
    )
    assert tags["mlflow.databricks.runURL"] == cluster_run["run_page_url"]
    assert tags["mlflow.project.backend"] == "databricks-jobs"
    assert cluster_run["tasks"][0]["new_cluster"]["node_type_id"] == "Standard_D4ds_v5"


def test_mlflow_run_fails_when_the_project_does_and_says_why(world: World, tmp_path: Path) -> None:
    done = mlflow_run(world, tmp_path, "plugin_bad", "-P", "mode=raises")

    assert done.returncode == 1
    assert "KeyError: 'alcohol'" in done.stderr
    assert "Traceback" not in done.stderr
    assert run_of(world, "plugin_bad")["info"]["status"] == "FAILED"


def test_a_run_that_cannot_be_submitted_leaves_no_open_run_behind(
    world: World, tmp_path: Path
) -> None:
    config = tmp_path / "cluster.json"
    config.write_text('{"spark_version": "17.3.x-cpu-ml-scala2.13"}')

    done = mlflow_run(world, tmp_path, "plugin_refused", "--backend-config", str(config))

    assert done.returncode == 1
    assert "node_type_id" in done.stderr
    assert run_of(world, "plugin_refused")["info"]["status"] == "FAILED"


def test_without_an_address_it_says_what_to_set(world: World, tmp_path: Path) -> None:
    done = mlflow_run(
        world, tmp_path, "plugin_nowhere", DATABRICKS_HOST="", MLFLOW_TRACKING_URI=world.mlflow.url
    )

    assert done.returncode == 1
    assert "DATABRICKS_HOST is not set" in done.stderr


def test_a_run_started_from_python_is_cancelled_and_its_mlflow_run_killed(
    world: World, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CANCELS, str(QUICK), str(QUICK / "cluster.json")],
        env=environment(world, tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    run = run_of(world, "plugin_python")
    assert run["info"]["run_id"] == done.stdout.split("RUN ")[1].strip()
    assert run["info"]["status"] == "KILLED"
    ended = world.databricks.wait(int(tags_of(run)["mlflow.databricks.shellJobRunID"]), 30)
    assert ended["state"]["result_state"] == "CANCELED"
