"""A rollback that somebody asked for: a scoring job goes back to the version before."""

from bot.config.repository import Mlops
from bot.controllers.model import controller as model
from bot.controllers.model import origins
from bot.controllers.services import Repository, Services
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
