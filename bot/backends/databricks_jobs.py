"""MLflow projects on the Databricks Jobs API, for today's runtimes.

The project folder is uploaded once per content, as one archive under its
digest, beside a small launcher; a run is one `spark_python_task` on the cluster
of the project's own cluster file. MLflow's own backend no longer works there
(https://docs.databricks.com/archive/mlflow/projects.html).
"""

import json
from pathlib import Path, PurePosixPath

from bot.backends import archive, launcher, project
from bot.backends.run import LogChunk, RunStatus, Submission
from bot.services.databricks import Databricks

CODE = "/Shared/.signalman/code"
"""Where uploaded projects lie in the workspace."""

LOGS = "/Shared/.signalman/logs"
"""Where the launcher writes what a run has written so far; what it writes there is a file of the
workspace.
"""

KEPT_LINES = 60


class DatabricksJobs:
    """Runs on one workspace. `live`: they leave their log where it can be read while they are under
    way.
    """

    def __init__(self, databricks: Databricks, *, live: bool = False) -> None:
        self._databricks = databricks
        self._live = live

    def submit(self, submission: Submission) -> str:
        """Upload what is not there yet and submit one run under the submission's token."""
        mlproject = project.read(submission.folder)
        command = project.command(mlproject, submission.entry_point, submission.parameters)
        tags = {**(submission.cluster.get("custom_tags") or {}), **submission.tags}
        packed = archive.archive(submission.folder)
        uploaded = self._upload(f"{archive.digest(packed)}.tgz", packed)
        code = Path(launcher.__file__).read_bytes()
        script = self._upload(f"launcher_{archive.digest(code)[:16]}.py", code)
        order = {
            # The Workspace mount of a cluster; the launcher also looks beside itself.
            "archive": f"/Workspace{uploaded}",
            "command": command,
            "environment": dict(submission.environment),
        }
        if self._live:
            order["live"] = f"/Workspace{_live(submission.token)}"
        return self._databricks.submit(
            token=submission.token,
            name=submission.name,
            python_file=script,
            parameters=[json.dumps(order)],
            cluster={**submission.cluster, "custom_tags": tags},
            libraries=list(mlproject.libraries),
            timeout=submission.timeout,
        )

    def look(self, run: str) -> RunStatus:
        """Read the run, and once it has ended what its task wrote."""
        seen = self._databricks.run(run)
        if seen.outcome is None:
            return RunStatus(None, page=seen.page, started=seen.started)
        output = self._databricks.output(seen.task)
        lines = output.log.splitlines()
        reason = ""
        if seen.outcome == "failed":
            reason = output.error.removeprefix("RunFailed: ")
        return RunStatus(
            outcome=seen.outcome,
            reason=(reason or seen.message).strip().split("\n")[0],
            log="\n".join(lines[-KEPT_LINES:]),
            lines=len(lines),
            page=seen.page,
            started=seen.started,
            ended=seen.ended,
        )

    def live_log(self, run: str, token: str, offset: int) -> LogChunk:  # noqa: ARG002 (files know the token only)
        """Read the newest part of the log from where the launcher leaves it."""
        live_log = None
        if self._live:
            live_log = self._databricks.read(_live(token))
        first, newline, content = (live_log or b"").partition(b"\n")
        # Read while it is being written it may be short, even of its first line.
        if not newline or not first.isdigit():
            return LogChunk(b"", offset)
        begins = int(first)
        start = min(max(offset, begins), begins + len(content))
        return LogChunk(content[start - begins :], max(start, offset), cut=start > offset)

    def whole_log(self, run: str, token: str) -> LogChunk:
        """Read what Databricks kept of the log, and remove what the launcher left of it."""
        output = self._databricks.output(self._databricks.run(run).task)
        if self._live:
            self._databricks.remove(_live(token))
        return LogChunk(output.log.encode(errors="replace"), cut=output.cut)

    def cancel(self, run: str) -> None:
        """Stop the run on Databricks."""
        self._databricks.cancel(run)

    def _upload(self, name: str, content: bytes) -> str:
        path = str(PurePosixPath(CODE) / name)
        if not self._databricks.exists(path):
            self._databricks.write(path, content)
        return path


def _live(token: str) -> str:
    return str(PurePosixPath(LOGS) / f"{token}.log")
