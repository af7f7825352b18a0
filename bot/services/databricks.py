"""Databricks: the workspace tree, jobs and their runs, through databricks-sdk.

One verb of ours is one call of theirs, under a short time limit. A submit
carries an idempotency token, so that asking again after an answer was lost does
not start a second run.
"""

import base64
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any, TypeVar

import requests
from databricks.sdk import WorkspaceClient, errors
from databricks.sdk.clock import Clock
from databricks.sdk.config import Config
from databricks.sdk.errors.base import DatabricksError
from databricks.sdk.service import compute, jobs, workspace

from bot.config import Schedule
from bot.errors import ConfigError, NotFound, ServiceError
from bot.facts import JobFacts, Outcome
from bot.settings import Workspace

T = TypeVar("T")

HTTP_TIMEOUT = 30.0
# One attempt for each call, and the queue looks again: the SDK would also repeat calls that create something and
# have no token, so that a lost answer could mean two jobs.
RETRY_TIMEOUT = 1

# Ended by the workspace, not by the project: worth another try, and nobody's fault on the pull request
# (https://docs.databricks.com/api/workspace/jobs/getrun, termination_details.code).
_NO_CLUSTER = frozenset(
    {
        "CLOUD_FAILURE",
        "CLUSTER_ERROR",
        "CLUSTER_REQUEST_LIMIT_EXCEEDED",
        "DRIVER_ERROR",
        "INTERNAL_ERROR",
        "MAX_CONCURRENT_RUNS_EXCEEDED",
        "MAX_JOB_QUEUE_SIZE_EXCEEDED",
        "MAX_SPARK_CONTEXTS_EXCEEDED",
        "SKIPPED",
        "STORAGE_ACCESS_ERROR",
        "WORKSPACE_RUN_LIMIT_EXCEEDED",
    }
)


@dataclass(frozen=True)
class ClusterRun:
    """A run as Databricks shows it; `outcome` is None until it has ended. Times are UTC."""

    id: str
    task: str
    page: str
    outcome: Outcome | None
    message: str
    started: datetime | None
    ended: datetime | None


@dataclass(frozen=True)
class Output:
    """What a run's task left: the text of its error, and what it wrote to its standard streams.

    `cut`: it wrote more than Databricks gives, which are the last 5 MB
    (https://docs.databricks.com/api/workspace/jobs/getrunoutput).
    """

    error: str
    log: str
    result: str = ""
    cut: bool = False


