"""A Databricks workspace through databricks-cli 0.18.0, the legacy package: `client:
databricks-cli` in config/bot.yml.

One verb of ours is one call of theirs, as in `databricks_sdk.py`. The package is
no longer looked after, so what would not do is put right here: the port of an
address, the time limit, TLS, redirects and the tokens. It signs in by token
only, and neither ~/.databrickscfg nor ~/.netrc is read
(docs/decisions/0012-two-databricks-clients.md).
"""

import base64
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Any, NamedTuple, TypeVar

import requests
from databricks_cli.sdk import ApiClient, JobsService, WorkspaceService
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

from bot.config.environment import WorkspaceAccess
from bot.errors import ConfigError, NotFound, ServiceError
from bot.facts.branch import JobFacts
from bot.facts.model import TransitionRequest
from bot.services import databricks_rest as rest
from bot.services.databricks import ClusterRun, Json, Node, RunOutput, job_facts, more_of

T = TypeVar("T")

HTTP_TIMEOUT = 30.0
JOBS = "2.2"
"""The version of the Jobs API, for every call of it: the package's own default is 2.0."""


class _Patient(HTTPAdapter):
    """Gives up in time, which the package never does, and leaves the version of TLS to Python."""

    def send(self, request: Any, *args: Any, **kwargs: Any) -> requests.Response:
        return super().send(request, *args, **{**kwargs, "timeout": HTTP_TIMEOUT})


class _AsIs(AuthBase):
    """Keeps the Authorization header of the call, and requests from looking for another in
    ~/.netrc.
    """

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


