"""A rollback that somebody asked for: a scoring job goes back to the version before."""

from bot.config.repository import Mlops
from bot.controllers.model import controller as model
from bot.controllers.model import origins
from bot.controllers.services import Repository, Services
from bot.facts.model import ModelVersion
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
    before = _version(*rollback.goal(facts), services)
    refusal = rollback.refusal(facts, exists=before is not None)
    if refusal is not None:
        return replies.not_rolled_back(job.name, refusal), ()
    commit = ""
    if before is not None and (origin := origins.origin(before.run, repository, services)):
        commit = origin.commit
    actions = rollback.plan(facts, commit)
    done = tuple(model.perform(action, services) for action in look.while_leased(actions))
    return rollback.told(facts, services.now()), done


def _version(name: str, number: str, services: Services) -> ModelVersion | None:
    """A version of a registered model; None where it is not there, or has no name."""
    if not name:
        return None
    versions = services.production.models.versions(name)
    return next((version for version in versions if version.version == number), None)
