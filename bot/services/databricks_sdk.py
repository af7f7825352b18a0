"""A Databricks workspace through databricks-sdk, which is the default.

One verb of ours is one call of theirs, under a short time limit. A submit
carries an idempotency token, so that asking again after an answer was lost does
not start a second run.
"""

import base64
import io
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Any, TypeVar

import requests
from databricks.sdk import WorkspaceClient, errors
from databricks.sdk.clock import Clock
from databricks.sdk.config import Config
from databricks.sdk.errors.base import DatabricksError
from databricks.sdk.service import compute, jobs, workspace

from bot.config.environment import WorkspaceAccess
from bot.errors import ConfigError, NotFound, ServiceError
from bot.facts.branch import JobFacts
from bot.facts.model import TransitionRequest
from bot.services import databricks_rest as rest
from bot.services.databricks import ClusterRun, Json, Node, RunOutput, job_facts, more_of

T = TypeVar("T")

HTTP_TIMEOUT = 30.0
# One attempt for each call, and the queue looks again: the SDK would also repeat calls that create
# something and have no token, so that a lost answer could mean two jobs.
RETRY_TIMEOUT = 1


class _NoWaiting(Clock):
    """Gives a call up where the SDK would wait before another attempt, for as long as the server
    likes it to wait.
    """

    def time(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        raise TimeoutError(f"Not waiting {seconds:.0f} s.") from sys.exception()


class DatabricksSdk:
    """One workspace. Safe to share between threads."""

    def __init__(self, access: WorkspaceAccess) -> None:
        self._host = access.host
        self._tokens = rest.tokens(access)
        self._clients: dict[int, WorkspaceClient] = {}
        self._making = threading.Lock()
        self._rotation = rest.Rotation(len(self._tokens))

    @property
    def host(self) -> str:
        """The workspace's address."""
        return self._host

    def bearer(self) -> str:
        """A token to present as `Authorization: Bearer`, fresh where it is one that expires."""
        headers = self._call("sign in", lambda client: client.config.authenticate())
        return headers.get("Authorization", "").removeprefix("Bearer ")

    # -- the workspace tree

    def make_folder(self, path: str) -> None:
        """Create a folder with its parents; one that exists is left alone."""
        self._call(f"create {path}", lambda client: client.workspace.mkdirs(path))

    def write(self, path: str, content: bytes, suffix: str = "") -> None:
        """Write an object, over what is there, parents created.

        The name that is sent keeps its suffix: with format AUTO the workspace
        tells a notebook by suffix and first line and drops the suffix itself
        (https://docs.databricks.com/api/workspace/workspace/import).
        """
        kind = workspace.ImportFormat.AUTO

        name = path + suffix

        def write(client: WorkspaceClient) -> None:
            if len(content) > rest.INLINE:
                file = io.BytesIO(content)
                client.workspace.upload(name, file, format=kind, overwrite=True)
            else:
                encoded = base64.b64encode(content).decode()
                client.workspace.import_(name, content=encoded, format=kind, overwrite=True)

        try:
            self._call(f"write {path}", write)
        except NotFound:
            self.make_folder(str(PurePosixPath(path).parent))
            self._call(f"write {path}", write)

    def read(self, path: str) -> bytes | None:
        """A file's content, or the source of a notebook; None when it is not there."""
        return self._export(path, workspace.ExportFormat.AUTO)

    def read_jupyter(self, path: str) -> bytes | None:
        """A notebook in Jupyter's format; None when it is not there."""
        return self._export(path, workspace.ExportFormat.JUPYTER)

    def nodes(self, folder: str) -> list[Node]:
        """What lies directly in a folder; nothing in one that is not there."""

        def entries(client: WorkspaceClient) -> list[Node]:
            return [rest.node(entry.as_dict()) for entry in client.workspace.list(folder)]

        try:
            return self._call(f"list {folder}", entries)
        except NotFound:
            return []

    def exists(self, path: str) -> bool:
        """Whether an object is there."""
        try:
            self._call(f"look for {path}", lambda client: client.workspace.get_status(path))
        except NotFound:
            return False
        return True

    def remove(self, path: str) -> None:
        """Remove one object, never a folder with something in it; one that is gone is already
        removed.
        """
        try:
            self._call(
                f"remove {path}", lambda client: client.workspace.delete(path, recursive=False)
            )
        except NotFound:
            return

    def remove_folder(self, path: str) -> None:
        """Remove a folder unless something is in it; one that is gone is already removed."""

        def remove(client: WorkspaceClient) -> None:
            if client.workspace.get_status(path).object_type is not workspace.ObjectType.DIRECTORY:
                return
            try:
                client.workspace.delete(path, recursive=False)
            except DatabricksError as error:
                if error.error_code not in rest.FOLDERS_THAT_STAY:
                    raise

        with suppress(NotFound):
            self._call(f"remove {path}", remove)

    # -- runs

    def submit(
        self,
        *,
        token: str,
        name: str,
        python_file: str,
        parameters: list[str],
        cluster: Json | None,
        libraries: list[Json],
        timeout: float,
    ) -> str:
        """Run a Python file of the workspace once on a cluster of its own; the same token gives the
        same run's id.
        """
        program = jobs.SparkPythonTask(
            python_file=python_file, parameters=parameters, source=jobs.Source.WORKSPACE
        )
        task = jobs.SubmitTask(
            task_key="project", spark_python_task=program, timeout_seconds=round(timeout)
        )
        if cluster:
            task.new_cluster = compute.ClusterSpec.from_dict(dict(cluster))
        if libraries:
            task.libraries = [compute.Library.from_dict(dict(library)) for library in libraries]

        def submit(client: WorkspaceClient) -> str:
            waiting = client.jobs.submit(
                run_name=name, tasks=[task], idempotency_token=token, timeout_seconds=round(timeout)
            )
            return str(waiting.bind()["run_id"])

        return self._call("submit a run", submit)

    def run(self, run: str) -> ClusterRun:
        """A run as it stands. Raises NotFound when Databricks does not know it (any more)."""
        answer = self._call(f"show run {run}", lambda client: client.jobs.get_run(int(run)))
        return rest.cluster_run(run, answer.as_dict())

    def output(self, task: str) -> RunOutput:
        """What the run of a task wrote; empty when Databricks kept none. Takes a task's run id, not
        a job run's.
        """
        try:
            answer = self._call(
                f"show run {task}", lambda client: client.jobs.get_run_output(int(task))
            )
        except NotFound:
            return RunOutput("", "")
        return rest.output(answer.as_dict())

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
            same = []
            for job in client.jobs.list(name=name):
                exactly = job.settings is not None and job.settings.name == name
                if exactly and job.job_id is not None:
                    same.append(job.job_id)
            return min(same, default=None)

        oldest = self._call(f"look for job {name}", find)
        if oldest is None:
            return None
        return self.read_job(oldest)

    def read_job(self, job: int) -> JobFacts:
        """A job as it stands. Raises NotFound."""
        # As it is told: the SDK's typed settings would drop what this version of it does not know.
        query = {"job_id": job}
        page = self._jobs(f"show job {job}", "GET", "get", query)
        whole = dict(page)
        while token := page.get("next_page_token", ""):
            page = self._jobs(f"show job {job}", "GET", "get", {**query, "page_token": token})
            whole = more_of(whole, page)
        return job_facts(whole)

    def jobs(self) -> list[JobFacts]:
        """All jobs of the workspace with their tasks, in pages of 100; their parameters may be
        missing.
        """

        def find(client: WorkspaceClient) -> list[JobFacts]:
            listed = client.jobs.list(expand_tasks=True, limit=100)
            return [job_facts(job.as_dict()) for job in listed]

        return self._call("list the jobs", find)

    def create_job(self, settings: Json) -> int:
        """Create a job from settings in the terms of the Jobs API; gives its id."""
        created = self._jobs(f"create job {settings.get('name')}", "POST", "create", settings)
        return int(created["job_id"])

    def update_job(self, job: int, settings: Json, remove: Sequence[str] = ()) -> None:
        """Change what is named and nothing else: top-level fields are replaced, tasks and clusters
        merged by key.

        `remove` names top-level fields, and entries such as `tasks/score`
        (https://docs.databricks.com/api/workspace/jobs/update).
        """
        body: dict[str, Any] = {"job_id": job, "new_settings": dict(settings)}
        if remove:
            body["fields_to_remove"] = list(remove)
        self._jobs(f"change job {job}", "POST", "update", body)

    def reset_job(self, job: int, settings: Json) -> None:
        """Replace all settings of a job; who it runs as and its permissions stay."""
        body = {"job_id": job, "new_settings": dict(settings)}
        self._jobs(f"change job {job}", "POST", "reset", body)

    def delete_job(self, job: int) -> None:
        """Delete a job; one that is gone is already deleted."""
        try:
            self._call(f"delete job {job}", lambda client: client.jobs.delete(job))
        except NotFound:
            return

    def is_running(self, job: int) -> bool:
        """Whether a run of the job is under way."""

        def find(client: WorkspaceClient) -> bool:
            runs = client.jobs.list_runs(job_id=job, active_only=True, limit=1)
            return next(iter(runs), None) is not None

        return self._call(f"list the runs of job {job}", find)

    # -- the workspace's model registry

    def comment(self, model: str, version: str, text: str) -> None:
        """Comment on a model version."""
        self._call(
            f"comment on {model} v{version}",
            lambda client: client.model_registry.create_comment(model, version, text),
        )

    def transition_requests(self, model: str, version: str) -> list[TransitionRequest]:
        """What people ask of a model version and nobody has answered: to be moved to a stage."""

        def find(client: WorkspaceClient) -> list[TransitionRequest]:
            return [
                TransitionRequest(
                    to=request.to_stage or "",
                    by=request.user_id or "",
                    at=request.creation_timestamp or 0,
                    comment=request.comment or "",
                )
                for request in client.model_registry.list_transition_requests(model, version)
            ]

        return self._call(f"list the requests for {model} v{version}", find)

    def _export(self, path: str, kind: workspace.ExportFormat) -> bytes | None:
        try:
            encoded = self._call(
                f"read {path}", lambda client: client.workspace.export(path, format=kind).content
            )
        except NotFound:
            return None
        return base64.b64decode(encoded or "")

    def _jobs(self, what: str, method: str, verb: str, content: Json) -> Json:
        path = f"/api/2.2/jobs/{verb}"

        def call(client: WorkspaceClient) -> Json:
            if method == "GET":
                answer = client.api_client.do(method, path, query=dict(content))
            else:
                answer = client.api_client.do(method, path, body=dict(content))
            if isinstance(answer, dict):
                return answer
            return {}

        return self._call(what, call)

    def _call(self, what: str, call: Callable[[WorkspaceClient], T]) -> T:
        for token in self._rotation:
            try:
                return call(self._client(token))
            except Exception as error:
                if not _signed_out(error):
                    raise _sentence(error, what, self.host) from error
                failed = error
        raise rest.signed_out(self.host) from failed

    def _client(self, token: int) -> WorkspaceClient:
        with self._making:  # A new one asks the workspace who it is; once is enough.
            if token not in self._clients:
                sign_in: dict[str, Any] = {}  # Without a token the SDK looks for another way.
                if self._tokens:
                    sign_in = {"token": self._tokens[token], "auth_type": "pat"}
                config = Config(
                    host=self._host,
                    **sign_in,
                    http_timeout_seconds=HTTP_TIMEOUT,
                    retry_timeout_seconds=RETRY_TIMEOUT,
                    clock=_NoWaiting(),
                    product="signalman",
                    product_version="0.1.0",
                )
                self._clients[token] = WorkspaceClient(config=config)
            return self._clients[token]


def _signed_out(error: Exception) -> bool:
    refused = isinstance(error, errors.PermissionDenied) and rest.is_about_a_token(403, str(error))
    return refused or isinstance(error, errors.Unauthenticated)


def _sentence(error: Exception, what: str, host: str) -> Exception:
    if isinstance(error, TimeoutError) and isinstance(error.__cause__, Exception):
        error = error.__cause__  # what the SDK would have tried again
    match error:
        case ServiceError():
            return error
        case errors.NotFound():
            return rest.refusal(what, str(error), 404)
        case errors.PermissionDenied():
            return rest.refusal(what, str(error), 403)
        case DatabricksError():
            status = None
            if isinstance(error, errors.TooManyRequests):
                status = 429
            return rest.refusal(what, str(error), status, getattr(error, "retry_after_secs", None))
        case requests.RequestException() | TimeoutError() | OSError():
            return rest.unreachable(host, what, error)
        case ValueError():
            reason = " ".join(str(error).split())[:300]
            return ConfigError(f"databricks-sdk cannot sign in at {host}: {reason}")
        case _:
            return error
