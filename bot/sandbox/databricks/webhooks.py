"""Registry webhooks: who subscribed to what, and the signed deliveries.

A delivery is made once, in the background, in order; nothing is tried again,
because the documents promise nothing else.
https://docs.databricks.com/aws/en/mlflow/model-registry-webhooks
"""

import hashlib
import hmac
import http.client
import json
import queue
import secrets
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from bot.sandbox.databricks.wire import Call, Refusal, missing, now

EVENTS = {"MODEL_VERSION_CREATED", "MODEL_VERSION_TRANSITIONED_STAGE", "MODEL_VERSION_TRANSITIONED_TO_STAGING",
          "MODEL_VERSION_TRANSITIONED_TO_PRODUCTION", "MODEL_VERSION_TRANSITIONED_TO_ARCHIVED",
          "MODEL_VERSION_TAG_SET", "TRANSITION_REQUEST_CREATED", "TRANSITION_REQUEST_TO_STAGING_CREATED",
          "TRANSITION_REQUEST_TO_PRODUCTION_CREATED", "TRANSITION_REQUEST_TO_ARCHIVED_CREATED", "COMMENT_CREATED",
          "REGISTERED_MODEL_CREATED"}  # fmt: skip


@dataclass
class Webhook:
    """One subscription; `http` and `job` hold what was asked for, secrets included."""

    id: str
    events: list[str]
    model_name: str | None
    description: str | None
    status: str
    http: dict[str, Any] | None
    job: dict[str, Any] | None
    created: int = field(default_factory=now)
    updated: int = field(default_factory=now)

    def shown(self) -> dict[str, Any]:
        """The webhook as the API shows it: secret, authorization and access token are never given back."""
        found: dict[str, Any] = {
            "id": self.id,
            "creation_timestamp": self.created,
            "last_updated_timestamp": self.updated,
            "status": self.status,
            "events": list(self.events),
        }
        for name, value in (("model_name", self.model_name), ("description", self.description)):
            if value:
                found[name] = value
        if self.http:
            found["http_url_spec"] = {
                "url": self.http["url"],
                "enable_ssl_verification": self.http.get("enable_ssl_verification", True),
            }
        if self.job:
            found["job_spec"] = {key: self.job[key] for key in ("job_id", "workspace_url") if key in self.job}
        return found


@dataclass(frozen=True)
class Delivery:
    """One attempt: what was sent, and the status that came back (None when nobody answered)."""

    webhook_id: str
    url: str
    body: dict[str, Any]
    status: int | None
    answer: str


