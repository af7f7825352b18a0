"""The stand-in Databricks workspace as a whole: who may come in, and which part answers.

Workspace files are files, tasks are processes, and MLflow is a real server
behind it. One difference a task can notice: `/Workspace/…` lies elsewhere on
disk, so it has to find its neighbours relative to its working directory. Two it
cannot: libraries are checked and kept, but not installed (a task has the
packages of `python`), and a schedule is kept and shown, but starts nothing.
"""

import json
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sandbox.databricks import catalog_files
from sandbox.databricks import unity_catalog as catalog
from sandbox.databricks.dbfs import UPLOADS, Dbfs
from sandbox.databricks.execution import Executor
from sandbox.databricks.jobs import JobsApi
from sandbox.databricks.listener import Listener, readable
from sandbox.databricks.mlflow_proxy import MlflowProxy
from sandbox.databricks.pages import Pages
from sandbox.databricks.registry import Registry, no_such_endpoint
from sandbox.databricks.routes import WORKSPACE_ID, Identity, table
from sandbox.databricks.runs import State
from sandbox.databricks.runs_api import RunsApi
from sandbox.databricks.stored_files import SIGNED, StoredFiles
from sandbox.databricks.tree import Tree
from sandbox.databricks.webhooks import Webhooks
from sandbox.databricks.wire import KEPT, Answer, Call, Exchange, Handler, Refusal
from sandbox.databricks.workspace import WorkspaceApi

PERSON = "ada@contoso.example"
SUBSCRIBED = (
    "MODEL_VERSION_TRANSITIONED_STAGE",
    "MODEL_VERSION_CREATED",
    "MODEL_VERSION_TAG_SET",
    "TRANSITION_REQUEST_CREATED",
)
FAULTS = {
    403: ("PERMISSION_DENIED", "User does not have the required permissions."),
    429: ("REQUEST_LIMIT_EXCEEDED", "Current request rate exceeds the limit of this endpoint."),
    503: ("TEMPORARILY_UNAVAILABLE", "The service at this path is temporarily unavailable."),
}
ASKED_WITH_TOKEN = ("/api/", UPLOADS)
Observer = Callable[[Exchange], None]


