"""A real MLflow server, started on loopback for the sandbox and the tests.

What runs is the application that `mlflow server --gunicorn-opts=…` runs, under the
server it uses then, with one worker. Under uvicorn, which it uses where nothing is
said, each request of the REST interface comes to the same application by way of
eight layers of middleware, in which three quarters of the server's time goes.

MLflow's own command line is left out: it imports all of MLflow once more, just to
start this process, and so doubles the time until the first answer (measured for
3.17.2: 5 s, against 2.5 s). Nothing of MLflow is imported by this module.
"""

import base64
import http.client
import json
import os
import secrets
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sandbox import leash
from sandbox.ports import free_port

APPLICATION = "mlflow.server:app"
KEPT_OPEN_SECONDS = 5
"""How long the server keeps a connection open on which nothing is asked."""
REGISTRY_EVENTS = (
    "model_version.created",
    "model_version_alias.created",
    "model_version_alias.deleted",
    "model_version_tag.set",
)


class MlflowServer:
    """An MLflow tracking server and model registry below `root`, with webhooks that reach loopback.

    Runs and models are in SQLite, artifacts in a folder which clients write to
    directly, as they would to cloud storage, or by way of the server if it is `proxied`.
    """

    def __init__(
        self, root: Path, *, port: int = 0, python: str = sys.executable, proxied: bool = False
    ) -> None:
        self.root = root = root.resolve()
        self.log = root / "mlflow.log"
        self.database = root / "mlflow.db"
        self.artifacts = root / "artifacts"
        self._proxied = proxied
        self._port = port
        self._python = python
        self._process: leash.Leashed | None = None

    @property
    def url(self) -> str:
        """The address of the server, without a slash at its end."""
        return f"http://127.0.0.1:{self._port}"

    def start(self, *, wait: bool = True, timeout: float = 90) -> Self:
        """Start the server; with `wait=False` use `wait_until_ready` before the first call.

        `RuntimeError`, with the end of the log, when it does not come up.
        """
        self.artifacts.mkdir(parents=True, exist_ok=True)
        self._port = self._port or free_port()
        self._process = leash.start(
            [
                "-m",
                "gunicorn",
                "--bind",
                f"127.0.0.1:{self._port}",
                "--workers",
                "1",
                "--threads",
                "16",
                "--keep-alive",
                str(KEPT_OPEN_SECONDS),
                "--timeout",
                "0",  # a busy machine is no reason to start it anew
                "--no-control-socket",
                APPLICATION,
            ],
            python=self._python,
            environment=self._environment(),
            directory=self.root,
            log=self.log,
        )
        try:
            if wait:
                self.wait_until_ready(timeout)
        except BaseException:
            self.stop()
            raise
        return self

    def wait_until_ready(self, timeout: float = 90) -> None:
        """Return when the server answers and its database has its tables."""
        deadline = time.monotonic() + timeout
        while not self._healthy():
            if self._process is None or self._process.poll() is not None:
                raise RuntimeError(
                    "The MLflow server ended while starting. The end of "
                    f"{self.log}:\n{self._log_end()}"
                )
            if time.monotonic() > deadline:
                raise RuntimeError(
                    f"The MLflow server at {self.url} did not answer within {timeout:.0f} s; see "
                    f"{self.log}."
                )
            time.sleep(0.02)
        # The tables are made at the first question that needs them, which takes a second.
        self.call("POST", "/api/2.0/mlflow/experiments/search", {"max_results": 1})
        self.call("GET", "/api/2.0/mlflow/registered-models/search?max_results=1")

    def stop(self) -> None:
        """End the server and everything it started. Its files stay."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """One call of MLflow's REST API; `RuntimeError` with MLflow's own words when it refuses."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            connection.request(
                method,
                path,
                json.dumps(body) if body is not None else None,
                {"Content-Type": "application/json"},
            )
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise RuntimeError(
                f"MLflow answered {method} {path} with {answer.status}: "
                f"{content.decode(errors='replace')}"
            )
        found: dict[str, Any] = json.loads(content or b"{}")
        return found

    def subscribe(self, url: str, secret: str, events: Iterable[str] = REGISTRY_EVENTS) -> str:
        """Have registry events (`"model_version_alias.created"`, …) posted to `url`, signed with
        `secret`.

        Gives the webhook's id. https://mlflow.org/docs/latest/ml/webhooks/
        """
        wanted = [
            dict(zip(("entity", "action"), event.upper().split("."), strict=True))
            for event in events
        ]
        body = {"name": "signalman", "url": url, "events": wanted, "secret": secret}
        webhook: str = self.call("POST", "/api/2.0/mlflow/webhooks", body)["webhook"]["webhook_id"]
        return webhook

    def __enter__(self) -> Self:
        return self if self._process is not None else self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _environment(self) -> dict[str, str]:
        store = f"sqlite:///{self.database}"
        files = {"_MLFLOW_SERVER_ARTIFACT_ROOT": str(self.artifacts)}
        if self._proxied:
            files = {
                "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
                "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(self.artifacts),
                "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
            }
        return {
            **files,
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.root),
            "LANG": "C.UTF-8",
            # How `mlflow server` hands its options to the process that serves
            # (mlflow/server/constants.py).
            "_MLFLOW_SERVER_FILE_STORE": store,
            "_MLFLOW_SERVER_REGISTRY_STORE": store,
            "_MLFLOW_SGI_NAME": "gunicorn",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http,https",
            "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
            "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": self._encryption_key(),
            "MLFLOW_WEBHOOK_CACHE_TTL": "1",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "true",
            "GIT_PYTHON_REFRESH": "quiet",
        }

    def _encryption_key(self) -> str:
        """The key of the stored webhook secrets; kept, or they could not be read after a
        restart.
        """
        kept = self.root / "webhook.key"
        if not kept.exists():
            kept.touch(mode=0o600)
            kept.write_text(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
        return kept.read_text()

    def _healthy(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def _log_end(self) -> str:
        return (
            self.log.read_text(errors="replace")[-2000:]
            if self.log.exists()
            else "(no log was written)"
        )