class Webhooks:
    """Answers `/api/2.0/mlflow/registry-webhooks/…` and delivers events. `deliveries` holds all attempts."""

    def __init__(self, run_job: Callable[[int, dict[str, Any]], None]) -> None:
        self.hooks: dict[str, Webhook] = {}
        self.deliveries: list[Delivery] = []
        self._run_job = run_job
        self._due: queue.SimpleQueue[tuple[Webhook, dict[str, Any]] | None] = queue.SimpleQueue()
        self._open = 0
        self._settled = threading.Condition()
        self._thread: threading.Thread | None = None

    def create(self, call: Call) -> dict[str, Any]:
        """`create`: for one model, or for all when `model_name` is left out."""
        asked = call.json()
        events = self._events(asked.get("events"))
        http, job = asked.get("http_url_spec"), asked.get("job_spec")
        if (http is None) == (job is None):
            raise _invalid("Exactly one of http_url_spec and job_spec must be specified.")
        if asked.get("model_name") and "REGISTERED_MODEL_CREATED" in events:
            raise _invalid("REGISTERED_MODEL_CREATED can only be subscribed to for the whole registry.")
        _check_url(http)
        hook = Webhook(
            id=secrets.token_hex(16),
            events=events,
            model_name=asked.get("model_name") or None,
            description=asked.get("description"),
            status=asked.get("status") or "ACTIVE",
            http=http,
            job=job,
        )
        self.hooks[hook.id] = hook
        return {"webhook": hook.shown()}

    def list(self, call: Call) -> dict[str, Any]:
        """`list`, in pages, by model and by events."""
        asked = call.asked()
        model = asked.get("model_name")
        raw = asked.get("events") or []
        events = set(raw.split(",") if isinstance(raw, str) else raw)
        found = [
            hook
            for hook in self.hooks.values()
            if (not model or hook.model_name == model) and (not events or events & set(hook.events))
        ]
        offset, most = int(asked.get("page_token") or 0), int(asked.get("max_results") or 1000)
        more = {"next_page_token": str(offset + most)} if offset + most < len(found) else {}
        return {"webhooks": [hook.shown() for hook in found[offset : offset + most]], **more}

    def update(self, call: Call) -> dict[str, Any]:
        """`update`: only what is named changes."""
        asked = call.json()
        hook = self._hook(asked)
        if asked.get("events"):
            hook.events = self._events(asked["events"])
        if asked.get("http_url_spec"):
            _check_url(asked["http_url_spec"])
            hook.http, hook.job = asked["http_url_spec"], None
        if asked.get("job_spec"):
            hook.http, hook.job = None, asked["job_spec"]
        hook.status = asked.get("status") or hook.status
        hook.description = asked.get("description", hook.description)
        hook.updated = now()
        return {"webhook": hook.shown()}

    def delete(self, call: Call) -> dict[str, Any]:
        """`delete`; the id comes in the body or in the query."""
        del self.hooks[self._hook(call.asked()).id]
        return {}

    def test(self, call: Call) -> dict[str, Any]:
        """`test`: one made-up event is sent at once, and the receiver's answer shown."""
        asked = call.json()
        hook = self._hook(asked)
        event = asked.get("event") or hook.events[0]
        sample = {"model_name": hook.model_name or "test_model", "version": "1", "text": "A test of this webhook."}
        delivery = self._deliver(hook, _payload(hook, event, sample))
        return {"status_code": delivery.status or 502, "body": delivery.answer}

    def fire(self, events: tuple[str, ...], model: str, **fields: Any) -> None:
        """Tell all active subscribers of any of these events; each hears the event by the name it asked for."""
        for hook in list(self.hooks.values()):
            if hook.status != "ACTIVE" or hook.model_name not in (None, model):
                continue
            for event in events:
                if event in hook.events:
                    self._enqueue(hook, _payload(hook, event, {"model_name": model, **fields}))

    def drain(self, timeout: float) -> bool:
        """Wait until everything is delivered; False after `timeout` seconds."""
        with self._settled:
            return self._settled.wait_for(lambda: self._open == 0, timeout)

    def stop(self) -> None:
        """Deliver nothing more."""
        if self._thread:
            self._due.put(None)
            self._thread.join(15)
            self._thread = None

    def _enqueue(self, hook: Webhook, body: dict[str, Any]) -> None:
        with self._settled:
            self._open += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._deliver_all, daemon=True, name="registry webhooks")
                self._thread.start()
        self._due.put((hook, body))

    def _deliver_all(self) -> None:
        while (due := self._due.get()) is not None:
            self._deliver(*due)
            with self._settled:
                self._open -= 1
                self._settled.notify_all()

    def _deliver(self, hook: Webhook, body: dict[str, Any]) -> Delivery:
        if hook.job:
            url = f"job {hook.job['job_id']}"
            try:
                self._run_job(int(hook.job["job_id"]), body)
                status, answer = 200, "OK"
            except Refusal as refusal:
                status, answer = refusal.status, refusal.message
            delivery = Delivery(hook.id, url, body, status, answer)
        else:
            spec = hook.http or {}
            delivery = Delivery(hook.id, spec["url"], body, *_post(spec, json.dumps(body).encode()))
        self.deliveries.append(delivery)
        return delivery

    def _hook(self, asked: dict[str, Any]) -> Webhook:
        if not asked.get("id"):
            raise missing("id")
        if asked["id"] not in self.hooks:
            raise Refusal(404, "RESOURCE_DOES_NOT_EXIST", f"Webhook with ID {asked['id']} not found.")
        return self.hooks[asked["id"]]

    @staticmethod
    def _events(asked: Any) -> Any:
        if not asked:
            raise missing("events")
        for event in asked:
            if event not in EVENTS:
                raise _invalid(f"Invalid event: {event}")
        return list(dict.fromkeys(asked))


def _payload(hook: Webhook, event: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {"event": event, "webhook_id": hook.id, "event_timestamp": now(), **fields}


def _post(spec: dict[str, Any], body: bytes) -> tuple[int | None, str]:
    headers = {"Content-Type": "application/json", "User-Agent": "Databricks/1.0"}
    if spec.get("secret"):
        headers["X-Databricks-Signature"] = hmac.new(spec["secret"].encode(), body, hashlib.sha256).hexdigest()
    if spec.get("authorization"):
        headers["Authorization"] = spec["authorization"]
    parts = urlsplit(spec["url"])
    host = parts.hostname or ""
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context()
        if spec.get("enable_ssl_verification") is False:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(host, parts.port, timeout=10, context=context)
    else:
        connection = http.client.HTTPConnection(host, parts.port, timeout=10)
    try:
        connection.request("POST", parts.path + (f"?{parts.query}" if parts.query else ""), body, headers)
        response = connection.getresponse()
        return response.status, response.read(2000).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return None, str(error)
    finally:
        connection.close()


def _check_url(spec: dict[str, Any] | None) -> None:
    if spec is None:
        return
    parts = urlsplit(spec.get("url") or "")
    # The service takes https only. Loopback is the one thing a sandbox has to allow besides.
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost")):
        raise _invalid(f"Invalid webhook URL: {spec.get('url')}. Only HTTPS URLs are supported.")


def _invalid(message: str) -> Refusal:
    return Refusal(400, "INVALID_PARAMETER_VALUE", message)
