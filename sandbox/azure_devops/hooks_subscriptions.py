"""Service-hook subscriptions: which are accepted, which events they want, how they look in JSON."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from sandbox.azure_devops import dates, hooks_events
from sandbox.azure_devops.happening import Happening
from sandbox.azure_devops.hooks_state import Notification, Subscription
from sandbox.azure_devops.people import Person
from sandbox.azure_devops.refusal import Refusal
from sandbox.azure_devops.state import World

AREA = "Microsoft.VisualStudio.Services.ServiceHooks.WebApi"
MASK = "********"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
PULL_REQUEST_FILTERS = {
    "projectId",
    "repository",
    "branch",
    "pullrequestCreatedBy",
    "pullrequestReviewersContains",
}
FILTERS = {
    hooks_events.CREATED: PULL_REQUEST_FILTERS,
    hooks_events.UPDATED: PULL_REQUEST_FILTERS | {"notificationType"},
    hooks_events.MERGED: PULL_REQUEST_FILTERS | {"mergeResult"},
    hooks_events.PUSHED: {"projectId", "repository", "branch", "pushedBy"},
    hooks_events.COMMENTED: {"projectId", "repository", "branch"},
}
VALUES = {
    "notificationType": {
        "PushNotification",
        "ReviewersUpdateNotification",
        "StatusUpdateNotification",
        "ReviewerVoteNotification",
    },
    "mergeResult": {"Succeeded", "Unsuccessful", "Conflicts", "Failure", "RejectedByPolicy"},
    "resourceDetailsToSend": {"all", "minimal", "none"},
    "messagesToSend": {"all", "text", "html", "markdown", "none"},
    "detailedMessagesToSend": {"all", "text", "html", "markdown", "none"},
}
STATUSES = (
    "enabled",
    "onProbation",
    "disabledByUser",
    "disabledBySystem",
    "disabledByInactiveIdentity",
)
WRITTEN_BY_THE_SERVICE = {"tfsSubscriptionId", "hostId"}


def accepted(who: Person, body: Mapping[str, Any]) -> Subscription:
    """A new subscription out of a REST body; 400 with a sentence when something about it is
    wrong.
    """
    event_type = str(body.get("eventType") or "")
    if body.get("publisherId") != "tfs" or event_type not in FILTERS:
        raise _wrong(f"Publisher '{body.get('publisherId')}' has no event type '{event_type}'.")
    if (body.get("consumerId"), body.get("consumerActionId")) != ("webHooks", "httpRequest"):
        raise _wrong("The stand-in knows one consumer only: webHooks with the action httpRequest.")
    versions = ("1.0", "2.0") if event_type == hooks_events.COMMENTED else ("1.0", "1.0-preview.1")
    version = str(body.get("resourceVersion") or max(v for v in versions if len(v) == 3))
    if version not in versions:
        raise _wrong(f"Event type '{event_type}' has no resource version '{version}'.")
    publisher = {
        name: str(value)
        for name, value in (body.get("publisherInputs") or {}).items()
        if value is not None
    }
    consumer = {
        name: str(value)
        for name, value in (body.get("consumerInputs") or {}).items()
        if value is not None
    }
    _check_inputs(event_type, publisher, consumer)
    publisher["tfsSubscriptionId"] = str(uuid.uuid4())
    moment = dates.now()
    status = str(body.get("status") or "enabled")
    if status not in STATUSES:
        raise _wrong(f"'{status}' is no subscription status.")
    return Subscription(
        str(uuid.uuid4()),
        event_type,
        version,
        publisher,
        consumer,
        who,
        moment,
        moment,
        who,
        status=status,
    )


def replaced(who: Person, old: Subscription, body: Mapping[str, Any]) -> Subscription:
    """The subscription after a PUT. The masked password is taken literally: send the real one."""
    new = accepted(who, body)
    new.publisher_inputs["tfsSubscriptionId"] = old.publisher_inputs["tfsSubscriptionId"]
    return replace(
        new, id=old.id, author=old.author, created=old.created, notifications=old.notifications
    )


def _check_inputs(
    event_type: str, publisher: Mapping[str, str], consumer: Mapping[str, str]
) -> None:
    strange = set(publisher) - FILTERS[event_type] - WRITTEN_BY_THE_SERVICE
    if strange:
        raise _wrong(f"Event type '{event_type}' has no input '{sorted(strange)[0]}'.")
    for name, value in [*publisher.items(), *consumer.items()]:
        if name in VALUES and value and value not in VALUES[name]:
            raise _wrong(f"'{value}' is not possible for '{name}'.")
    url = urlsplit(consumer.get("url", ""))
    if url.scheme not in ("http", "https") or not url.hostname:
        raise _wrong("A value is needed for the input 'url', an http or https address.")
    # The service refuses loopback targets; a stand-in on one machine has no others.
    if consumer.get("basicAuthUsername") and url.scheme != "https" and url.hostname not in LOOPBACK:
        raise _wrong("Basic authentication needs an https address.")
    for name in ("basicAuthUsername", "basicAuthPassword"):
        if name in consumer and consumer[name] and not re.fullmatch(r"\S{1,256}", consumer[name]):
            raise _wrong(f"The input '{name}' must have 1 to 256 characters and no space.")
    for line in consumer.get("httpHeaders", "").splitlines():
        if line.strip() and not re.fullmatch(r"[^\s:]+:.+", line.strip()):
            raise _wrong("The input 'httpHeaders' must hold one 'Name:value' per line.")


def _wrong(sentence: str) -> Refusal:
    return Refusal(400, "SubscriptionInputException", sentence, area=AREA, event_id=0)


def wants(subscription: Subscription, happening: Happening) -> bool:
    """Whether an event passes a subscription's filters; empty filters let everything pass."""
    if subscription.event_type != happening.event_type:
        return False
    for name, value in subscription.publisher_inputs.items():
        if (
            value
            and name not in WRITTEN_BY_THE_SERVICE
            and value not in happening.filters.get(name, frozenset())
        ):
            return False
    return True


