"""Going back because somebody asked for it: a scoring job to the version before, the workspace to
the commit before.
"""

from bot.config.repository import Mlops
from bot.controllers.branch import manifest
from bot.controllers.model import controller as model
from bot.controllers.model import origins
from bot.controllers.services import Repository, Services
from bot.facts.branch import RolledBack
from bot.passes import Look
from bot.rules.model import rollback
from bot.words import replies


def roll_back(
    named: str, wanted: Mlops, look: Look, repository: Repository, services: Services
) -> tuple[str, tuple[str, ...]]:
    """Roll back the job of that name, or the only one; gives the answer, and what was done in
    words.

    Done again, it changes nothing more and gives the same answer.
    """
    jobs = [job for job in wanted.jobs if named in ("", job.name)]
    if len(jobs) != 1:
        return replies.which_job(named, [job.name for job in wanted.jobs]), ()
    (job,) = jobs
    facts = model.read_job_and_versions(job, repository, services)
    name, version = rollback.goal(facts)
    if name:
        versions = services.production.models.versions(name)
    else:
        versions = []
    found = next((candidate for candidate in versions if candidate.version == version), None)
    reason = rollback.refusal(facts, exists=found is not None)
    if reason or facts.job is None or found is None:
        return replies.not_rolled_back(job.name, reason), ()
    trained = origins.origin(found.run, repository, services)
    orders = rollback.plan(facts, trained.commit if trained else "")
    done = tuple(
        model.perform(order, wanted, repository, services)[0] for order in look.while_leased(orders)
    )
    return rollback.told(facts, facts.job, services.now()), done


def take_back(
    by: str, order: str, number: int, repository: Repository, services: Services
) -> tuple[str, bool]:
    """Note that the workspace is to hold again what it held before the branch's newest commit.

    Gives the answer, and whether the branch has to be looked at: the passes over it do the rest,
    and tell the pull request of that number. `order` tells one wish from another, so that the same
    wish noted again changes nothing.
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
