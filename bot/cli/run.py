"""`run`: a project of this checkout, run as a pull request would run it."""

import getpass
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
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


def run(
    root: Path, name: str, given: Mapping[str, str], backend_name: str | None, console: Console
) -> bool:
    """Run a project by name or path and wait for it; True when it succeeded. Raises ConfigError,
    ProjectError.
    """
    wanted = yaml_file.parse(Mlops, (root / MLOPS_FILE).read_text(encoding="utf-8"), MLOPS_FILE)
    found = next(
        (
            project
            for project in wanted.projects
            if name.rstrip("/") in (project.path, project.name)
        ),
        None,
    )
    if found is None:
        raise ConfigError(
            f"{MLOPS_FILE} names no project {name}; it names "
            f"{', '.join(project.name for project in wanted.projects)}."
        )
    branch = Repo(root).active_branch.name.replace("/", "_")
    chosen = backend_name or found.backend or wanted.backend
    backend = _backend(chosen, root)
    # Imported here: the other commands do without MLflow, which takes seconds.
    from mlflow import MlflowClient

    tracking = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root / 'var' / 'mlflow.db'}"
    registry = os.environ.get("MLFLOW_REGISTRY_URI") or tracking
    (root / "var").mkdir(exist_ok=True)
    client = MlflowClient(tracking, registry)
    experiment_name = repository.fill(wanted.experiment, user=getpass.getuser(), branch=branch)
    experiment = client.get_experiment_by_name(experiment_name)
    if experiment:
        experiment_id = experiment.experiment_id
    else:
        experiment_id = client.create_experiment(experiment_name)
    mlflow_run = client.create_run(experiment_id, run_name=found.name).info.run_id
    submission = Submission(
        token=uuid4().hex,
        name=f"{found.name} by {getpass.getuser()}",
        folder=root / found.path,
        entry_point=found.entry_point,
        parameters=_parameters(found, branch, given),
        cluster={} if chosen == "local" else cluster.cluster(root / found.path, found.cluster),
        timeout=found.timeout,
        environment={
            "MLFLOW_RUN_ID": mlflow_run,
            "MLFLOW_EXPERIMENT_ID": experiment_id,
            "MLFLOW_TRACKING_URI": tracking,
            "MLFLOW_REGISTRY_URI": registry,
        },
        tags={},
    )
    seen = _wait(backend, backend.submit(submission), found.name, console)
    client.set_terminated(
        mlflow_run, MLFLOW_STATUS[seen.outcome or "failed"], int(time.time() * 1000)
    )
    console.print(seen.log, markup=False, highlight=False)
    if seen.outcome != "succeeded":
        console.print(f"{found.name} {seen.outcome}: {seen.reason}", style="red", markup=False)
        return False
    metrics = client.get_run(mlflow_run).data.metrics
    told = ", ".join(f"{key} {value:.4g}" for key, value in sorted(metrics.items()))
    console.print(
        f"{found.name} succeeded: {told or 'no metrics'} (MLflow run {mlflow_run})", markup=False
    )
    return True


def _backend(name: str, root: Path) -> Backend:
    if name == "local":
        return Local(root / "var" / "runs")
    if not (os.environ.get("DATABRICKS_VALIDATION_HOST") or os.environ.get("DATABRICKS_HOST")):
        raise ConfigError(
            "DATABRICKS_HOST is not set. Set it, or run the project here with --backend local."
        )
    return DatabricksJobs(DatabricksSdk(environment.where_projects_run(os.environ)))


def _parameters(found: Project, branch: str, given: Mapping[str, str]) -> dict[str, str]:
    if found.model:
        model = repository.fill(found.model, branch=branch)
    else:
        model = given.get("model_name", f"{branch}_model")
    names = {"branch": branch, "model_name": model}
    filled = {
        key: repository.fill(str(value), **names) for key, value in found.parameters.items()
    } | dict(given)
    open_ones = [
        key for key, value in filled.items() if value.startswith("{") and value.endswith("}")
    ]
    if open_ones:
        raise ConfigError(
            f"{found.name} needs {', '.join(open_ones)}; give it as -P {open_ones[0]}=..."
        )
    return filled


def _wait(backend: Backend, run: str, name: str, console: Console) -> RunStatus:
    began = datetime.now(UTC)
    with console.status(f"{name} is running") as status:
        while (seen := backend.look(run)).outcome is None:
            status.update(f"{name} is running, {(datetime.now(UTC) - began).seconds} s {seen.page}")
            time.sleep(0.5)
    return seen
