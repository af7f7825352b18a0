"""A pass over a model: which version was promoted, whether the scoring jobs load it, and whether
they may.
"""

import logging
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import assert_never

from bot.actions import (
    CancelRun,
    CloseRun,
    CommentVersion,
    LookAgain,
    PointingAction,
    PointJob,
    Reply,
    RunAction,
    StartRun,
    TagJob,
    TagVersion,
    VersionAction,
)
from bot.config.repository import Job, Mlops
from bot.controllers import parallel, target_config, thread
from bot.controllers.model import admission, transition_requests
from bot.controllers.runs import lifecycle, stop
from bot.controllers.services import Repository, Services
from bot.errors import ServiceError
from bot.facts.model import ModelFacts
from bot.facts.runs import ProjectRun
from bot.log import line
from bot.passes import Look, MemoFormat, Outcome
from bot.rules.model import rollout
from bot.subjects import Model, PullRequest, Subject
from bot.words import versions

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelMemo:
    """What a model's row keeps to save calls: the smoke runs of each job, by repository and name of
    the job.
    """

    runs: dict[str, tuple[ProjectRun, ...]] = field(default_factory=dict)


_FORMAT = MemoFormat(ModelMemo)


def pass_over(subject: Model, look: Look, services: Services) -> Outcome:
    """Gather, decide, perform, for each job that follows the model.

    A job is only ever pointed in the pass of what its configuration names, so
    that two models' events do not point it side by side.
    """
    known = _FORMAT.read(look.memo)
    left: dict[str, tuple[ProjectRun, ...]] = {}
    performed: list[str] = []
    wake: list[Subject] = []
    again: list[float] = []
    followed = False
    for repository in services.repositories.values():
        tip, wanted = target_config.read(repository)
        for job in wanted.jobs:
            if job.model == subject.name:
                followed = True
                place = f"{repository.served.key}/{job.name}"
                facts = gather(
                    job, wanted, tip, known.runs.get(place, ()), subject, repository, services
                )
                found = {run.token: run for run in facts.runs}
                for action in look.while_leased(rollout.plan(facts, services.now())):
                    match action:
                        case LookAgain(seconds):
                            again.append(seconds)
                        case Reply(number, body, sign):
                            body = services.templates.filled(body)
                            performed.append(f"told pull request {number}: {body.strip()}")
                            if thread.reply(
                                repository.azure, number, body, sign, templates=services.templates
                            ):
                                wake.append(PullRequest(repository.served.key, number))
                        case _:
                            told, changed = perform(action, wanted, repository, services)
                            if told:
                                performed.append(told)
                            found.update({changed.token: changed} if changed else {})
                if kept := admission.remembered(facts, list(found.values())):
                    left[place] = kept
            elif fnmatchcase(subject.name, job.model):
                wake.append(Model(job.model))
            if fnmatchcase(subject.name, job.model) and "*" not in subject.name:
                for order in look.while_leased(
                    transition_requests.plan(subject.name, job, wanted, tip, repository, services)
                ):
                    told, _ = perform(order, wanted, repository, services)
                    if told:
                        performed.append(told)
    if left:
        memo = _FORMAT.write(ModelMemo(left))
    else:
        memo = {}
    if followed and services.polls is not None:
        again.append(services.polls)
    return Outcome(min(again, default=None), memo, tuple(performed), tuple(dict.fromkeys(wake)))


def gather(
    job: Job,
    wanted: Mlops,
    commit: str,
    known: tuple[ProjectRun, ...],
    subject: Subject,
    repository: Repository,
    services: Services,
) -> ModelFacts:
    """Read what serves and the job; of a version that the job is not signed with, also all that it
    is judged by.
    """
    facts = replace(read_job_and_versions(job, repository, services), runs=known)
    chosen = rollout.serving(facts.candidates)
    if chosen is not None and facts.job is not None and rollout.undecided(facts.job, chosen):
        facts = admission.gather(facts, chosen, wanted, commit, repository, services)
    return admission.tried(facts, subject, repository, services)


def read_job_and_versions(job: Job, repository: Repository, services: Services) -> ModelFacts:
    """Read the promoted versions and the job, side by side."""
    production = services.production
    candidates, found = parallel.both(
        lambda: tuple(production.models.promoted(job.model, job.alias, job.stage)),
        lambda: production.databricks.job(job.name),
    )
    return ModelFacts(
        repository=repository.served.key,
        job_name=job.name,
        job=found if candidates else None,
        candidates=candidates,
        wanted=job,
        target=repository.served.target,
        page=f"{production.databricks.host}/jobs/{found.id}" if found else "",
    )


def perform(
    action: PointingAction | VersionAction | RunAction,
    wanted: Mlops,
    repository: Repository,
    services: Services,
) -> tuple[str, ProjectRun | None]:
    """Do one thing; says in words what was done, and how a run is after it."""
    databricks = services.production.databricks
    models = services.production.models
    match action:
        case PointJob(job, model, version):
            asked = {**job.parameters, "model_name": model, "model_version": version}
            databricks.update_job(
                job.id, {"parameters": [{"name": key, "default": asked[key]} for key in asked]}
            )
            found = databricks.read_job(job.id).parameters
            if dict(found) != asked:
                # How an update merges parameters is not documented, so it is read back.
                raise ServiceError(
                    "Databricks", f"Job {job.name} was changed, but reads back as {dict(found)}."
                )
            return f"job {job.name} scores with {model} v{version}", None
        case TagJob(job):
            databricks.update_job(job.id, {"tags": rollout.tags(action)})
            return f"tagged job {job.name}", None
        case CommentVersion(name, version, body):
            _comment(name, version, body, services)
            return f"told on {name} v{version}: {versions.tag(body)}", None
        case TagVersion(name, version, tags, needed):
            try:
                models.tag_version(name, version, tags)
            except ServiceError as refused:
                if needed or refused.status not in (403, 404):
                    raise
                log.warning(line("model", model=name, version=version, error=str(refused)))
            return "", None
        case StartRun():
            run = lifecycle.start(action, repository, services)
            return f"smoke run of {action.project}: {run.cluster_run or run.reason}", run
        case CancelRun(run):
            stopped = stop.stop(run, wanted, repository, services)
            return f"stopped the smoke run {run.cluster_run}", stopped
        case CloseRun(run):
            return f"closed the MLflow run of {run.project}: {run.outcome}", lifecycle.close(
                run, services
            )
        case _:
            assert_never(action)


def _comment(name: str, version: str, body: str, services: Services) -> None:
    """Say it where people read it: as a comment, or as a tag where there are no comments."""
    models = services.production.models
    try:
        if models.comments:
            services.production.databricks.comment(name, version, body)
        else:
            models.tag_version(name, version, {"signalman": versions.tag(body)})
    except ServiceError as refused:
        # A registry that lets the bot read and not write is no reason to leave the job unsigned.
        if refused.status not in (403, 404):
            raise
        log.warning(line("model", model=name, version=version, error=str(refused)))