class DatabricksCli:
    """One workspace. Safe to share between threads. Raises ConfigError when it is given no
    token.
    """

    def __init__(self, access: WorkspaceAccess) -> None:
        if not access.tokens:
            raise ConfigError(
                "`client: databricks-cli` signs in by token only, and there is none: set "
                "DATABRICKS_TOKEN (and DATABRICKS_VALIDATION_TOKEN), or use `client: "
                "databricks-sdk`, which also knows OAuth."
            )
        self._host = access.host
        self._tokens = rest.tokens(access)
        self._rotation = rest.Rotation(len(self._tokens))
        # Each is in one thread's hands at a time, as a session of requests wants it, and keeps its
        # connection.
        self._idle: tuple[deque[Any], ...] = tuple(deque() for _ in self._tokens)

    @property
    def host(self) -> str:
        """The workspace's address."""
        return self._host

    def bearer(self) -> str:
        """A token to present as `Authorization: Bearer`: the one that was accepted last."""
        return self._tokens[self._rotation.current]

    # -- the workspace tree

    def make_folder(self, path: str) -> None:
        """Create a folder with its parents; one that exists is left alone."""
        self._call(f"create {path}", lambda client: WorkspaceService(client).mkdirs(path))

    def write(self, path: str, content: bytes, suffix: str = "") -> None:
        """Write an object, over what is there, parents created.

        The name that is sent keeps its suffix: with format AUTO the workspace
        tells a notebook by suffix and first line and drops the suffix itself
        (https://docs.databricks.com/api/workspace/workspace/import). The
        package does not list AUTO among its formats, but sends what it is given.
        """

        def write(client: Any) -> None:
            if len(content) > rest.INLINE:
                form = {"path": path + suffix, "format": "AUTO", "overwrite": "true"}
                # Without the package's own content type, so that requests names the form's.
                own = {"Content-Type": None}
                client.perform_query(
                    "POST", "/workspace/import", data=form, files={"content": content}, headers=own
                )
            else:
                encoded = base64.b64encode(content).decode()
                WorkspaceService(client).import_workspace(
                    path + suffix, "AUTO", content=encoded, overwrite=True
                )

        try:
            self._call(f"write {path}", write)
        except NotFound:
            self.make_folder(str(PurePosixPath(path).parent))
            self._call(f"write {path}", write)

    def read(self, path: str) -> bytes | None:
        """A file's content, or the source of a notebook; None when it is not there."""
        return self._export(path, "AUTO")

    def read_jupyter(self, path: str) -> bytes | None:
        """A notebook in Jupyter's format; None when it is not there."""
        return self._export(path, "JUPYTER")

    def nodes(self, folder: str) -> list[Node]:
        """What lies directly in a folder; nothing in one that is not there."""
        try:
            answer = self._ask(
                f"list {folder}", lambda client: WorkspaceService(client).list(folder)
            )
        except NotFound:
            return []
        return [rest.node(entry) for entry in answer.get("objects", ())]

    def exists(self, path: str) -> bool:
        """Whether an object is there."""
        try:
            self._call(f"look for {path}", lambda client: WorkspaceService(client).get_status(path))
        except NotFound:
            return False
        return True

    def remove(self, path: str) -> None:
        """Remove one object, never a folder with something in it; one that is gone is already
        removed.
        """
        try:
            self._call(
                f"remove {path}",
                lambda client: WorkspaceService(client).delete(path, recursive=False),
            )
        except NotFound:
            return

    def remove_folder(self, path: str) -> None:
        """Remove a folder unless something is in it; one that is gone is already removed."""

        def remove(client: Any) -> None:
            if WorkspaceService(client).get_status(path).get("object_type") != "DIRECTORY":
                return
            try:
                WorkspaceService(client).delete(path, recursive=False)
            except requests.HTTPError as error:
                if _refusal(error.response).code not in rest.FOLDERS_THAT_STAY:
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
        task: dict[str, Any] = {
            "task_key": "project",
            "spark_python_task": {
                "python_file": python_file,
                "parameters": parameters,
                "source": "WORKSPACE",
            },
            "timeout_seconds": round(timeout),
        }
        if cluster:
            task["new_cluster"] = dict(cluster)
        if libraries:
            task["libraries"] = [dict(library) for library in libraries]

        def submit(client: Any) -> Any:
            return JobsService(client).submit_run(
                run_name=name,
                tasks=[task],
                idempotency_token=token,
                timeout_seconds=round(timeout),
                version=JOBS,
            )

        return str(self._ask("submit a run", submit)["run_id"])

    def run(self, run: str) -> ClusterRun:
        """A run as it stands. Raises NotFound when Databricks does not know it (any more)."""
        answer = self._ask(
            f"show run {run}", lambda client: JobsService(client).get_run(int(run), version=JOBS)
        )
        return rest.cluster_run(run, answer)

    def output(self, task: str) -> RunOutput:
        """What the run of a task wrote; empty when Databricks kept none. Takes a task's run id, not
        a job run's.
        """
        try:
            answer = self._ask(
                f"show run {task}",
                lambda client: JobsService(client).get_run_output(int(task), version=JOBS),
            )
        except NotFound:
            return RunOutput("", "")
        return rest.output(answer)

    def cancel(self, run: str) -> None:
        """Stop a run; one that has ended stays ended."""
        self._call(
            f"cancel run {run}",
            lambda client: JobsService(client).cancel_run(int(run), version=JOBS),
        )

    # -- jobs: by the package's plain calls where its methods drop fields that Jobs 2.2 has

    def job(self, name: str) -> JobFacts | None:
        """The job of exactly this name, the oldest when there are several; None when there is none.

        The name filter of the API ignores case, and the list does not hold
        parameters, so a found job is read once more.
        """
        same = []
        for page in self._pages(f"look for job {name}", "list", {"name": name}):
            for job in page.get("jobs", ()):
                if job["settings"].get("name") == name:
                    same.append(job["job_id"])
        if same:
            return self.read_job(min(same))
        return None

    def read_job(self, job: int) -> JobFacts:
        """A job as it stands. Raises NotFound."""
        return job_facts(self._whole(job))

    def jobs(self) -> list[JobFacts]:
        """All jobs of the workspace with their tasks, in pages of 100; their parameters may be
        missing.
        """
        pages = self._pages("list the jobs", "list", {"expand_tasks": True, "limit": 100})
        jobs = [job for page in pages for job in page.get("jobs", ())]
        facts = []
        for job in jobs:
            if job.get("has_more"):
                job = self._whole(job["job_id"])
            facts.append(job_facts(job))
        return facts

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
        removed = list(remove) or None
        self._call(
            f"change job {job}",
            lambda client: JobsService(client).update_job(
                job, dict(settings), removed, version=JOBS
            ),
        )

    def reset_job(self, job: int, settings: Json) -> None:
        """Replace all settings of a job; who it runs as and its permissions stay."""
        self._call(
            f"change job {job}",
            lambda client: JobsService(client).reset_job(job, dict(settings), version=JOBS),
        )

    def delete_job(self, job: int) -> None:
        """Delete a job; one that is gone is already deleted."""
        try:
            self._call(
                f"delete job {job}",
                lambda client: JobsService(client).delete_job(job, version=JOBS),
            )
        except NotFound:
            return

    def is_running(self, job: int) -> bool:
        """Whether a run of the job is under way."""
        answer = self._ask(
            f"list the runs of job {job}",
            lambda client: JobsService(client).list_runs(
                job, active_only=True, limit=1, version=JOBS
            ),
        )
        return bool(answer.get("runs"))

    # -- the workspace's model registry, of which the package knows nothing

    def comment(self, model: str, version: str, text: str) -> None:
        """Comment on a model version."""
        body = {"name": model, "version": version, "comment": text}
        self._call(
            f"comment on {model} v{version}",
            lambda client: client.perform_query("POST", "/mlflow/comments/create", data=body),
        )

    def transition_requests(self, model: str, version: str) -> list[TransitionRequest]:
        """What people ask of a model version and nobody has answered: to be moved to a stage."""
        query = {"name": model, "version": version}
        answer = self._ask(
            f"list the requests for {model} v{version}",
            lambda client: client.perform_query(
                "GET", "/mlflow/transition-requests/list", data=query
            ),
        )
        return [
            TransitionRequest(
                to=request.get("to_stage", ""),
                by=request.get("user_id", ""),
                at=int(request.get("creation_timestamp", 0)),
                comment=request.get("comment", ""),
            )
            for request in answer.get("requests", ())
        ]

    def _export(self, path: str, kind: str) -> bytes | None:
        try:
            answer = self._ask(
                f"read {path}", lambda client: WorkspaceService(client).export_workspace(path, kind)
            )
        except NotFound:
            return None
        return base64.b64decode(answer.get("content") or "")

    def _whole(self, job: int) -> dict[str, Any]:
        first, *others = self._pages(f"show job {job}", "get", {"job_id": job})
        whole = dict(first)
        for page in others:
            whole = more_of(whole, page)
        return whole

    def _pages(self, what: str, verb: str, query: Json) -> Iterator[Json]:
        page = self._jobs(what, "GET", verb, query)
        yield page
        while token := page.get("next_page_token", ""):
            page = self._jobs(what, "GET", verb, {**query, "page_token": token})
            yield page

    def _jobs(self, what: str, method: str, verb: str, content: Json) -> Json:
        return self._ask(
            what,
            lambda client: client.perform_query(
                method, f"/jobs/{verb}", data=dict(content), version=JOBS
            ),
        )

    def _ask(self, what: str, call: Callable[[Any], Any]) -> Json:
        answer = self._call(what, call)
        if not isinstance(answer, Mapping):
            raise ServiceError(
                "Databricks", f"{self.host} did not answer with an object when asked to {what}."
            )
        return answer

    def _call(self, what: str, call: Callable[[Any], T]) -> T:
        for token in self._rotation:
            client = self._borrowed(token)
            try:
                return call(client)
            except requests.HTTPError as error:
                refusal = _refusal(error.response)
                if not rest.is_about_a_token(refusal.status, refusal.message):
                    retry_after = _retry_after(error.response)
                    raise rest.refusal(what, refusal.message, refusal.kind, retry_after) from error
                refused = error
            except requests.JSONDecodeError as error:
                raise ServiceError(
                    "Databricks",
                    f"{self.host} did not answer with JSON when asked to {what}. Is it a "
                    "workspace?",
                ) from error
            except OSError as error:  # What requests raises is one, too.
                raise rest.unreachable(self.host, what, error) from error
            finally:
                self._idle[token].append(client)
        raise rest.signed_out(self.host) from refused

    def _borrowed(self, token: int) -> Any:
        try:
            return self._idle[token].pop()
        except IndexError:
            return _client(self.host, self._tokens[token])