def masked(inputs: Mapping[str, str]) -> dict[str, str]:
    """Consumer inputs as they may be shown."""
    return {name: MASK if name == "basicAuthPassword" else value for name, value in inputs.items()}


def shape(world: World, found: Subscription) -> dict[str, Any]:
    """A subscription in JSON, its password masked."""
    base = f"{world.organization_url}/_apis/hooks"
    url = f"{base}/subscriptions/{found.id}"
    host = urlsplit(found.consumer_inputs["url"]).hostname
    json: dict[str, Any] = {
        "id": found.id,
        "url": url,
        "status": found.status,
        "publisherId": "tfs",
        "eventType": found.event_type,
        "subscriber": None,
        "resourceVersion": found.resource_version,
        "eventDescription": f"Repository {world.repository}"
        if found.publisher_inputs.get("repository")
        else "Any",
        "consumerId": "webHooks",
        "consumerActionId": "httpRequest",
        "actionDescription": f"To host {host}",
        "createdBy": _who(found.author),
        "createdDate": dates.written(found.created),
        "modifiedBy": _who(found.modified_by),
        "modifiedDate": dates.written(found.modified),
        "publisherInputs": found.publisher_inputs,
        "consumerInputs": masked(found.consumer_inputs),
        "_links": {
            "self": {"href": url},
            "consumer": {"href": f"{base}/consumers/webHooks"},
            "actions": {"href": f"{base}/consumers/webHooks/actions"},
            "notifications": {"href": f"{url}/notifications"},
            "publisher": {"href": f"{base}/publishers/tfs"},
        },
    }
    if found.probation_retries:
        json["probationRetries"] = found.probation_retries
    if found.last_probation_retry:
        json["lastProbationRetryDate"] = dates.written(found.last_probation_retry)
    return json


def notification_shape(
    subscription: Subscription, found: Notification, *, details: bool
) -> dict[str, Any]:
    """A notification in JSON; with details the event, the request and the answer."""
    json: dict[str, Any] = {
        "id": found.id,
        "subscriptionId": found.subscription,
        "subscriberId": "00000000-0000-0000-0000-000000000000",
        "eventId": found.event["id"],
        "status": found.status,
        "result": found.result,
        "createdDate": dates.written(found.created),
        "modifiedDate": dates.written(found.modified),
    }
    if not details:
        return json
    last = found.attempts[-1] if found.attempts else None
    json["details"] = {
        "publisherId": "tfs",
        "eventType": subscription.event_type,
        "consumerId": "webHooks",
        "consumerActionId": "httpRequest",
        "consumerInputs": masked(subscription.consumer_inputs),
        "publisherInputs": subscription.publisher_inputs,
        "event": {
            name: found.event[name]
            for name in found.event
            if name not in ("subscriptionId", "notificationId")
        },
        "request": found.request,
        "response": last.answer if last else "",
        "errorMessage": found.error,
        "errorDetail": None,
        "requestAttempts": len(found.attempts),
        "requestDuration": last.seconds if last else 0.0,
        "queuedDate": dates.written(found.created),
        "dequeuedDate": dates.written(found.attempts[0].at if found.attempts else found.created),
        "processedDate": dates.written(found.modified),
        "completedDate": dates.written(found.modified),
    }
    return json


def _who(person: Person) -> dict[str, str]:
    return {
        "displayName": person.name,
        "id": person.id,
        "uniqueName": person.email,
        "descriptor": person.descriptor,
    }
