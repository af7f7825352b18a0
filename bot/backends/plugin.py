"""The backend as a plugin of MLflow: `mlflow run projects/X -b databricks-jobs --backend-config
cluster.json`.

MLflow finds it by the entry point group `mlflow.project_backend`
(https://mlflow.org/docs/latest/ml/plugins). It signs in as databricks-sdk does
(DATABRICKS_HOST, DATABRICKS_TOKEN, profiles, ...).
"""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import click
from mlflow import MlflowClient
from mlflow.entities import RunStatus
from mlflow.exceptions import ExecutionException
from mlflow.projects.backend.abstract_backend import AbstractBackend
from mlflow.projects.submitted_run import SubmittedRun
from mlflow.projects.utils import fetch_and_validate_project, get_or_create_run, load_project

from bot.backends import cluster
from bot.backends.databricks_jobs import DatabricksJobs
from bot.backends.run import MLFLOW_STATUS, Backend, Submission
from bot.config.environment import WorkspaceAccess
from bot.errors import ProjectError, SignalmanError
from bot.services.databricks_sdk import DatabricksSdk


class Submitted(SubmittedRun):
    """A run on its way; `wait` closes the MLflow run with the true outcome."""

    def __init__(self, backend: Backend, run: str, mlflow_run: str, client: MlflowClient) -> None:
        super().__init__()
        self._backend = backend
        self._run = run
        self._mlflow_run = mlflow_run
        self._client = client

    @property
    def run_id(self) -> str:
        """The MLflow run's id."""
        return self._mlflow_run

    def get_status(self) -> Any:
        """The state of the run in MLflow's terms; once it has ended, the MLflow run is closed with
        it.
        """
        seen = self._backend.look(self._run)
        if seen.outcome is None:
            return RunStatus.RUNNING
        status = MLFLOW_STATUS[seen.outcome]
        if self._client.get_run(self._mlflow_run).info.status != status:
            ended = int((seen.ended or datetime.now(UTC)).timestamp() * 1000)
            self._client.set_terminated(self._mlflow_run, status, ended)
        return RunStatus.from_string(status)

    def wait(self, every: float = 2.0, sleep: Callable[[float], None] = time.sleep) -> bool:
        """Look every so many seconds until the run has ended; True when it succeeded."""
        while not RunStatus.is_terminated(status := self.get_status()):
            sleep(every)
        return bool(status == RunStatus.FINISHED)

    def wait_or_fail(self) -> None:
        """Wait; ProjectError with the reason when the run did not succeed. An interruption cancels
        it.
        """
        try:
            if not self.wait():
                seen = self._backend.look(self._run)
                raise ProjectError(
                    f"The run did not succeed ({seen.outcome}): {seen.reason or '?'} See "
                    f"{seen.page}"
                )
        except KeyboardInterrupt:
            self.cancel()
            raise

    def cancel(self) -> None:
        """Stop the run and close the MLflow run."""
        self._backend.cancel(self._run)
        self._client.set_terminated(self._mlflow_run, "KILLED")


class DatabricksJobsBackend(AbstractBackend):
    """What MLflow calls."""

    def run(
        self,
        project_uri: str,
        entry_point: str,
        params: dict[str, Any] | None,
        version: str | None,
        backend_config: dict[str, Any] | str | None,
        tracking_uri: str,
        experiment_id: str,
    ) -> Submitted:
        """Submit a project; the configuration is the cluster, or `{"new_cluster": ..., "timeout":
        seconds}`.

        Under `mlflow run` it also waits, because the command itself waits for MLflow's own backends
        only. Raises ExecutionException, which the command shows as a sentence, with exit code 1.
        """
        try:
            submitted = self._submit(
                project_uri,
                entry_point,
                params,
                version,
                backend_config,
                tracking_uri,
                experiment_id,
            )
            if click.get_current_context(silent=True) is not None:
                submitted.wait_or_fail()
        except SignalmanError as error:
            raise ExecutionException(str(error)) from error
        return submitted

    def _submit(
        self,
        project_uri: str,
        entry_point: str,
        params: dict[str, Any] | None,
        version: str | None,
        backend_config: dict[str, Any] | str | None,
        tracking_uri: str,
        experiment_id: str,
    ) -> Submitted:
        workspace = _workspace()
        params = params or {}
        folder = Path(fetch_and_validate_project(project_uri, version, entry_point, params))
        load_project(str(folder))
        settings: dict[str, Any] = {}
        if isinstance(backend_config, dict):
            settings = dict(backend_config)
        machines = settings.get("new_cluster") or _cluster(settings) or cluster.cluster(folder)
        mlflow_run = get_or_create_run(
            None, project_uri, experiment_id, str(folder), version, entry_point, params
        ).info.run_id
        submission = Submission(
            token=uuid4().hex,
            name=f"mlflow run {folder.name}",
            folder=folder,
            entry_point=entry_point,
            parameters={key: str(value) for key, value in params.items()},
            cluster=machines,
            timeout=float(settings.get("timeout") or 3600),
            environment={
                "MLFLOW_RUN_ID": mlflow_run,
                "MLFLOW_EXPERIMENT_ID": experiment_id,
                "MLFLOW_TRACKING_URI": tracking_uri,
                "MLFLOW_REGISTRY_URI": os.environ.get("MLFLOW_REGISTRY_URI", tracking_uri),
            },
            tags={},
        )
        backend = DatabricksJobs(DatabricksSdk(workspace))
        return _handed_over(submission, backend, mlflow_run, MlflowClient(tracking_uri))


def _workspace() -> WorkspaceAccess:
    host = os.environ.get("DATABRICKS_HOST", "")
    if not host:
        raise ProjectError(
            "DATABRICKS_HOST is not set; the backend databricks-jobs runs projects there."
        )
    return WorkspaceAccess(host.rstrip("/"), ())


def _handed_over(
    submission: Submission, backend: Backend, mlflow_run: str, client: MlflowClient
) -> Submitted:
    """Submit, and let the MLflow run show where; it is closed at once when nothing was started."""
    try:
        run = backend.submit(submission)
    except BaseException:
        client.set_terminated(mlflow_run, "FAILED")
        raise
    client.set_tag(mlflow_run, "mlflow.databricks.shellJobRunID", run)
    client.set_tag(mlflow_run, "mlflow.databricks.runURL", backend.look(run).page)
    return Submitted(backend, run, mlflow_run, client)


def _cluster(settings: dict[str, Any]) -> dict[str, Any]:
    # MLflow adds keys of its own, in capitals, to the configuration it was given.
    own = ("build_image", "docker_auth", "timeout", "libraries")
    return {key: value for key, value in settings.items() if not key.isupper() and key not in own}


def backend() -> DatabricksJobsBackend:
    """What the entry point names."""
    return DatabricksJobsBackend()
