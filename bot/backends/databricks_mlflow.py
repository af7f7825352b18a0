"""MLflow's own `databricks` backend, for runtimes before 13 ML that still run it.

MLflow packs, uploads and submits in a process of its own, because it is global
to a process; looking and cancelling go through the Jobs API, because MLflow
shows skipped runs as running for ever. What MLflow leaves out of a submission
is added to it: the token that makes a second one the same run, and the limit.
"""

import json
import os
import subprocess
import sys
import tempfile

from bot.backends import project
from bot.backends.databricks_jobs import DatabricksJobs
from bot.backends.run import LogChunk, RunStatus, Submission
from bot.errors import ProjectError, ServiceError
from bot.services.databricks import Databricks

_LONGEST_SUBMIT = 180.0
_PASSED_ON = ("MLFLOW_REGISTRY_URI",)

# Runs in a process of its own: reads what to submit from its standard input, says the Databricks
# run's id. Not `mlflow.projects.run`: it gives every submission of this backend an MLflow run of
# its own (mlflow/projects/__init__.py, `_run`), and no token. The cluster installs the project's
# libraries by itself, so the project needs no second environment there.
_SUBMIT = """
import json, sys
from mlflow.projects.databricks import DatabricksJobRunner
order = json.load(sys.stdin)
class Runner(DatabricksJobRunner):
    def _jobs_runs_submit(self, req_body):
        req_body["shell_command_task"]["env_vars"].update(order["environment"])
        return super()._jobs_runs_submit({**req_body, **order["more"]})
print(json.dumps({"run": Runner("databricks").run_databricks(**order["run"], env_manager="local")}))
"""


class DatabricksMlflow:
    """Runs on one workspace, submitted by MLflow."""

    def __init__(self, databricks: Databricks, tracking_uri: str) -> None:
        self._databricks = databricks
        self._jobs = DatabricksJobs(databricks)
        self._tracking_uri = tracking_uri

    def submit(self, submission: Submission) -> str:
        """Let MLflow upload and submit the project."""
        mlproject = project.read(submission.folder)
        project.command(mlproject, submission.entry_point, submission.parameters)
        machines = dict(submission.cluster)
        machines["custom_tags"] = {**(machines.get("custom_tags") or {}), **submission.tags}
        environment = {
            name: value for name, value in submission.environment.items() if name in _PASSED_ON
        }
        order = {
            "run": {
                "uri": submission.name,
                "work_dir": str(submission.folder),
                "entry_point": submission.entry_point,
                "parameters": dict(submission.parameters),
                "experiment_id": submission.environment["MLFLOW_EXPERIMENT_ID"],
                "run_id": submission.environment["MLFLOW_RUN_ID"],
                "cluster_spec": {"new_cluster": machines, "libraries": list(mlproject.libraries)},
            },
            "environment": environment,
            "more": {
                "run_name": submission.name,
                "idempotency_token": submission.token,
                "timeout_seconds": round(submission.timeout),
            },
        }
        try:
            done = self._submit(json.dumps(order))
        except subprocess.TimeoutExpired:
            raise ServiceError(
                "Databricks", "MLflow did not submit the project in time. I will try again."
            ) from None
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no reason given"])[-1][:300]
            if "ExecutionException" in last:
                raise ProjectError(last)
            raise ServiceError("Databricks", f"MLflow could not submit the project: {last}")
        return str(json.loads(done.stdout.strip().splitlines()[-1])["run"])

    def look(self, run: str) -> RunStatus:
        """Read the run from the Jobs API."""
        return self._jobs.look(run)

    def live_log(self, run: str, token: str, offset: int) -> LogChunk:  # noqa: ARG002
        """Nothing: what MLflow starts tells what it wrote when it has ended."""
        return LogChunk(b"", offset)

    def whole_log(self, run: str, token: str) -> LogChunk:
        """Read what the run wrote, as Databricks kept it."""
        return self._jobs.whole_log(run, token)

    def cancel(self, run: str) -> None:
        """Stop the run on Databricks."""
        self._jobs.cancel(run)

    def _submit(self, order: str) -> subprocess.CompletedProcess[str]:
        # An empty home and -I: nothing that a pull request wrote may be imported by a process that
        # has the token.
        with tempfile.TemporaryDirectory(prefix="signalman-") as home:
            return subprocess.run(
                [sys.executable, "-I", "-c", _SUBMIT],
                input=order,
                cwd=home,
                env={
                    "PATH": os.environ.get("PATH", os.defpath),
                    "HOME": home,
                    "DATABRICKS_HOST": self._databricks.host,
                    "DATABRICKS_TOKEN": self._databricks.bearer(),
                    "MLFLOW_TRACKING_URI": self._tracking_uri,
                    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
                    "MLFLOW_DISABLE_TELEMETRY": "true",
                },
                capture_output=True,
                text=True,
                timeout=_LONGEST_SUBMIT,
                check=False,
            )
