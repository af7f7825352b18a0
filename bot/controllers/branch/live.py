"""What is live: which commit the workspace holds, since when, and what its scoring jobs load.
Changes nothing.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from bot.config.repository import Job
from bot.controllers import target_config
from bot.controllers.branch import manifest
from bot.controllers.services import Repository, Services
from bot.facts.branch import Live, LiveStatus
from bot.rules import schedule
from bot.rules.branch import drift
from bot.rules.model import rollout
from bot.subjects import Branch


def live_status(repository: Repository, services: Services) -> LiveStatus:
    """What the production workspace holds of a repository's target branch, and which job uses it.

    Raises ConfigError when the branch's configuration cannot be read.
    """
    key = repository.served.key
    databricks = services.production.databricks
    tip, config = target_config.read(repository)
    held = manifest.read(key, databricks)
    noted = manifest.read_rollback(key, databricks)
    return LiveStatus(
        repository=key,
        tip=tip,
        live=held.live,
        unfinished=not held.commit and bool(held.files),
        objects=held.objects,
        kept=held.kept,
        rolled_back=noted if noted is not None and noted.commit == tip else None,
        jobs=loaded(config.jobs, services),
        # What the sweep has found: to look for it now would take a call for each folder, and more.
        edited=drift.left(services.queue.memo(Branch(key))),
    )


def loaded(jobs: Sequence[Job], services: Services) -> tuple[Live, ...]:
    """What each scoring job loads, from which commit, since when, and when it runs next."""
    return tuple(_live(job, services) for job in jobs)


def _live(wanted: Job, services: Services) -> Live:
    job = services.production.databricks.job(wanted.name)
    if job is None:
        return Live(wanted.name, problem="there is no such job in the workspace")
    following = None
    if job.schedule:
        following = schedule.next_run(job.schedule, services.now())
    model, version = rollout.loaded(job)
    if not version:
        return Live(
            wanted.name,
            problem=f"no version of {wanted.model} was promoted yet",
            next_run=following,
        )
    commit = ""
    if (job.tags.get(rollout.MODEL), job.tags.get(rollout.VERSION)) == (model, version):
        commit = job.tags.get(rollout.COMMIT, "")
    if commit == "unknown":
        commit = ""
    since = None
    for promoted in services.production.models.promoted(wanted.model, wanted.alias, wanted.stage):
        if (promoted.name, promoted.version) == (model, version):
            if promoted.updated:
                since = datetime.fromtimestamp(promoted.updated / 1000, UTC)
            break
    return Live(wanted.name, model, version, commit, since, next_run=following)
