"""REST: service-hook subscriptions, their notification history, and test notifications."""

import uuid
from collections.abc import Mapping
from typing import Any

from sandbox.azure_devops import dates, hooks_subscriptions
from sandbox.azure_devops.calls import Answer, Call, Routes, listed
from sandbox.azure_devops.hooks_delivery import Sender
from sandbox.azure_devops.hooks_envelope import envelope
from sandbox.azure_devops.hooks_state import Subscription
from sandbox.azure_devops.hooks_test_events import test_event
from sandbox.azure_devops.refusal import Refusal, invalid

SUBSCRIPTION = "hooks/subscriptions/{subscriptionId}"


def _found(call: Call) -> Subscription:
    try:
        return call.world.subscriptions[call.path["subscriptionId"].lower()]
    except KeyError:
        raise Refusal(
            404,
            "SubscriptionNotFoundException",
            f"There is no subscription {call.path['subscriptionId']}.",
            area=hooks_subscriptions.AREA,
        ) from None


def hook_routes(sender: Sender) -> Routes:
    """The operations on service hooks, which need the sender for test notifications."""
    routes = Routes()

    @routes("GET", "hooks/subscriptions", scope="organization")
    def subscriptions(call: Call) -> Answer:
        """Subscriptions, by publisher, event type and consumer if asked."""
        event, consumer, publisher = (
            call.asked("eventType"),
            call.asked("consumerId"),
            call.asked("publisherId"),
        )
        return listed(
            [
                hooks_subscriptions.shape(call.world, each)
                for each in call.world.subscriptions.values()
                if event in (None, each.event_type)
                and consumer in (None, "webHooks")
                and publisher in (None, "tfs")
            ]
        )

    @routes("POST", "hooks/subscriptions", scope="organization")
    def create(call: Call) -> Answer:
        """Add a subscription."""
        with call.world.lock:
            found = hooks_subscriptions.accepted(call.person, call.object())
            call.world.subscriptions[found.id] = found
        return Answer(hooks_subscriptions.shape(call.world, found))

    @routes("GET", SUBSCRIPTION, scope="organization")
    def subscription(call: Call) -> Answer:
        """One subscription."""
        return Answer(hooks_subscriptions.shape(call.world, _found(call)))

    @routes("PUT", SUBSCRIPTION, scope="organization")
    def replace(call: Call) -> Answer:
        """Replace a subscription; a status of enabled takes it off probation."""
        with call.world.lock:
            new = hooks_subscriptions.replaced(call.person, _found(call), call.object())
            call.world.subscriptions[new.id] = new
        return Answer(hooks_subscriptions.shape(call.world, new))

    @routes("DELETE", SUBSCRIPTION, scope="organization")
    def delete(call: Call) -> Answer:
        """Remove a subscription."""
        with call.world.lock:
            del call.world.subscriptions[_found(call).id]
        return Answer(status=204)

    @routes("POST", "hooks/subscriptionsquery", scope="organization")
    def query(call: Call) -> Answer:
        """Subscriptions whose inputs meet any of the filters."""
        body = call.object()
        results = [
            hooks_subscriptions.shape(call.world, each)
            for each in call.world.subscriptions.values()
            if body.get("eventType") in (None, "", each.event_type)
            and _meets(body.get("publisherInputFilters"), each.publisher_inputs)
            and _meets(body.get("consumerInputFilters"), each.consumer_inputs)
        ]
        return Answer(body | {"results": results})

    @routes("GET", f"{SUBSCRIPTION}/notifications", scope="organization")
    def notifications(call: Call) -> Answer:
        """What was sent or tried, newest first."""
        found, status, result = _found(call), call.asked("status"), call.asked("result")
        history = [
            hooks_subscriptions.notification_shape(found, each, details=False)
            for each in reversed(found.notifications)
            if status in (None, each.status) and result in (None, each.result)
        ]
        return listed(history[: call.asked_number("maxResults", default=100)])

    @routes("GET", f"{SUBSCRIPTION}/notifications/{{notificationId}}", scope="organization")
    def notification(call: Call) -> Answer:
        """One notification with its event, request and answer."""
        found, number = _found(call), call.number("notificationId")
        for each in found.notifications:
            if each.id == number:
                return Answer(hooks_subscriptions.notification_shape(found, each, details=True))
        raise Refusal(
            404,
            "NotificationNotFoundException",
            f"There is no notification {number}.",
            area=hooks_subscriptions.AREA,
        )

    @routes("POST", "hooks/testnotifications", scope="organization")
    def test(call: Call) -> Answer:
        """Send a test: the Fabrikam constants, or with `useRealData` the latest event of an
        existing subscription.
        """
        body = call.object()
        existing = call.world.subscriptions.get(str(body.get("subscriptionId")))
        with call.world.lock:
            found = existing or _unsaved(call, body)
            if call.asked_yes("useRealData"):
                happening = sender.recent.get(found.event_type)
                if existing is None or happening is None:
                    raise invalid(
                        "useRealData",
                        "Real data needs an existing subscription and an event that happened.",
                    )
                event = envelope(call.world, found, happening, str(uuid.uuid4()))
            else:
                event = test_event(found.event_type, found.resource_version)
            sent = sender.queue(found, event)
        if sent is None:
            raise invalid("subscriptionId", "The subscription is disabled.")
        return Answer(hooks_subscriptions.notification_shape(found, sent, details=True))

    return routes


def _unsaved(call: Call, body: Mapping[str, Any]) -> Subscription:
    # As in the portal's dialogue, before the subscription is saved: it gets the empty id.
    details = {"consumerId": "webHooks", "consumerActionId": "httpRequest"} | dict(
        body.get("details") or {}
    )
    found = hooks_subscriptions.accepted(call.person, details)
    found.id = "00000000-0000-0000-0000-000000000000"
    found.modified = dates.now()
    return found


def _meets(filters: Any, inputs: Mapping[str, str]) -> bool:
    return not filters or any(
        all(_holds(one, inputs) for one in each.get("conditions") or []) for each in filters
    )


def _holds(condition: Mapping[str, Any], inputs: Mapping[str, str]) -> bool:
    found, wanted = (
        inputs.get(str(condition.get("inputId")), ""),
        str(condition.get("inputValue") or ""),
    )
    if not condition.get("caseSensitive"):
        found, wanted = found.lower(), wanted.lower()
    return (found == wanted) == (str(condition.get("operator", "equals")).lower() == "equals")
