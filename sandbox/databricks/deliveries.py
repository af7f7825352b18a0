"""Sending events to those who subscribed: signed, once, in the background, in order.

Nothing is tried again, because the documents promise nothing else.
"""

import hashlib
import hmac
import http.client
import json
import queue
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sandbox.databricks.wire import Refusal

PATIENCE_SECONDS = 10


@dataclass(frozen=True)
class Letter:
    """One event for one subscriber: to an address (`http`), or to start a job (`job`)."""

    webhook_id: str
    http: dict[str, Any] | None
    job: dict[str, Any] | None
    body: dict[str, Any]


@dataclass(frozen=True)
class Delivery:
    """One attempt: what was sent, and the status that came back (None when nobody answered)."""

    webhook_id: str
    url: str
    body: dict[str, Any]
    status: int | None
    answer: str


class Post:
    """Delivers letters. `deliveries` holds all attempts; `run_job` starts a job with an event."""

    def __init__(self, run_job: Callable[[int, dict[str, Any]], None]) -> None:
        self.deliveries: list[Delivery] = []
        self._run_job = run_job
        self._due: queue.SimpleQueue[Letter | None] = queue.SimpleQueue()
        self._open = 0
        self._settled = threading.Condition()
        self._thread: threading.Thread | None = None

    def send(self, letter: Letter) -> None:
        """Deliver soon."""
        with self._settled:
            self._open += 1
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._deliver_all, daemon=True, name="registry webhooks"
                )
                self._thread.start()
        self._due.put(letter)

    def deliver(self, letter: Letter) -> Delivery:
        """Deliver now, and tell what came of it."""
        if letter.job:
            url = f"job {letter.job['job_id']}"
            try:
                self._run_job(int(letter.job["job_id"]), letter.body)
                status, answer = 200, "OK"
            except Refusal as refusal:
                status, answer = refusal.status, refusal.message
            delivery = Delivery(letter.webhook_id, url, letter.body, status, answer)
        else:
            spec = letter.http or {}
            came = _post(spec, json.dumps(letter.body).encode())
            delivery = Delivery(letter.webhook_id, spec["url"], letter.body, *came)
        self.deliveries.append(delivery)
        return delivery

    def drain(self, timeout: float) -> bool:
        """Wait until everything is delivered; False after `timeout` seconds."""
        with self._settled:
            return self._settled.wait_for(lambda: self._open == 0, timeout)

    def stop(self) -> None:
        """Deliver nothing more."""
        if self._thread:
            self._due.put(None)
            self._thread.join(PATIENCE_SECONDS + 5)
            self._thread = None

    def _deliver_all(self) -> None:
        while (letter := self._due.get()) is not None:
            self.deliver(letter)
            with self._settled:
                self._open -= 1
                self._settled.notify_all()


def _post(spec: dict[str, Any], body: bytes) -> tuple[int | None, str]:
    headers = {"Content-Type": "application/json", "User-Agent": "Databricks/1.0"}
    if spec.get("secret"):
        headers["X-Databricks-Signature"] = hmac.new(
            spec["secret"].encode(), body, hashlib.sha256
        ).hexdigest()
    if spec.get("authorization"):
        headers["Authorization"] = spec["authorization"]
    parts = urlsplit(spec["url"])
    host = parts.hostname or ""
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context()
        if spec.get("enable_ssl_verification") is False:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(
            host, parts.port, timeout=PATIENCE_SECONDS, context=context
        )
    else:
        connection = http.client.HTTPConnection(host, parts.port, timeout=PATIENCE_SECONDS)
    try:
        connection.request(
            "POST", parts.path + (f"?{parts.query}" if parts.query else ""), body, headers
        )
        response = connection.getresponse()
        return response.status, response.read(2000).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return None, str(error)
    finally:
        connection.close()
