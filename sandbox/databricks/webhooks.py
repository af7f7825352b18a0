"""Registry webhooks: who subscribed to what. How events reach them is in `deliveries.py`.

https://docs.databricks.com/aws/en/mlflow/model-registry-webhooks
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from sandbox.databricks.deliveries import Letter, Post
from sandbox.databricks.wire import Call, Refusal, missing, now

EVENTS = {"MODEL_VERSION_CREATED", "MODEL_VERSION_TRANSITIONED_STAGE", "MODEL_VERSION_TRANSITIONED_TO_STAGING",  # noqa: E501 a table, or a text as it is sent
          "MODEL_VERSION_TRANSITIONED_TO_PRODUCTION", "MODEL_VERSION_TRANSITIONED_TO_ARCHIVED",
          "MODEL_VERSION_TAG_SET", "TRANSITION_REQUEST_CREATED", "TRANSITION_REQUEST_TO_STAGING_CREATED",  # noqa: E501 a table, or a text as it is sent
          "TRANSITION_REQUEST_TO_PRODUCTION_CREATED", "TRANSITION_REQUEST_TO_ARCHIVED_CREATED", "COMMENT_CREATED",  # noqa: E501 a table, or a text as it is sent
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
        """The webhook as the API shows it: secret, authorization and access token are never given
        back.
        """
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
            found["job_spec"] = {
                key: self.job[key] for key in ("job_id", "workspace_url") if key in self.job
            }
        return found


class Webhooks:
    """Answers `/api/2.0/mlflow/registry-webhooks/…` and has events delivered."""

    def __init__(self, run_job: Callable[[int, dict[str, Any]], None]) -> None:
        self.hooks: dict[str, Webhook] = {}
        self.post = Post(run_job)

    def create(self, call: Call) -> dict[str, Any]:
        """`create`: for one model, or for all when `model_name` is left out."""
        asked = call.json()
        events = self._events(asked.get("events"))
        http, job = asked.get("http_url_spec"), asked.get("job_spec")
        if (http is None) == (job is None):
            raise _invalid("Exactly one of http_url_spec and job_spec must be specified.")
        if asked.get("model_name") and "REGISTERED_MODEL_CREATED" in events:
            raise _invalid(
                "REGISTERED_MODEL_CREATED can only be subscribed to for the whole registry."
            )
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
        sample = {
            "model_name": hook.model_name or "test_model",
            "version": "1",
            "text": "A test of this webhook.",
        }
        delivery = self.post.deliver(_letter(hook, event, sample))
        return {"status_code": delivery.status or 502, "body": delivery.answer}

    def fire(self, events: tuple[str, ...], model: str, **fields: Any) -> None:
        """Tell all active subscribers of any of these events; each hears the event by the name it
        asked for.
        """
        for hook in list(self.hooks.values()):
            if hook.status != "ACTIVE" or hook.model_name not in (None, model):
                continue
            for event in events:
                if event in hook.events:
                    self.post.send(_letter(hook, event, {"model_name": model, **fields}))

    def drain(self, timeout: float) -> bool:
        """Wait until everything is delivered; False after `timeout` seconds."""
        return self.post.drain(timeout)

    def _hook(self, asked: dict[str, Any]) -> Webhook:
        if not asked.get("id"):
            raise missing("id")
        if asked["id"] not in self.hooks:
            raise Refusal(
                404, "RESOURCE_DOES_NOT_EXIST", f"Webhook with ID {asked['id']} not found."
            )
        return self.hooks[asked["id"]]

    @staticmethod
    def _events(asked: Any) -> Any:
        if not asked:
            raise missing("events")
        for event in asked:
            if event not in EVENTS:
                raise _invalid(f"Invalid event: {event}")
        return list(dict.fromkeys(asked))


def _letter(hook: Webhook, event: str, fields: dict[str, Any]) -> Letter:
    body = {"event": event, "webhook_id": hook.id, "event_timestamp": now(), **fields}
    return Letter(hook.id, hook.http, hook.job, body)


def _check_url(spec: dict[str, Any] | None) -> None:
    if spec is None:
        return
    parts = urlsplit(spec.get("url") or "")
    # The service takes https only. Loopback is the one thing a sandbox has to allow besides.
    if parts.scheme != "https" and not (
        parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost")
    ):
        raise _invalid(f"Invalid webhook URL: {spec.get('url')}. Only HTTPS URLs are supported.")


def _invalid(message: str) -> Refusal:
    return Refusal(400, "INVALID_PARAMETER_VALUE", message)