def _client(host: str, token: str) -> Any:
    client = ApiClient(host=host, token=token, command_name="signalman")
    client.url = f"{host}/api/"  # The package would drop the port.
    session = requests.Session()
    session.auth = _AsIs()
    session.max_redirects = 0
    for scheme in ("https://", "http://"):
        session.mount(scheme, _Patient(pool_connections=1, pool_maxsize=1))
    client.session = session
    return client


class _Refusal(NamedTuple):
    status: int
    code: str
    message: str

    @property
    def kind(self) -> int:
        """The status that says what is meant: 404 of a job or a run that is not there, of which
        older versions of the API say 400.
        """
        gone = _GONE.search(self.message) and self.code == "INVALID_PARAMETER_VALUE"
        if gone or self.code == "RESOURCE_DOES_NOT_EXIST":
            return 404
        return self.status


_GONE = re.compile(r"\b(?:Job|Run)\b.* (?:does not|doesn't) exist")


def _refusal(response: requests.Response) -> _Refusal:
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        body = {}
    return _Refusal(
        response.status_code,
        str(body.get("error_code") or ""),
        str(body.get("message") or response.reason or "no reason given"),
    )


def _retry_after(response: requests.Response) -> float | None:
    seconds = response.headers.get("Retry-After", "")
    if seconds.isdecimal():
        return float(seconds)
    return None
