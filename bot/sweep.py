"""What a sweep makes due: all that is open, and what each missed webhook, a missed delivery, would
have told.

The clock asks the same questions as events do. A webhook that is lost makes an answer late,
never wrong.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator

from bot.controllers.model import retraining
from bot.controllers.pull_request import cleanup
from bot.controllers.services import Repository, Services
from bot.errors import RefusedHook, ServiceError
from bot.log import line
from bot.services.service_hooks import WELL, Subscription
from bot.subjects import Branch, Delivery, PullRequest, Subject
from bot.webhooks import azure_devops
from bot.webhooks.json_body import Part

PATH = "/webhooks/azure-devops"
NOTE = (
    "Azure DevOps sends less, or nothing, until it is enabled there again; sweeps find what is open"
)

log = logging.getLogger(__name__)


def due(
    services: Services, known: Callable[[str], bool] = lambda _: False
) -> Iterator[Subject | Delivery]:
    """Everything that there is to look at, repository by repository, and the webhooks that never
    came.

    These are every target branch, every open pull request, those that left something behind, and
    the retrainings that are under way; a branch's pass wakes its models. `known` tells of a
    delivery's key whether it came after all.
    """
    for repository in services.repositories.values():
        yield from _of_repository(repository, services)
    yield from missed_deliveries(services, known)


def _of_repository(repository: Repository, services: Services) -> Iterator[Subject]:
    name = repository.served.key
    open_pull_requests = repository.azure.active(repository.served.target)
    yield Branch(name)
    yield from (PullRequest(name, number) for number in open_pull_requests)
    try:
        left_behind = set(cleanup.unattended(repository, services)) - set(open_pull_requests)
        retrainings = list(retraining.under_way(repository, services))
    except ServiceError as error:  # What is open does not wait for it.
        note = "what MLflow knows of is looked for in the next one"
        log.warning(line("sweep", note=note, error=str(error)))
        return
    yield from (PullRequest(name, number) for number in sorted(left_behind))
    yield from retrainings


def missed_deliveries(services: Services, known: Callable[[str], bool]) -> Iterator[Delivery]:
    """What Azure DevOps failed to tell in the last days, under the keys it would have come with.

    `known` tells of a key whether it came after all, or was read before. Reads nothing while
    PUBLIC_URL is not set, by which subscriptions are known, or while Azure DevOps does not answer:
    the sweep finds whatever is open without it.
    """
    if not services.public_url:
        return
    try:
        for subscription in services.hooks.subscriptions(f"{services.public_url}{PATH}"):
            if subscription.status != WELL:
                log.warning(
                    line(
                        "service hook",
                        status=subscription.status,
                        tells=subscription.event,
                        note=NOTE,
                    )
                )
            yield from _missed_by(subscription, services, known)
    except ServiceError as error:
        note = "what they failed to tell cannot be read"
        log.warning(line("service hooks", note=note, error=str(error)))


def _missed_by(
    subscription: Subscription, services: Services, known: Callable[[str], bool]
) -> Iterator[Delivery]:
    def is_new(number: int) -> bool:
        return not known(azure_devops.key(subscription.id, number))

    for event in services.hooks.unheard(subscription.id, is_new):
        with contextlib.suppress(RefusedHook):  # It would have been refused at the door.
            delivery = azure_devops.understand(Part(dict(event)), services.heard)
            if isinstance(delivery, Delivery):
                yield delivery