class Databricks:
    """A workspace on 127.0.0.1, with everything it keeps below `root`.

    `tokens` says whose each token is; everybody is an administrator. `slots` is
    how many runs can be carried out at once, `cluster_start_seconds` how long
    each waits for its cluster, `latency` how long every API call takes at least,
    `task_environment` what tasks see besides what a cluster shows them. With
    `dbfs_root` it is an older workspace, which MLflow's own `databricks` backend
    needs: DBFS has a root, and tasks may be shell commands.
    `calls` holds the last 10,000 exchanges; `observers` are called with each.
    """

    def __init__(
        self,
        root: Path,
        *,
        tokens: Mapping[str, str],
        mlflow_url: str | None = None,
        python: str = sys.executable,
        slots: int = 2,
        cluster_start_seconds: float = 0.0,
        latency: float = 0.0,
        task_environment: Mapping[str, str] | None = None,
        dbfs_root: bool = False,
    ) -> None:
        root = root.resolve()
        self.latency = latency
        self.calls: deque[Exchange] = deque(maxlen=10_000)
        self.observers: list[Observer] = []
        self._tokens = dict(tokens)
        self._faults: list[tuple[str, str, Refusal, bool]] = []
        self._lock = threading.Lock()
        self._listener: Listener | None = None
        self.tree_on_disk = Tree(root, set(tokens.values()))
        self.dbfs = Dbfs(root, enabled=dbfs_root)
        self.executor = Executor(
            self.tree_on_disk,
            self.dbfs,
            self._tokens,
            python=python,
            home=root / "home",
            slots=slots,
            cluster_start_seconds=cluster_start_seconds,
            environment=task_environment or {},
            url=lambda: self.url,
        )
        self.jobs_api = JobsApi()
        self.runs_api = RunsApi(
            self.jobs_api, self.executor, root / "runs", lambda: self.url, WORKSPACE_ID
        )
        self.webhooks = Webhooks(self._run_job_of_webhook)
        self._proxy = MlflowProxy(mlflow_url) if mlflow_url else None
        self.stored_files = StoredFiles(self._proxy, lambda: self.url) if self._proxy else None
        self.registry = (
            Registry(self._proxy, self.stored_files, self.tree_on_disk, self.webhooks)
            if self._proxy and self.stored_files
            else None
        )
        files = catalog_files.CatalogFiles(root / "unity_catalog", lambda: self.url)
        self.unity_catalog = catalog.UnityCatalog(files)
        self._pages = Pages(
            self.tree_on_disk, self.jobs_api, self.runs_api, self.webhooks, mlflow_url
        )
        self._routes = table(
            WorkspaceApi(self.tree_on_disk),
            self.jobs_api,
            self.runs_api,
            Identity(lambda: self.url),
        )

    @property
    def url(self) -> str:
        """The workspace's address, without a slash at its end."""
        if self._listener is None:
            raise RuntimeError("The stand-in Databricks has no address before it is started.")
        return f"http://{self._listener.host}:{self._listener.port}"

    def start(self, port: int = 0, host: str = "127.0.0.1") -> Self:
        """Begin to answer at a loopback address; port 0 takes a free one."""
        self._listener = Listener(host, port, self._answer)
        return self

    def stop(self) -> None:
        """End all tasks and answer no more. The files stay."""
        if self._listener is None:
            return
        self.executor.stop(list(self.runs_api.runs.values()))
        self.webhooks.post.stop()
        self._listener.close()
        if self._proxy:
            self._proxy.close()
        self._listener = None

    def __enter__(self) -> Self:
        return self if self._listener else self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def subscribe_bot(self, url: str, secret: str, events: tuple[str, ...] = SUBSCRIBED) -> str:
        """Have events of the whole registry posted to `url`, signed with `secret`; gives the
        webhook's id.
        """
        asked = {"events": list(events), "http_url_spec": {"url": url, "secret": secret}}
        created = self.webhooks.create(
            self._own_call("POST", "/api/2.0/mlflow/registry-webhooks/create", asked)
        )
        identity: str = created["webhook"]["id"]
        return identity

    def transition(
        self, name: str, version: str | int, stage: str, *, archive: bool = False
    ) -> None:
        """Do what a person does who moves a model version to a stage in the UI."""
        if self.registry is None:
            raise RuntimeError(
                "This workspace was started without an MLflow server, so it has no models."
            )
        self.registry.transition(name, str(version), stage, archive=archive)

    def request_transition(
        self, name: str, version: str | int, stage: str, *, user: str = PERSON
    ) -> None:
        """Do what a person does who asks for a model version to be moved to a stage."""
        if self.registry is None:
            raise RuntimeError(
                "This workspace was started without an MLflow server, so it has no models."
            )
        self.registry.requests.ask(name, str(version), stage, user)

    def comments(self, name: str, version: str | int) -> list[str]:
        """What was said on a model version, the oldest first."""
        found = self.registry.comments.values() if self.registry else ()
        return [
            one["comment"] for one in found if (one["name"], one["version"]) == (name, str(version))
        ]

    def run_now(self, job_id: int, **job_parameters: str) -> int:
        """Press "Run now" of a job; gives the id of the run."""
        asked = {"job_id": job_id, "job_parameters": job_parameters}
        run_id: int = self.runs_api.run_now(self._own_call("POST", "/api/2.2/jobs/run-now", asked))[
            "run_id"
        ]
        return run_id

    def pause(self, job_id: int, paused: bool = True) -> None:
        """Do what a person does who pauses or resumes a job's schedule on its page."""
        schedule = self.jobs_api.jobs[job_id].settings.get("schedule")
        if not schedule:
            raise ValueError(f"Job {job_id} has no schedule that could be paused.")
        changed = {**schedule, "pause_status": "PAUSED" if paused else "UNPAUSED"}
        asked = {"job_id": job_id, "new_settings": {"schedule": changed}}
        self.jobs_api.update(self._own_call("POST", "/api/2.2/jobs/update", asked))

    def wait(self, run_id: int, timeout: float = 120) -> dict[str, Any]:
        """Wait for the end of a run and give it as runs/get shows it; `TimeoutError` after
        `timeout` seconds.
        """
        run = self.runs_api.runs[run_id]
        if not self.executor.wait(run, timeout):
            raise TimeoutError(
                f"Run {run_id} ({run.name}) is still {run.state.life_cycle} after {timeout:.0f} s."
            )
        return run.shown()

    def output(self, run_id: int) -> str:
        """Everything the tasks of a run have written so far."""
        logs = [task.log for task in self.runs_api.runs[run_id].tasks]
        return "".join(log.read_text(errors="replace") for log in logs if log.exists())

    def jobs(self) -> list[dict[str, Any]]:
        """All jobs as jobs/get shows them, oldest first."""
        return [job.shown() for job in list(self.jobs_api.jobs.values())]

    def runs(self) -> list[dict[str, Any]]:
        """All runs as runs/get shows them, oldest first."""
        return [run.shown() for run in list(self.runs_api.runs.values())]

    def tree(self, path: str = "/") -> dict[str, bytes]:
        """Path and content of every notebook and file below a directory."""
        found: dict[str, bytes] = {}
        for child in (
            self.tree_on_disk.children(path) if self.tree_on_disk.kind(path) == "DIRECTORY" else []
        ):
            if self.tree_on_disk.kind(child) == "DIRECTORY":
                found |= self.tree(child)
            else:
                found[child] = self.tree_on_disk.read(child)
        return found

    def drain(self, timeout: float = 10) -> bool:
        """Wait until every registry event is delivered; False after `timeout` seconds."""
        return self.webhooks.drain(timeout)

    def fail_next(
        self,
        method: str,
        path: str,
        status: int = 503,
        *,
        times: int = 1,
        retry_after: int | None = None,
        lose_answer: bool = False,
    ) -> None:
        """Answer the next calls whose path begins with `path` with an error, instead of doing what
        they ask.

        With `lose_answer` what they ask is done, and only the answer is lost on its way.
        """
        code, message = FAULTS.get(status, ("INTERNAL_ERROR", "An internal error occurred."))
        refusal = Refusal(
            status, code, message, {} if retry_after is None else {"Retry-After": str(retry_after)}
        )
        with self._lock:
            self._faults += [(method, path, refusal, lose_answer)] * times

    def fail_next_cluster(
        self, code: str = "CLOUD_FAILURE", message: str = "The cloud has no such machine."
    ) -> None:
        """Let the cluster of the next run that starts not come up; `code` is that of its
        termination details.
        """
        state = State(
            "INTERNAL_ERROR", "FAILED", f"Cluster was terminated. {message}", code, "CLOUD_FAILURE"
        )
        self.executor.broken_clusters.append(state)

    def _answer(self, call: Call) -> Answer:
        begun = time.monotonic()
        if self.stored_files and call.path.startswith(SIGNED):
            return self.stored_files.fetch(call)
        if call.path.startswith(catalog_files.SIGNED):
            return self.unity_catalog.files.exchange(call)
        if not call.path.startswith((*ASKED_WITH_TOKEN, "/.well-known/", "/oidc/")):
            return self._pages.answer(call)
        if self.latency:
            time.sleep(self.latency)
        try:
            call = self._authenticated(call)
            fault, lose_answer = self._fault(call) if call.user else (None, False)
            if fault and not lose_answer:
                raise fault
            found = self._handler(call)(call)
            if fault:
                raise fault
            answer = found if isinstance(found, Answer) else Answer(json.dumps(found).encode())
        except Refusal as refusal:
            answer = refusal.answer()
        except (
            Exception
        ) as error:  # Every call is answered; what broke is for the stand-in's author.
            answer = Refusal(500, "INTERNAL_ERROR", f"The stand-in failed: {error!r}").answer()
        request = readable(call.body, "json") if call.body else ({**call.form} or None)
        exchange = Exchange(
            call.method, call.path, call.query, call.user, request, answer.status,
            readable(answer.body, answer.content_type), time.monotonic() - begun,
            (call.body or b"".join(call.uploads.values()))[:KEPT],
            answer.body[:KEPT] if isinstance(answer.body, bytes) else b"",
        )  # fmt: skip
        self.calls.append(exchange)
        for observer in self.observers:
            observer(exchange)
        return answer

    def _authenticated(self, call: Call) -> Call:
        if not call.path.startswith(ASKED_WITH_TOKEN):
            return call
        kind, _, token = call.headers.get("Authorization", "").partition(" ")
        if kind != "Bearer" or not token:
            raise Refusal(
                401, 401, "Credential was not sent or was of an unsupported type for this API."
            )
        user = self._tokens.get(token)
        if user is None:
            raise Refusal(403, 403, "Invalid access token.")
        return Call(**{**vars(call), "user": user})

    def _fault(self, call: Call) -> tuple[Refusal | None, bool]:
        with self._lock:
            for fault in self._faults:
                if call.method == fault[0] and call.path.startswith(fault[1]):
                    self._faults.remove(fault)
                    return fault[2:]
        return None, False

    def _handler(self, call: Call) -> Handler:
        handler: Handler | None
        if call.path.startswith((catalog.BELOW, catalog.MODELS)):
            handler = self.unity_catalog.handler(call)
        elif call.path.startswith(catalog_files.ASKED):
            handler = self.unity_catalog.files.handler(call)
        elif call.path.startswith(("/api/2.0/mlflow/", "/api/3.0/mlflow/")) and self.registry:
            handler = self.registry.answer
        elif call.path.startswith(("/api/2.0/dbfs/", UPLOADS)):
            handler = self.dbfs.handler(call)
        else:
            handler = self._routes.get((call.method, call.path))
        if handler is None:
            raise no_such_endpoint(call)
        return handler

    def _own_call(self, method: str, path: str, asked: dict[str, Any]) -> Call:
        someone = next(iter(self._tokens.values()), "someone@example.com")
        return Call(method, path, {}, {}, json.dumps(asked).encode(), user=someone)

    def _run_job_of_webhook(self, job_id: int, event: dict[str, Any]) -> None:
        asked = {"job_id": job_id, "notebook_params": {"event_message": json.dumps(event)}}
        self.runs_api.run_now(self._own_call("POST", "/api/2.1/jobs/run-now", asked))
