"""Requests to move a version to a stage that a job follows: found, and compared with what the job
scores with.
"""

from collections.abc import Iterator
from dataclasses import replace

from bot import run_tags
from bot.actions import VersionAction
from bot.config.repository import Job, Metric, Mlops
from bot.controllers import parallel
from bot.controllers.model import admission
from bot.controllers.runs import lifecycle
from bot.controllers.services import Repository, Services
from bot.facts.model import ModelFacts, ModelVersion, RequestFacts, ServingVersion
from bot.rules.model import rollout, transition_requests
from bot.services.mlflow import MlflowRun


def plan(
    name: str, job: Job, wanted: Mlops, commit: str, repository: Repository, services: Services
) -> Iterator[VersionAction]:
    """The answers to the requests about a model's versions, those that were answered left out.

    Only the registry of a workspace knows such requests. One call for each version that is worth
    asking.
    """
    models = services.production.models
    if job.stage is None or not models.comments:
        return
    for version in transition_requests.worth_asking(models.versions(name), job.stage):
        asked_for = services.production.databricks.transition_requests(
            version.name, version.version
        )
        if unanswered := transition_requests.open(version, asked_for, job.stage):
            yield from transition_requests.plan(
                replace(
                    _facts(version, job, wanted, commit, repository, services), requests=unanswered
                )
            )


def _facts(
    version: ModelVersion,
    job: Job,
    wanted: Mlops,
    commit: str,
    repository: Repository,
    services: Services,
) -> RequestFacts:
    job_facts = services.production.databricks.job(job.name)
    if job_facts:
        served = rollout.signed_version(job_facts)
    else:
        served = ("", "")
    model = ModelFacts(
        repository.served.key, job.name, job_facts, (), wanted=job, target=repository.served.target
    )
    asked = ServingVersion(
        version.name, version.version, version.run, f"stage {job.stage}", 0, by_alias=False
    )
    model, (new, old) = parallel.both(
        lambda: admission.gather(model, asked, wanted, commit, repository, services),
        lambda: _measured(version, served, services),
    )
    configured = _judged_by(wanted, job, new.tags.get(run_tags.PROJECT, "") if new else "")
    metrics, before = new.metrics if new else {}, old.metrics if old else {}
    return RequestFacts(
        model,
        (),
        served,
        metrics,
        before,
        transition_requests.compared(configured, metrics, before),
    )


def _measured(
    version: ModelVersion, served: tuple[str, str], services: Services
) -> tuple[MlflowRun | None, MlflowRun | None]:
    """The run that trained a version, and that of the version which the job scores with."""
    now = None
    if served[1]:
        now = services.production.models.version(*served)
    new = None
    if version.run:
        new = lifecycle.anywhere(version.run, services)
    return new, lifecycle.anywhere(now.run, services) if now is not None and now.run else None


def _judged_by(wanted: Mlops, job: Job, trained: str) -> tuple[Metric, ...]:
    """The metrics that the project is judged by which trained a version, or those that train what
    the job follows.
    """
    named = [project for project in wanted.projects if project.path == trained]
    able = named or [project for project in wanted.projects if rollout.follows(job.model, project)]
    if able:
        return able[0].metrics
    return ()
