"""MLflow projects on the Databricks Jobs API, for today's runtimes.

The project folder is uploaded once per content, as one archive under its
digest, beside a small launcher; a run is one `spark_python_task` on the cluster
of the project's own cluster file. MLflow's own backend no longer works there
(https://docs.databricks.com/archive/mlflow/projects.html).
"""

import json
from pathlib import Path, PurePosixPath

from bot.backends import archive, launcher, project
from bot.backends.run import Sight, Submission
from bot.services.databricks import Databricks

CODE = "/Shared/.signalman/code"
"""Where uploaded projects lie in the workspace."""

KEPT_LINES = 60


class DatabricksJobs:
    """Runs on one workspace."""

    def __init__(self, databricks: Databricks) -> None:
        self._databricks = databricks

    def submit(self, submission: Submission) -> str:
        """Upload what is not there yet and submit one run under the submission's token."""
        found = project.read(submission.folder)
        command = project.command(found, submission.entry_point, submission.parameters)
        machines = submission.cluster
        packed = archive.archive(submission.folder)
        uploaded = self._upload(f"{archive.digest(packed)}.tgz", packed)
        code = Path(launcher.__file__).read_bytes()
        started = self._upload(f"launcher_{archive.digest(code)[:16]}.py", code)
        order = {
            # The Workspace mount of a cluster; the launcher also looks beside itself.
            "archive": f"/Workspace{uploaded}",
            "command": command,
            "environment": dict(submission.environment),
        }
        return self._databricks.submit(
            token=submission.token,
            name=submission.name,
            python_file=started,
            parameters=[json.dumps(order)],
            cluster={**machines, "custom_tags": {**(machines.get("custom_tags") or {}), **submission.tags}},
            libraries=list(found.libraries),
            timeout=submission.timeout,
        )

    def look(self, run: str) -> Sight:
        """Read the run, and once it has ended what its task wrote."""
        seen = self._databricks.run(run)
        if seen.outcome is None:
            return Sight(None, page=seen.page, started=seen.started)
        output = self._databricks.output(seen.task)
        reason = output.error.removeprefix("RunFailed: ") if seen.outcome == "failed" else ""
        return Sight(
            outcome=seen.outcome,
            reason=(reason or seen.message).strip().split("\n")[0],
            log="\n".join(output.log.splitlines()[-KEPT_LINES:]),
            page=seen.page,
            started=seen.started,
            ended=seen.ended,
        )

    def cancel(self, run: str) -> None:
        """Stop the run on Databricks."""
        self._databricks.cancel(run)

    def _upload(self, name: str, content: bytes) -> str:
        path = str(PurePosixPath(CODE) / name)
        if not self._databricks.exists(path):
            self._databricks.write(path, content)
        return path
