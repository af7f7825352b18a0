"""Webhooks of an MLflow server's own registry: which model somebody should look at.

A stage transition sends nothing there, so an alias is what promotes
(https://mlflow.org/docs/latest/ml/webhooks).
"""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence

from bot.errors import RefusedHook
from bot.facts.model import ACCEPTED
from bot.subjects import Delivery, Model
from bot.webhooks import Ignored, authentication
from bot.webhooks.json_body import Part

# A retry keeps the time of the first try, and MLflow gives up well within this.
TOLERANCE = 300.0


def read(
    headers: Mapping[str, str], body: bytes, *, secrets: Sequence[str], now: float
) -> Delivery | Ignored:
    """Tell which model an MLflow webhook speaks of; `now` is in seconds since 1970.

    Raises RefusedHook: 401 for its signature or a time more than 300 s away, 400 for its body.
    """
    delivery = authentication.header(headers, "X-MLflow-Delivery-Id")
    sent = authentication.header(headers, "X-MLflow-Timestamp")
    signature = authentication.header(headers, "X-MLflow-Signature").encode(errors="replace")
    message = f"{delivery}.{sent}.".encode(errors="replace") + body
    digests = [authentication.hmac_sha256(secret, message) for secret in secrets]
    accepted = [b"v1," + base64.b64encode(digest) for digest in digests]
    if not authentication.matches(signature, accepted):
        raise RefusedHook(401, "X-MLflow-Signature is missing or was made with another secret.")
    is_time = re.fullmatch(r"[0-9]{1,12}", sent)
    if not delivery or not is_time or abs(int(sent) - now) > TOLERANCE:
        raise RefusedHook(
            401,
            "X-MLflow-Timestamp is more than 300 seconds away; check the clocks of both servers.",
        )
    event = Part.parse(body)
    kind = f"{event.text('entity')}.{event.text('action')}"
    accepts = kind == "model_version_tag.set" and event.hints("data").hint("key") == ACCEPTED
    if kind not in ("model_version_alias.created", "model_version_alias.deleted") and not accepts:
        return Ignored(f"{kind} cannot change which version of a model serves.")
    data = event.part("data")
    name = data.text("name")
    if name == "example_model" and data.has("alias") and data.text("alias") == "example_alias":
        return Ignored("This is a test event.")  # MLflow's test call: mlflow/webhooks/types.py
    return Delivery(_key(delivery), "mlflow", kind, Model(name))


def _key(delivery: str) -> str:
    if re.fullmatch(r"[\w-]{1,100}", delivery, re.ASCII):
        return f"mlflow-{delivery}"
    return f"mlflow-{hashlib.sha256(delivery.encode(errors='replace')).hexdigest()}"