class _NoWaiting(Clock):
    """Gives a call up where the SDK would wait before another attempt, for as long as the server likes it to wait."""

    def time(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        raise TimeoutError(f"Not waiting {seconds:.0f} s.") from sys.exception()


class Databricks:
    """One workspace."""

    def __init__(self, access: Workspace) -> None:
        self._access = access
        self._clients: dict[int, WorkspaceClient] = {}
        self._token = 0
        self._folders: set[str] = set()

    @property
    def host(self) -> str:
        """Its address."""
        return self._access.host

    def bearer(self) -> str:
        """A token to present as `Authorization: Bearer`, fresh where it is one that expires."""
        headers = self._call("sign in", lambda client: client.config.authenticate())
        return headers.get("Authorization", "").removeprefix("Bearer ")

    # -- the workspace tree

    def make_folder(self, path: str) -> None:
        """Create a folder with its parents; one that exists is left alone."""
        if path not in self._folders:
            self._call(f"create {path}", lambda client: client.workspace.mkdirs(path))
            self._folders.add(path)

    def write(self, path: str, content: bytes, suffix: str = "") -> None:
        """Write an object, over what is there, parents created.

        The name that is sent keeps its suffix: with format AUTO the workspace
        tells a notebook by suffix and first line and drops the suffix itself
        (https://docs.databricks.com/api/workspace/workspace/import).
        """
        self.make_folder(str(PurePosixPath(path).parent))
        encoded = base64.b64encode(content).decode()

        def write(client: WorkspaceClient) -> None:
            client.workspace.import_(path + suffix, content=encoded, format=workspace.ImportFormat.AUTO, overwrite=True)

        try:
            self._call(f"write {path}", write)
        except NotFound:
            # Somebody removed the folder since it was made.
            self._folders.discard(str(PurePosixPath(path).parent))
            self.make_folder(str(PurePosixPath(path).parent))
            self._call(f"write {path}", write)

    def read(self, path: str) -> bytes | None:
        """A file's content; None when it is not there."""

        def read(client: WorkspaceClient) -> str | None:
            return client.workspace.export(path, format=workspace.ExportFormat.AUTO).content

        try:
            return base64.b64decode(self._call(f"read {path}", read) or "")
        except NotFound:
            return None

    def exists(self, path: str) -> bool:
        """Whether an object is there."""
        try:
            self._call(f"look for {path}", lambda client: client.workspace.get_status(path))
        except NotFound:
            return False
        return True

    def remove(self, path: str) -> None:
        """Remove one object, never a folder with something in it; one that is gone is already removed."""
        try:
            self._call(f"remove {path}", lambda client: client.workspace.delete(path, recursive=False))
        except NotFound:
            return

    # -- runs

    def submit(
        self,
        *,
        token: str,
        name: str,
        python_file: str,
        parameters: list[str],
        cluster: Mapping[str, Any] | None,
        libraries: list[Mapping[str, Any]],
        timeout: float,
    ) -> str:
        """Run a Python file of the workspace once on a cluster of its own; the same token gives the same run's id."""
        task = jobs.SubmitTask(
            task_key="project",
            spark_python_task=jobs.SparkPythonTask(
                python_file=python_file, parameters=parameters, source=jobs.Source.WORKSPACE
            ),
            new_cluster=compute.ClusterSpec.from_dict(dict(cluster)) if cluster else None,
            libraries=[compute.Library.from_dict(dict(library)) for library in libraries] or None,
            timeout_seconds=round(timeout),
        )

        def submit(client: WorkspaceClient) -> str:
            waiting = client.jobs.submit(
                run_name=name, tasks=[task], idempotency_token=token, timeout_seconds=round(timeout)
            )
            return str(waiting.bind()["run_id"])

        return self._call("submit a run", submit)

    def run(self, run: str) -> ClusterRun:
        """A run as it stands. Raises NotFound when Databricks does not know it (any more)."""
        found = self._call(f"show run {run}", lambda client: client.jobs.get_run(int(run)))
        task = found.tasks[-1].run_id if found.tasks else found.run_id
        outcome, message = _ended(found)
        return ClusterRun(
            id=run,
            task=str(task),
            page=_http(found.run_page_url),
            outcome=outcome,
            message=message,
            started=_time(found.start_time),
            ended=_time(found.end_time),
        )

    def output(self, task: str) -> Output:
        """What the run of a task wrote; empty when Databricks kept none. Takes a task's run id, not a job run's."""
        try:
            found = self._call(f"show run {task}", lambda client: client.jobs.get_run_output(int(task)))
        except NotFound:
            return Output("", "")
        result = found.notebook_output.result if found.notebook_output else None
        log = found.logs or found.error_trace or ""
        return Output(found.error or "", log, result or "", cut=bool(found.logs_truncated))

    def cancel(self, run: str) -> None:
        """Stop a run; one that has ended stays ended."""
        self._call(f"cancel run {run}", lambda client: client.jobs.cancel_run(int(run)) and None)

    # -- jobs

    def job(self, name: str) -> JobFacts | None:
        """The job of exactly this name, the oldest when there are several; None when there is none.

        The name filter of the API ignores case, and the list does not hold
        parameters, so a found job is read once more.
        """

        def find(client: WorkspaceClient) -> int | None:
            same = [
                job.job_id
                for job in client.jobs.list(name=name)
                if job.settings and job.settings.name == name and job.job_id is not None
            ]
            return min(same, default=None)

        found = self._call(f"look for job {name}", find)
        return None if found is None else self.read_job(found)

    def read_job(self, job: int) -> JobFacts:
        """A job as it stands. Raises NotFound."""
        settings = self._call(f"show job {job}", lambda client: client.jobs.get(job)).settings
        if settings is None:
            raise ServiceError("Databricks", f"Databricks shows job {job} without its settings.")
        return JobFacts(
            id=job,
            name=settings.name or "",
            parameters={one.name: one.default for one in settings.parameters or ()},
            tags=dict(settings.tags or {}),
            bundle=settings.deployment is not None,
            schedule=_schedule(settings.schedule),
        )

    def create_job(self, settings: Mapping[str, Any]) -> int:
        """Create a job from settings in the terms of the Jobs API; gives its id."""
        shape = jobs.JobSettings.from_dict(dict(settings))
        fields = {name: value for name, value in vars(shape).items() if value is not None}
        created = self._call(f"create job {shape.name}", lambda client: client.jobs.create(**fields))
        return int(created.job_id or 0)

    def update_job(
        self, job: int, *, parameters: Mapping[str, str] | None = None, tags: Mapping[str, str] | None = None
    ) -> None:
        """Replace a job's parameters or tags whole, and nothing else of it: not its schedule, pause or permissions."""
        settings = jobs.JobSettings(
            parameters=[jobs.JobParameterDefinition(default=value, name=name) for name, value in parameters.items()]
            if parameters is not None
            else None,
            tags=dict(tags) if tags is not None else None,
        )
        self._call(f"change job {job}", lambda client: client.jobs.update(job, new_settings=settings))

    def _call(self, what: str, call: Callable[[WorkspaceClient], T]) -> T:
        for _ in range(max(1, len(self._access.tokens))):
            try:
                return call(self._client())
            except Exception as error:
                if not _signed_out(error):
                    raise _sentence(error, what, self.host) from error
                failed = error
                self._token = (self._token + 1) % max(1, len(self._access.tokens))
        raise ServiceError(
            "Databricks",
            f"{self.host} does not accept the bot's token: make a new one for its service principal and set "
            "DATABRICKS_TOKEN (or DATABRICKS_VALIDATION_TOKEN).",
            status=401,
        ) from failed

    def _client(self) -> WorkspaceClient:
        if self._token not in self._clients:
            tokens = self._access.tokens
            config = Config(
                host=self._access.host,
                token=tokens[self._token].get_secret_value() if tokens else None,
                auth_type="pat" if tokens else None,
                http_timeout_seconds=HTTP_TIMEOUT,
                retry_timeout_seconds=RETRY_TIMEOUT,
                clock=_NoWaiting(),
                product="signalman",
                product_version="0.1.0",
            )
            self._clients[self._token] = WorkspaceClient(config=config)
        return self._clients[self._token]


def _signed_out(error: Exception) -> bool:
    # Databricks answers a token that is unknown or has expired with 403, like a permission that is lacking.
    refused = isinstance(error, errors.PermissionDenied) and "access token" in str(error).lower()
    return refused or isinstance(error, errors.Unauthenticated)


def _sentence(error: Exception, what: str, host: str) -> Exception:
    if isinstance(error, TimeoutError) and isinstance(error.__cause__, Exception):
        error = error.__cause__  # what the SDK would have tried again
    told = " ".join(str(error).split())[:300]
    match error:
        case ServiceError():
            return error
        case errors.NotFound():
            return NotFound("Databricks", f"Databricks could not {what}: {told}", status=404)
        case errors.PermissionDenied():
            return ServiceError(
                "Databricks",
                f"Databricks refused to {what} (403): {told} The bot's service principal needs that permission.",
                status=403,
            )
        case DatabricksError():
            wait = getattr(error, "retry_after_secs", None)
            return ServiceError("Databricks", f"Databricks could not {what}: {told}", retry_after=wait)
        case requests.RequestException() | TimeoutError() | OSError():
            return ServiceError("Databricks", f"{host} could not be reached to {what} ({type(error).__name__}).")
        case ValueError():
            return ConfigError(f"databricks-sdk cannot sign in at {host}: {told}")
        case _:
            return error


def _ended(run: jobs.Run) -> tuple[Outcome | None, str]:
    state = run.state
    life = state.life_cycle_state.value if state and state.life_cycle_state else ""
    result = state.result_state.value if state and state.result_state else ""
    message = (state.state_message if state else "") or ""
    details = run.status.termination_details if run.status else None
    code = details.code.value if details and details.code else ""
    if details and details.message:
        message = details.message
    if life not in ("TERMINATED", "SKIPPED", "INTERNAL_ERROR"):
        return None, message
    if result == "SUCCESS":
        return "succeeded", message
    if result == "TIMEDOUT":
        return "timed out", message
    if result == "CANCELED":
        return "cancelled", message
    if code in _NO_CLUSTER or life == "SKIPPED" or (life == "INTERNAL_ERROR" and not result):
        return "no cluster", message or code
    return "failed", message


def _schedule(found: jobs.CronSchedule | None) -> Schedule | None:
    if found is None:
        return None
    paused = found.pause_status is jobs.PauseStatus.PAUSED
    return Schedule(cron=found.quartz_cron_expression or "", timezone=found.timezone_id or "UTC", paused=paused)


def _time(milliseconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None


def _http(address: str | None) -> str:
    return address if address and address.startswith(("http://", "https://")) else ""
