"""The hook notebooks, run as a job runs them: in the folder a merge synced, with widgets and
nothing else.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.projects.conftest import COMMIT, Workspace


def _small_project(workspace: Workspace, name: str, command: str) -> None:
    folder = workspace.shared / "projects" / name
    folder.mkdir(exist_ok=True)
    parameters = "{model_name: string, data: {default: toy}}"
    text = (
        f"entry_points:\n  main:\n    parameters: {parameters}\n    command: "
        f"{json.dumps(command)}\n"
    )
    (folder / "MLproject").write_text(text, encoding="utf-8")


def test_a_hook_runs_the_merged_commit_and_tags_the_run_with_it(
    workspace: Workspace, trained: dict[str, Any]
) -> None:
    run = workspace.client().get_run(trained["run_id"])

    assert run.data.tags["signalman.commit"] == COMMIT
    assert run.data.tags["signalman.repository"] == "contoso/ml/models"
    assert trained["commit"] == COMMIT
    experiment = workspace.client().get_experiment(run.info.experiment_id)
    assert experiment.name == trained["experiment"] == "/Shared/ExampleTrainingProject_expr"


def test_a_hook_answers_with_what_the_run_page_should_show(trained: dict[str, Any]) -> None:
    assert trained["model_name"] == "diabetes"
    assert trained["model_version"] == "1"
    assert set(trained["metrics"]) == {"rmse", "mae", "r2"}


def test_a_hook_leaves_the_synced_folder_as_it_was(
    workspace: Workspace, trained: dict[str, Any]
) -> None:
    files = {
        path.name for path in (workspace.shared / "projects" / "ExampleTrainingProject").iterdir()
    }

    assert files == {"MLproject", "cluster.json", "dataset.py", "train.py", "training_env.yaml"}


def test_scoring_ends_well_while_no_version_is_promoted(workspace: Workspace) -> None:
    ended = workspace.hook("mlflow_scoring_hook", model_name="diabetes", model_version="")

    assert ended.returncode == 0, ended.stderr
    assert (
        ended.stdout.strip()
        == "No version of diabetes has been promoted yet, so there is nothing to score."
    )


def test_a_failing_project_fails_the_notebook_with_its_own_reason(workspace: Workspace) -> None:
    _small_project(workspace, "Broken", "python -c \"{{}}['alcohol']\"")

    ended = workspace.hook("mlflow_training_hook", project="Broken", model_name="x")

    assert ended.returncode == 1
    assert (
        ended.stderr.splitlines()[-1]
        == "run_project.ProjectFailed: KeyError: 'alcohol' (exit code 1)"
    )
    experiment = workspace.client().get_experiment_by_name("/Shared/Broken_expr")
    (run,) = workspace.client().search_runs([experiment.experiment_id])
    assert run.info.status == "FAILED"


def test_a_value_with_shell_signs_stays_one_value(workspace: Workspace) -> None:
    _small_project(workspace, "Echo", "printf '%s|' {model_name} {data}")

    ended = workspace.hook(
        "mlflow_training_hook", project="Echo", model_name="a'; echo $HOME", data=""
    )

    assert "a'; echo $HOME|toy|" in ended.stdout


@pytest.mark.parametrize("name", ["../mlflow_hooks", "Missing"])
def test_a_project_that_was_not_synced_is_named(workspace: Workspace, name: str) -> None:
    ended = workspace.hook("mlflow_training_hook", project=name)

    assert ended.returncode == 1
    assert f"There is no project {name!r} in {workspace.shared / 'projects'}" in ended.stderr


def test_hooks_are_notebooks_and_what_they_share_is_a_module() -> None:
    headers = {
        path.name: path.read_text(encoding="utf-8").split("\n")[0]
        for path in Path("mlflow_hooks").glob("*.py")
    }

    notebooks = {name for name, line in headers.items() if line == "# Databricks notebook source"}

    assert notebooks == {"mlflow_training_hook.py", "mlflow_scoring_hook.py"}
    assert set(headers) - notebooks == {"run_project.py"}
