"""MLflow's own `databricks` backend, for runtimes before 13 ML that still run it.

MLflow submits from a process of its own, because its project API is global to a
process; looking and cancelling go through the Jobs API, because MLflow shows
skipped runs as running for ever. It has no idempotency token, so an answer that
is lost may start a run twice; `databricks-jobs` does not have that fault.
"""

import json
import os
import subprocess
import sys

from bot.backends import project
from bot.backends.databricks_jobs import DatabricksJobs
from bot.backends.run import Sight, Submission
from bot.errors import ProjectError, ServiceError
from bot.services.databricks import Databricks

_LONGEST_SUBMIT = 180.0
_CREDENTIALS = ("MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")

# Runs in a process of its own: reads what to submit from its standard input, says the Databricks run's id.
_SUBMIT = """
import json, sys
from mlflow import MlflowClient
from mlflow.projects.databricks import run_databricks
order = json.load(sys.stdin)
# Not `mlflow.projects.run`, which gives every submission of this backend an MLflow run of its own
# (mlflow/projects/__init__.py, `_run`). The cluster installs the project's libraries: no second environment there.
run = run_databricks(
    remote_run=MlflowClient().get_run(order["run"]), uri=order["name"], entry_point=order["entry_point"],
    work_dir=order["folder"], parameters=order["parameters"], experiment_id=order["experiment"],
    cluster_spec=order["cluster"], env_manager="local")
print(json.dumps({"run": run._databricks_run_id}))
"""


class DatabricksMlflow:
    """Runs on one workspace, submitted by MLflow."""

    def __init__(self, databricks: Databricks, tracking_uri: str) -> None:
        self._databricks = databricks
        self._jobs = DatabricksJobs(databricks)
        self._tracking_uri = tracking_uri

    def submit(self, submission: Submission) -> str:
        """Let MLflow upload and submit the project."""
        found = project.read(submission.folder)
        project.command(found, submission.entry_point, submission.parameters)
        order = {
            "name": submission.name,
            "folder": str(submission.folder),
            "entry_point": submission.entry_point,
            "parameters": dict(submission.parameters),
            "cluster": {"new_cluster": dict(submission.cluster), "libraries": list(found.libraries)},
            "experiment": submission.environment["MLFLOW_EXPERIMENT_ID"],
            "run": submission.environment["MLFLOW_RUN_ID"],
        }
        done = subprocess.run(
            [sys.executable, "-c", _SUBMIT],
            input=json.dumps(order),
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                "HOME": str(submission.folder),
                "DATABRICKS_HOST": self._databricks.host,
                "DATABRICKS_TOKEN": self._databricks.bearer(),
                **{name: os.environ[name] for name in _CREDENTIALS if name in os.environ},
                "MLFLOW_TRACKING_URI": self._tracking_uri,
                "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
                "MLFLOW_DISABLE_TELEMETRY": "true",
            },
            capture_output=True,
            text=True,
            timeout=_LONGEST_SUBMIT,
            check=False,
        )
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no reason given"])[-1][:300]
            kind = ProjectError if "ExecutionException" in last else None
            if kind is not None:
                raise kind(last)
            raise ServiceError("Databricks", f"MLflow could not submit the project: {last}")
        return str(json.loads(done.stdout.strip().splitlines()[-1])["run"])

    def look(self, run: str) -> Sight:
        """Read the run from the Jobs API."""
        return self._jobs.look(run)

    def cancel(self, run: str) -> None:
        """Stop the run on Databricks."""
        self._jobs.cancel(run)
