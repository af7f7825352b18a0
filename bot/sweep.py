"""Webhooks that never reached the bot, read from where Azure DevOps keeps them."""

import contextlib
import logging
from collections.abc import Callable, Iterator

from bot.controllers.services import Neighbours
from bot.errors import RefusedHook, ServiceError
from bot.log import line
from bot.services.service_hooks import WELL, Subscription
from bot.subjects import Delivery
from bot.webhooks import azure_devops
from bot.webhooks.json_body import Part

PATH = "/webhooks/azure-devops"
NOTE = "Azure DevOps sends less, or nothing, until it is enabled there again; sweeps find what is open"

log = logging.getLogger(__name__)


def deliveries(world: Neighbours, known: Callable[[str], bool]) -> Iterator[Delivery]:
    """What Azure DevOps failed to tell in the last days, under the keys it would have come with.

    `known` tells of a key whether it came after all, or was read before. Reads
    nothing while PUBLIC_URL is not set, by which subscriptions are known, or while
    Azure DevOps does not answer: the sweep finds whatever is open without it.
    """
    if not world.public_url:
        return
    try:
        for subscription in world.hooks.subscriptions(f"{world.public_url}{PATH}"):
            if subscription.status != WELL:
                log.warning(line("service hook", status=subscription.status, tells=subscription.event, note=NOTE))
            yield from _of(subscription, world, known)
    except ServiceError as error:
        log.warning(line("service hooks", note="what they failed to tell cannot be read", error=str(error)))


def _of(subscription: Subscription, world: Neighbours, known: Callable[[str], bool]) -> Iterator[Delivery]:
    def wanted(number: int) -> bool:
        return not known(azure_devops.key(subscription.id, number))

    for event in world.hooks.unheard(subscription.id, wanted):
        with contextlib.suppress(RefusedHook):  # It would have been refused at the door.
            found = azure_devops.understand(Part(dict(event)), world.heard)
            if isinstance(found, Delivery):
                yield found
