"""Promoted versions accepted in spite of what speaks against them, because somebody who may has
said so.
"""

from bot.config.repository import Job, Mlops
from bot.controllers.model import origins
from bot.controllers.services import Repository, Services
from bot.errors import NotFound
from bot.facts.model import ACCEPTED, ServingVersion
from bot.rules.model import rollout
from bot.subjects import Model
from bot.words import replies
from bot.words.escape import visible

LONGEST = 500
"""Characters of who and why, in the tag that says so."""


def accept(
    number: int, who: str, reason: str, wanted: Mlops, repository: Repository, services: Services
) -> tuple[str, tuple[str, ...], list[Model]]:
    """Accept the promoted versions that a pull request produced; gives the answer, what was done,
    and whom to wake.

    Done again, it changes nothing more and gives the same answer.
    """
    models = services.production.models
    jobs: dict[tuple[str, str], list[Job]] = {}
    for job in wanted.jobs:
        chosen = rollout.promoted(models.promoted(job.model, job.alias, job.stage))
        if chosen is not None and _produced(chosen, number, repository, services):
            jobs.setdefault((chosen.name, chosen.version), []).append(job)
    if not jobs:
        return replies.nothing_promoted(), (), []
    for name, version in jobs:
        models.tag_version(name, version, tag(who, reason))
    told = [
        (name, version, [job.name for job in followers])
        for (name, version), followers in jobs.items()
    ]
    woken = list(
        dict.fromkeys(Model(job.model) for followers in jobs.values() for job in followers)
    )
    return (
        replies.accepted_versions(told),
        tuple(f"accepted {name} v{version}" for name, version in jobs),
        woken,
    )


def accept_version(
    name: str, version: str, who: str, reason: str, services: Services
) -> list[Model]:
    """Accept a version by name and number; gives what to look at then. Raises NotFound when it is
    not there.
    """
    if services.production.models.version(name, version) is None:
        raise NotFound("MLflow", f"The registry has no version {version} of {name}.")
    services.production.models.tag_version(name, version, tag(who, reason))
    return [Model(name)]


def tag(who: str, reason: str) -> dict[str, str]:
    """The tag that says so."""
    return {ACCEPTED: " ".join(visible(f"{who}: {reason}").split())[:LONGEST]}


def _produced(
    chosen: ServingVersion, number: int, repository: Repository, services: Services
) -> bool:
    origin = origins.origin(chosen.run, repository, services)
    return (
        origin is not None
        and origin.repository == repository.served.key
        and origin.pull_request == number
    )
