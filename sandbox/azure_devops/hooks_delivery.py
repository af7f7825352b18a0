"""Delivers notifications: one background sender, with the service's retries and probation.

Answers are classed as the service does: 2xx is success, 410 disables at once,
408, 502, 503 and 504 are retried up to eight times, everything else (no answer
included) puts the subscription on probation. On probation only the failed
notification is tried again, and new ones are filtered; after seven failures the
subscription is disabled.
https://learn.microsoft.com/en-us/azure/devops/service-hooks/troubleshoot
"""

import heapq
import http.client
import itertools
import json
import threading
import time
import uuid
from typing import Any
from urllib.parse import urlsplit

from sandbox.azure_devops import dates, hooks_envelope, hooks_subscriptions
from sandbox.azure_devops.happening import Happening
from sandbox.azure_devops.hooks_state import Attempt, Notification, Subscription
from sandbox.azure_devops.state import World

TRANSIENT = {408, 502, 503, 504}
RETRIES = (1, 2, 4, 8, 16, 32, 60, 60)
PROBATION = (1200, 2400, 4800, 9600, 19200, 38400, 54000)


class Sender:
    """Sends what subscriptions want to hear. `retry_scale` multiplies every waiting time but
    `latency` (seconds).
    """

    def __init__(self, world: World, *, latency: float, retry_scale: float, timeout: float) -> None:
        self.world, self.latency, self.retry_scale, self.timeout = (
            world,
            latency,
            retry_scale,
            timeout,
        )
        self.recent: dict[str, Happening] = {}
        self._due: list[tuple[float, int, Subscription, Notification]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._busy = False
        self._running = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin sending; what was told before is sent now."""
        with self._changed:
            self._running = True
        self._thread = threading.Thread(target=self._work, name="azure-devops-hooks", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop sending; what is not sent stays queued."""
        with self._changed:
            self._running = False
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout=self.timeout + 5)
            self._thread = None

    def tell(self, happening: Happening) -> None:
        """Queue an event for every subscription that wants it."""
        self.recent[happening.event_type] = happening
        event_id = str(uuid.uuid4())
        with self.world.lock:
            for subscription in self.world.subscriptions.values():
                if hooks_subscriptions.wants(subscription, happening):
                    self.queue(
                        subscription,
                        hooks_envelope.envelope(self.world, subscription, happening, event_id),
                    )

    def queue(self, subscription: Subscription, event: dict[str, Any]) -> Notification | None:
        """Make a notification out of an event; None where the subscription is disabled."""
        if subscription.status not in ("enabled", "onProbation"):
            return None
        moment = dates.now()
        number = len(subscription.notifications) + 1
        event = {"subscriptionId": subscription.id, "notificationId": number} | event
        notification = Notification(number, subscription.id, event, moment, moment)
        subscription.notifications.append(notification)
        if subscription.status == "onProbation":
            notification.status, notification.result = "completed", "filtered"
        else:
            self._schedule(self.latency, subscription, notification)
        return notification

    def drain(self, timeout: float, *, retries: bool = False) -> None:
        """Wait until every first attempt, and every retry that is due, was made; with `retries` all
        retries.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            while self._waiting(retries):
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError(
                        f"Service hooks were not all delivered within {timeout} seconds."
                    )
                self._changed.wait(min(left, 0.05))

    def _waiting(self, retries: bool) -> bool:
        now = time.monotonic()
        return self._busy or any(
            retries or due <= now or not notification.attempts
            for due, _, _, notification in self._due
        )

    def _schedule(
        self, seconds: float, subscription: Subscription, notification: Notification
    ) -> None:
        with self._changed:
            heapq.heappush(
                self._due,
                (time.monotonic() + seconds, next(self._order), subscription, notification),
            )
            self._changed.notify_all()

    def _work(self) -> None:
        while (job := self._next()) is not None:
            try:
                self._try(*job)
            finally:
                with self._changed:
                    self._busy = False
                    self._changed.notify_all()

    def _next(self) -> tuple[Subscription, Notification] | None:
        with self._changed:
            while self._running:
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is not None and wait <= 0:
                    _, _, subscription, notification = heapq.heappop(self._due)
                    self._busy = True
                    return subscription, notification
                self._changed.wait(wait)
            return None

    def _try(self, subscription: Subscription, notification: Notification) -> None:
        # A PUT replaces the subscription; what is queued goes where it points now.
        unsaved = not uuid.UUID(subscription.id).int
        current = subscription if unsaved else self.world.subscriptions.get(subscription.id)
        late = notification.attempts or (current and current.status == "enabled")
        if current is None or current.status not in ("enabled", "onProbation") or not late:
            notification.status, notification.result = "completed", "filtered"
            return
        notification.status = "requestInProgress"
        attempt = self._send(current, notification)
        with self.world.lock:
            notification.attempts.append(attempt)
            notification.modified = dates.now()
            self._judge(current, notification, attempt.status)

    def _judge(
        self, subscription: Subscription, notification: Notification, status: int | None
    ) -> None:
        made = len(notification.attempts)
        if status is not None and 200 <= status < 300:
            notification.status, notification.result, notification.error = (
                "completed",
                "succeeded",
                None,
            )
            subscription.status, subscription.probation_retries = "enabled", 0
            return
        notification.result = "failed"
        notification.error = (
            f"The request was answered with {status}."
            if status
            else "The request was not answered."
        )
        on_probation = subscription.status == "onProbation"
        if status in TRANSIENT and made <= len(RETRIES) and not on_probation:
            notification.status, notification.result = "queued", "pending"
            self._schedule(RETRIES[made - 1] * self.retry_scale, subscription, notification)
            return
        notification.status = "completed"
        if on_probation:
            subscription.last_probation_retry = dates.now()
        if status == 410 or (on_probation and subscription.probation_retries >= len(PROBATION)):
            subscription.status = "disabledBySystem"
            return
        subscription.status = "onProbation"
        wait = PROBATION[subscription.probation_retries] * self.retry_scale
        subscription.probation_retries += 1
        self._schedule(wait, subscription, notification)

    def _send(self, subscription: Subscription, notification: Notification) -> Attempt:
        inputs, started, moment = subscription.consumer_inputs, time.monotonic(), dates.now()
        body = json.dumps(notification.event).encode()
        headers = hooks_envelope.headers(subscription)
        shown = "\n".join(
            f"{name}: {hooks_envelope.MASKED.get(name, value)}" for name, value in headers.items()
        )
        notification.request = (
            f"POST {inputs['url']}\n{shown}\n\n{json.dumps(notification.event, indent=2)}"
        )
        url = urlsplit(inputs["url"])
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        connection = kind(url.hostname or "", url.port, timeout=self.timeout)
        try:
            path = (url.path or "/") + (f"?{url.query}" if url.query else "")
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            status, text = response.status, response.read().decode(errors="replace")
            answer = f"{status} {response.reason}\n{response.headers}\n{text}"
            return Attempt(moment, time.monotonic() - started, status, answer)
        except (OSError, http.client.HTTPException) as failure:
            return Attempt(
                moment, time.monotonic() - started, None, f"{type(failure).__name__}: {failure}"
            )
        finally:
            connection.close()
