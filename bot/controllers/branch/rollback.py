"""A rollback that somebody asked for: the workspace goes back to the commit before."""

from bot.controllers.branch import manifest
from bot.controllers.services import Repository, Services
from bot.facts.branch import RolledBack
from bot.rules.branch import rollback
from bot.words import replies


def take_back(
    by: str, order: str, number: int | None, repository: Repository, services: Services
) -> tuple[str, bool]:
    """Note that the workspace is to hold again what it held before the branch's newest commit.

    Gives the answer, and whether the branch has to be looked at: the passes over it do the rest,
    and tell the pull request of that number; None: it was asked for at a terminal. `order` tells
    one wish from another, so that the same wish noted again changes nothing.
    """
    key = repository.served.key
    databricks = services.production.databricks
    tip = repository.mirror.fetch(repository.served.target)
    held = manifest.read(key, databricks)
    asked = manifest.read_rollback(key, databricks)
    if asked is not None and asked.order == order:
        return replies.taking_back(asked, held.brought(asked.instead)), True
    goal = rollback.instead(held, tip, asked)
    if goal is None:
        return replies.not_taken_back("it is not known what the workspace held before."), False
    back = RolledBack(tip, goal.commit, by, services.now(), number, order)
    manifest.write_rollback(key, back, databricks)
    return replies.taking_back(back, goal.pull_request), True
