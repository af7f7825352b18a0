"""The way from a workspace's `/api/2.0/mlflow/…` to the real MLflow server behind it.

Passes everything on as it is, bodies in pieces; who may ask what, and what
Databricks does otherwise, is decided before it gets here.
"""

import http.client
import json
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlencode, urlsplit

from sandbox.databricks.wire import Answer, Call, Refusal

# The server closes idle connections after 5 s; a younger one is safe to use again.
IDLE_SECONDS = 2.0
NOT_PASSED_ON = {
    "host",
    "authorization",
    "connection",
    "content-length",
    "accept-encoding",
    "transfer-encoding",
}
NOT_PASSED_BACK = {
    "connection",
    "transfer-encoding",
    "content-length",
    "content-type",
    "date",
    "server",
    "keep-alive",
}


class MlflowProxy:
    """Asks the MLflow server at `url`, with connections that are kept open for the next call."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._idle: list[tuple[float, http.client.HTTPConnection]] = []
        self._lock = threading.Lock()

    def forward(self, call: Call) -> Answer:
        """Pass a call on and its answer back."""
        headers = {
            name: value for name, value in call.headers.items() if name.lower() not in NOT_PASSED_ON
        }
        target = call.path + (f"?{call.query_string}" if call.query_string else "")
        return self._send(call.method, target, call.body, headers)

    def ask(self, method: str, path: str, **fields: Any) -> dict[str, Any]:
        """A question of the workspace's own; a `Refusal` in MLflow's words when it is refused."""
        path = f"/api/2.0/mlflow/{path}"
        body = b""
        if method == "GET":
            path += "?" + urlencode(fields)
        else:
            body = json.dumps(fields).encode()
        answer = self._send(method, path, body, {"Content-Type": "application/json"})
        content = answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)
        found: dict[str, Any] = json.loads(content or b"{}")
        if answer.status != 200:
            raise Refusal(answer.status, found.get("error_code"), str(found.get("message")))
        return found

    def close(self) -> None:
        """Close the connections that are kept."""
        with self._lock:
            for _, connection in self._idle:
                connection.close()
            self._idle.clear()

    def _send(self, method: str, target: str, body: bytes, headers: dict[str, str]) -> Answer:
        connection = self._connection()
        try:
            connection.request(method, target, body or None, headers)
            response = connection.getresponse()
        except OSError as error:
            connection.close()
            raise Refusal(
                503,
                "TEMPORARILY_UNAVAILABLE",
                f"The MLflow server of this workspace does not answer: {error}",
            ) from None
        kind = response.headers.get("Content-Type", "application/json")
        passed = {
            name: value
            for name, value in response.headers.items()
            if name.lower() not in NOT_PASSED_BACK
        }
        content: bytes | Iterable[bytes]
        if "json" in kind:
            content = response.read()
            self._keep(connection)
        else:
            content = self._pieces(connection, response)
        return Answer(content, response.status, passed, kind)

    def _pieces(
        self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse
    ) -> Iterator[bytes]:
        try:
            while piece := response.read(64 * 1024):
                yield piece
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        with self._lock:
            while self._idle:
                since, connection = self._idle.pop()
                if time.monotonic() - since < IDLE_SECONDS:
                    return connection
                connection.close()
        return http.client.HTTPConnection(self._host, self._port, timeout=120)

    def _keep(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            self._idle.append((time.monotonic(), connection))
