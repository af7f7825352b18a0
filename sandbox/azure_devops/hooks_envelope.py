"""What a delivery consists of: HTTP headers, and the event as one subscription asked for it."""

import base64
import uuid
from collections.abc import Mapping
from typing import Any

from sandbox.azure_devops import dates
from sandbox.azure_devops.happening import Happening
from sandbox.azure_devops.hooks_state import Subscription
from sandbox.azure_devops.state import World

MASKED = {"Authorization": "********"}


def headers(subscription: Subscription) -> dict[str, str]:
    """What a delivery is sent with, credentials and the subscriber's own headers included."""
    inputs = subscription.consumer_inputs
    made = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "VSServices/19.255.0 (service=sps)",
        "Request-Id": str(uuid.uuid4()),
        "X-VSS-ActivityId": str(uuid.uuid4()),
        "X-VSS-SubscriptionId": subscription.id,
    }
    for line in inputs.get("httpHeaders", "").splitlines():
        name, _, value = line.partition(":")
        if name.strip():
            made.setdefault(name.strip(), value.strip())
    if inputs.get("basicAuthUsername") or inputs.get("basicAuthPassword"):
        pair = f"{inputs.get('basicAuthUsername', '')}:{inputs.get('basicAuthPassword', '')}"
        made["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    return made


def envelope(
    world: World, subscription: Subscription, happening: Happening, event_id: str
) -> dict[str, Any]:
    """An event as this subscription asked for it: version, and how much of messages and
    resource.
    """
    inputs = subscription.consumer_inputs
    versions = happening.resources
    resource = versions.get(subscription.resource_version) or versions["1.0"]
    base = f"{world.organization_url}/"
    return {
        "id": event_id,
        "eventType": happening.event_type,
        "publisherId": "tfs",
        "message": _messages(happening.message, inputs.get("messagesToSend")),
        "detailedMessage": _messages(
            happening.detailed_message, inputs.get("detailedMessagesToSend")
        ),
        "resource": _resource(resource, inputs.get("resourceDetailsToSend")),
        "resourceVersion": subscription.resource_version,
        "resourceContainers": {
            "collection": {"id": world.collection_id, "baseUrl": base},
            "account": {"id": world.account_id, "baseUrl": base},
            "project": {"id": world.project_id, "baseUrl": base},
        },
        "createdDate": dates.written(dates.now()),
    }


def _messages(messages: Mapping[str, str], wanted: str | None) -> dict[str, str] | None:
    if wanted == "none":
        return None
    return {name: text for name, text in messages.items() if wanted in (None, "", "all", name)}


def _resource(resource: Mapping[str, Any], wanted: str | None) -> Mapping[str, Any] | None:
    if wanted == "none":
        return None
    if wanted == "minimal":
        return {
            name: resource[name]
            for name in ("pullRequestId", "pushId", "id", "url")
            if name in resource
        }
    return resource
