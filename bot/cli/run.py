"""`run`: a project of this checkout, run as a pull request would run it."""

import getpass
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from git import Repo
from rich.console import Console

from bot.backends import cluster
from bot.backends.databricks_jobs import DatabricksJobs
from bot.backends.local import Local
from bot.backends.run import MLFLOW_STATUS, Backend, RunStatus, Submission
from bot.config import environment, repository, yaml_file
from bot.config.repository import MLOPS_FILE, Mlops, Project
from bot.errors import ConfigError
from bot.services.databricks_sdk import DatabricksSdk

if TYPE_CHECKING:
    from mlflow import MlflowClient


def run(
    root: Path, name: str, given: Mapping[str, str], backend_name: str | None, console: Console
) -> bool:
    """Run a project by name or path and wait for it; True when it succeeded. Raises ConfigError,
    ProjectError.
    """
    mlops = yaml_file.parse(Mlops, (root / MLOPS_FILE).read_text(encoding="utf-8"), MLOPS_FILE)
    project = _project(mlops, name)
    branch = Repo(root).active_branch.name.replace("/", "_")
    chosen = backend_name or project.backend or mlops.backend
    backend = _backend(chosen, root)
    # Imported here: it takes seconds, which nobody is to wait for who made a mistake.
    from mlflow import MlflowClient

    tracking, registry = _mlflow_addresses(root)
    client = MlflowClient(tracking, registry)
    experiment_name = repository.fill(mlops.experiment, user=getpass.getuser(), branch=branch)
    experiment_id = _experiment(client, experiment_name)
    mlflow_run = client.create_run(experiment_id, run_name=project.name).info.run_id
    submission = _submission(
        root,
        project,
        local=chosen == "local",
        parameters=_parameters(project, branch, given),
        environment={
            "MLFLOW_RUN_ID": mlflow_run,
            "MLFLOW_EXPERIMENT_ID": experiment_id,
            "MLFLOW_TRACKING_URI": tracking,
            "MLFLOW_REGISTRY_URI": registry,
        },
    )
    ended = _wait(backend, backend.submit(submission), project.name, console)
    status = MLFLOW_STATUS[ended.outcome or "failed"]
    client.set_terminated(mlflow_run, status, int(time.time() * 1000))
    console.print(ended.log, markup=False, highlight=False)
    if ended.outcome == "succeeded":
        _tell_metrics(project.name, mlflow_run, client, console)
        return True
    console.print(f"{project.name} {ended.outcome}: {ended.reason}", style="red", markup=False)
    return False


def _tell_metrics(name: str, mlflow_run: str, client: "MlflowClient", console: Console) -> None:
    metrics = client.get_run(mlflow_run).data.metrics
    shown = ", ".join(f"{key} {value:.4g}" for key, value in sorted(metrics.items()))
    sentence = f"{name} succeeded: {shown or 'no metrics'} (MLflow run {mlflow_run})"
    console.print(sentence, markup=False)


def _project(mlops: Mlops, name: str) -> Project:
    for project in mlops.projects:
        if name.rstrip("/") in (project.path, project.name):
            return project
    names = ", ".join(project.name for project in mlops.projects)
    raise ConfigError(f"{MLOPS_FILE} names no project {name}; it names {names}.")


def _mlflow_addresses(root: Path) -> tuple[str, str]:
    """Where runs are logged and models registered: in a file of this checkout, unless told
    otherwise.
    """
    (root / "var").mkdir(exist_ok=True)
    tracking = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root / 'var' / 'mlflow.db'}"
    return tracking, os.environ.get("MLFLOW_REGISTRY_URI") or tracking


def _experiment(client: "MlflowClient", name: str) -> str:
    """The id of the experiment of that name, which is made when there is none."""
    experiment = client.get_experiment_by_name(name)
    if experiment:
        return str(experiment.experiment_id)
    return str(client.create_experiment(name))


def _submission(
    root: Path,
    project: Project,
    *,
    local: bool,
    parameters: Mapping[str, str],
    environment: Mapping[str, str],
) -> Submission:
    folder = root / project.path
    machines: Mapping[str, Any] = {}
    if not local:
        machines = cluster.cluster(folder, project.cluster)
    return Submission(
        token=uuid4().hex,
        name=f"{project.name} by {getpass.getuser()}",
        folder=folder,
        entry_point=project.entry_point,
        parameters=parameters,
        cluster=machines,
        timeout=project.timeout,
        environment=environment,
        tags={},
    )


def _backend(name: str, root: Path) -> Backend:
    if name == "local":
        return Local(root / "var" / "runs")
    if not (os.environ.get("DATABRICKS_VALIDATION_HOST") or os.environ.get("DATABRICKS_HOST")):
        raise ConfigError(
            "DATABRICKS_HOST is not set. Set it, or run the project here with --backend local."
        )
    return DatabricksJobs(DatabricksSdk(environment.where_projects_run(os.environ)))


def _parameters(project: Project, branch: str, given: Mapping[str, str]) -> dict[str, str]:
    if project.model:
        model = repository.fill(project.model, branch=branch)
    else:
        model = given.get("model_name", f"{branch}_model")
    names = {"branch": branch, "model_name": model}
    parameters = {
        key: repository.fill(str(value), **names) for key, value in project.parameters.items()
    }
    parameters.update(given)
    unfilled = [key for key, value in parameters.items() if _is_placeholder(value)]
    if unfilled:
        raise ConfigError(
            f"{project.name} needs {', '.join(unfilled)}; give it as -P {unfilled[0]}=..."
        )
    return parameters


def _is_placeholder(value: str) -> bool:
    return value.startswith("{") and value.endswith("}")


def _wait(backend: Backend, run: str, name: str, console: Console) -> RunStatus:
    began = datetime.now(UTC)
    with console.status(f"{name} is running") as status:
        while (so_far := backend.look(run)).outcome is None:
            seconds = (datetime.now(UTC) - began).seconds
            status.update(f"{name} is running, {seconds} s {so_far.page}")
            time.sleep(0.5)
    return so_far
