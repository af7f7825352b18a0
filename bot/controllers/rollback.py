"""Rolling a scoring job back to the version it scored with before, because somebody asked for it on a pull request."""

from bot import config
from bot.controllers import model
from bot.controllers.neighbours import Neighbours, Repository
from bot.passes import Look
from bot.rules import rollback
from bot.words import replies


def roll_back(
    named: str, wanted: config.Mlops, look: Look, repository: Repository, world: Neighbours
) -> tuple[str, tuple[str, ...]]:
    """Roll back the job of that name, or the only one; gives the answer, and what was done in words.

    Done again, it changes nothing more and gives the same answer.
    """
    jobs = [job for job in wanted.jobs if named in ("", job.name)]
    if len(jobs) != 1:
        return replies.which_job(named, [job.name for job in wanted.jobs]), ()
    (job,) = jobs
    facts = model.gather(job, repository, world)
    name, version = rollback.goal(facts)
    versions = world.production.models.versions(name) if name else []
    found = next((one for one in versions if one.version == version), None)
    reason = rollback.refusal(facts, exists=found is not None)
    if reason or facts.job is None or found is None:
        return replies.not_rolled_back(job.name, reason), ()
    trained = model.origin(found.run, repository, world)
    orders = rollback.plan(facts, trained.commit if trained else "")
    done = tuple(model.perform(order, repository, world) for order in look.each(orders))
    return rollback.told(facts, facts.job, world.now()), done
