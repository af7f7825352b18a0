"""Service hooks of Azure DevOps: which of its notifications never reached the bot.

A notification that is not answered for minutes is not sent again, and while its
subscription is on probation the ones that follow are not sent at all; Azure
DevOps keeps them for seven days
(https://learn.microsoft.com/azure/devops/service-hooks/troubleshoot).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bot.services.azure_client import Client

WELL = "enabled"
"""The status of a subscription that is sent to; on probation and disabled are others."""

# `filtered`: not sent, because the subscription was on probation.
_UNHEARD = ("failed", "filtered")


@dataclass(frozen=True)
class Subscription:
    """A subscription to events: `status` in Azure DevOps' words, `event` its type."""

    id: str
    event: str
    status: str


class ServiceHooks:
    """The subscriptions of one organisation that send to the bot. Needs the right to view them."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._read: set[tuple[str, int]] = set()

    def subscriptions(self, address: str) -> list[Subscription]:
        """The subscriptions that send to addresses which begin like this."""
        query = {"consumerId": "webHooks"}
        subscriptions = []
        for entry in self._client.call("GET", "_apis/hooks/subscriptions", query)["value"]:
            url = str((entry.get("consumerInputs") or {}).get("url") or "")
            if url.startswith(address):
                event = str(entry.get("eventType") or "")
                status = str(entry.get("status") or "")
                subscriptions.append(Subscription(str(entry["id"]), event, status))
        return subscriptions

    def unheard(
        self, subscription: str, wanted: Callable[[int], bool]
    ) -> Iterator[Mapping[str, Any]]:
        """The events of a subscription that did not reach the bot, as they were to be sent; the
        last hundred of a kind.

        Only those are read whose notification's number is wanted, and each once by this process.
        """
        below = f"_apis/hooks/subscriptions/{subscription}/notifications"
        for result in _UNHEARD:
            page = self._client.call("GET", below, {"result": result, "maxResults": 100})["value"]
            for number in (int(entry["id"]) for entry in page):
                if (subscription, number) not in self._read and wanted(number):
                    details = self._client.call("GET", f"{below}/{number}").get("details") or {}
                    sent = details.get("event") or {}
                    yield {**sent, "subscriptionId": subscription, "notificationId": number}
                    self._read.add((subscription, number))
