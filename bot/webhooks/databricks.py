"""Webhooks of the Databricks workspace model registry: which model somebody should look at.

Their signature covers neither a time nor a delivery id
(https://docs.databricks.com/aws/en/mlflow/model-registry-webhooks), so an old one
can be sent again; it then makes us look, and looking does no harm.
"""

import hashlib
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from bot.errors import RefusedHook
from bot.facts.model import ACCEPTED
from bot.subjects import Delivery, Model
from bot.webhooks import Ignored, authentication
from bot.webhooks.json_body import Part

# Which of these names the narrower subscriptions send is not documented; both are taken.
STAGE_EVENTS = frozenset(
    {
        "MODEL_VERSION_TRANSITIONED_STAGE",
        "MODEL_VERSION_TRANSITIONED_TO_STAGING",
        "MODEL_VERSION_TRANSITIONED_TO_PRODUCTION",
        "MODEL_VERSION_TRANSITIONED_TO_ARCHIVED",
    }
)
# Somebody asks for a stage, and is told what to know first.
REQUEST_EVENTS = frozenset(
    {
        "TRANSITION_REQUEST_CREATED",
        "TRANSITION_REQUEST_TO_STAGING_CREATED",
        "TRANSITION_REQUEST_TO_PRODUCTION_CREATED",
        "TRANSITION_REQUEST_TO_ARCHIVED_CREATED",
    }
)
_LONGEST_KEY = 200


def read(headers: Mapping[str, str], body: bytes, *, secrets: Sequence[str]) -> Delivery | Ignored:
    """Tell which model a registry webhook speaks of. Raises RefusedHook: 401 for its signature, 400
    for its body.
    """
    signature = authentication.header(headers, "X-Databricks-Signature").strip().lower()
    accepted = [authentication.hmac_sha256(secret, body).hex().encode() for secret in secrets]
    if not authentication.matches(signature.encode(errors="replace"), accepted):
        raise RefusedHook(401, "X-Databricks-Signature is missing or was made with another secret.")
    event = Part.parse(body)
    kind = event.text("event")
    if kind == "MODEL_VERSION_CREATED":
        return Ignored("A new version serves nobody until it is moved to a stage.")
    if kind not in STAGE_EVENTS | REQUEST_EVENTS and not _accepts(event, kind):
        return Ignored(f"{kind} cannot change which version of a model serves.")
    if not event.has("model_name") and not event.has("version"):
        # What the registry's own test call sends is not documented; it may name nothing at all.
        return Ignored(
            "The delivery names no model version, so it is taken for a test of the webhook."
        )
    return Delivery(_key(event, kind), "databricks", kind, Model(event.text("model_name")))


def _accepts(event: Part, kind: str) -> bool:
    """Whether somebody says that a version is wanted in spite of what speaks against it."""
    if kind != "MODEL_VERSION_TAG_SET" or not event.has("tags"):
        return False
    return any(tag.hint("key") == ACCEPTED for tag in event.parts("tags"))


def _key(event: Part, kind: str) -> str:
    moment = event.number("event_timestamp", largest=2**63 - 1)
    parts = [event.label("webhook_id"), kind, str(moment)]
    parts += [event.label(field) for field in ("model_name", "version", "to_stage")]
    key = "databricks-" + "/".join(quote(part, safe="") for part in parts)
    if len(key) <= _LONGEST_KEY:
        return key
    return f"databricks-{hashlib.sha256(key.encode()).hexdigest()}"
