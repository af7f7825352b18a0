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
from bot.facts.branch import JobFacts
from bot.facts.model import ModelFacts
from bot.facts.runs import ProjectRun
from bot.log import line
from bot.passes import Look, Memo, MemoFormat, Outcome
from bot.rules.model import rollout, smoke
from bot.services.databricks import Databricks
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


@dataclass
class _PassState:
    """What a pass has done, and what it leaves behind; `runs` as in the memo."""

    runs: dict[str, tuple[ProjectRun, ...]] = field(default_factory=dict)
    performed: list[str] = field(default_factory=list)
    wake: list[Subject] = field(default_factory=list)
    look_again: list[float] = field(default_factory=list)


def pass_over(subject: Model, look: Look, services: Services) -> Outcome:
    """Gather, decide, perform, for each job that follows the model.

    A job is only ever pointed in the pass of what its configuration names, so
    that two models' events do not point it side by side.
    """
    memo = _FORMAT.read(look.memo)
    done = _PassState()
    for repository in services.repositories.values():
        tip, config = target_config.read(repository)
        for job in config.jobs:
            followed = fnmatchcase(subject.name, job.model)
            if job.model == subject.name:
                known = memo.runs.get(_key(repository, job), ())
                facts = gather(job, config, tip, known, subject, repository, services)
                _follow(facts, job, config, look, done, repository, services)
                if services.polls is not None:
                    done.look_again.append(services.polls)
            elif followed:
                done.wake.append(Model(job.model))
            if followed and "*" not in subject.name:
                actions = transition_requests.plan(
                    subject.name, job, config, tip, repository, services
                )
                for action in look.while_leased(actions):
                    _note(perform(action, services), done)
    left: Memo = {}
    if done.runs:
        left = _FORMAT.write(ModelMemo(done.runs))
    return Outcome(
        min(done.look_again, default=None),
        left,
        tuple(done.performed),
        tuple(dict.fromkeys(done.wake)),
    )


def _key(repository: Repository, job: Job) -> str:
    """A job's name in the memo."""
    return f"{repository.served.key}/{job.name}"


def _follow(
    facts: ModelFacts,
    job: Job,
    config: Mlops,
    look: Look,
    done: _PassState,
    repository: Repository,
    services: Services,
) -> None:
    """Bring one job to the version that is promoted, or tell why not; what its smoke runs are by
    then is remembered.
    """
    runs = {run.token: run for run in facts.runs}
    for action in look.while_leased(rollout.plan(facts, services.now())):
        match action:
            case LookAgain(seconds):
                done.look_again.append(seconds)
            case Reply():
                _reply(action, done, repository, services)
            case StartRun() | CancelRun() | CloseRun():
                told, run = perform_run(action, config, repository, services)
                done.performed.append(told)
                runs[run.token] = run
            case _:
                _note(perform(action, services), done)
    kept = smoke.remembered(facts, list(runs.values()))
    if kept:
        done.runs[_key(repository, job)] = kept


def _reply(action: Reply, done: _PassState, repository: Repository, services: Services) -> None:
    """Tell a pull request, which is looked at again where that opened its report."""
    body = services.templates.filled(action.body)
    done.performed.append(f"told pull request {action.number}: {body.strip()}")
    if thread.reply(
        repository.azure, action.number, body, action.sign, templates=services.templates
    ):
        done.wake.append(PullRequest(repository.served.key, action.number))


def _note(told: str, done: _PassState) -> None:
    if told:
        done.performed.append(told)


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
    chosen = rollout.promoted(facts.candidates)
    if chosen is not None and facts.job is not None and rollout.undecided(facts.job, chosen):
        facts = admission.gather(facts, chosen, wanted, commit, repository, services)
    return admission.tried(facts, subject, repository, services)


def read_job_and_versions(job: Job, repository: Repository, services: Services) -> ModelFacts:
    """Read the promoted versions and the job, side by side."""
    production = services.production
    candidates, job_facts = parallel.both(
        lambda: tuple(production.models.promoted(job.model, job.alias, job.stage)),
        lambda: production.databricks.job(job.name),
    )
    return ModelFacts(
        repository=repository.served.key,
        job_name=job.name,
        job=job_facts if candidates else None,
        candidates=candidates,
        wanted=job,
        target=repository.served.target,
        page=f"{production.databricks.host}/jobs/{job_facts.id}" if job_facts else "",
    )


def perform(action: PointingAction | VersionAction, services: Services) -> str:
    """Do one thing; says in words what was done, nothing of what is no news to anybody."""
    databricks = services.production.databricks
    match action:
        case PointJob(job, model, version):
            _point_job(job, model, version, databricks)
            return f"job {job.name} scores with {model} v{version}"
        case TagJob(job):
            databricks.update_job(job.id, {"tags": rollout.tags(action)})
            return f"tagged job {job.name}"
        case CommentVersion(name, version, body):
            _comment(name, version, body, services)
            return f"told on {name} v{version}: {versions.tag(body)}"
        case TagVersion():
            _tag_version(action, services)
            return ""
        case _:
            assert_never(action)


def perform_run(
    action: RunAction, config: Mlops, repository: Repository, services: Services
) -> tuple[str, ProjectRun]:
    """Start, stop or close a smoke run; says in words what was done, and how the run is after
    it.
    """
    match action:
        case StartRun():
            run = lifecycle.start(action, repository, services)
            return f"smoke run of {action.project}: {run.cluster_run or run.reason}", run
        case CancelRun(run):
            stopped = stop.stop(run, config, repository, services)
            return f"stopped the smoke run {run.cluster_run}", stopped
        case CloseRun(run):
            closed = lifecycle.close(run, services)
            return f"closed the MLflow run of {run.project}: {run.outcome}", closed
        case _:
            assert_never(action)


def _point_job(job: JobFacts, model: str, version: str, databricks: Databricks) -> None:
    """Let a job score with a version from its next run on. Raises ServiceError when it does not
    read back so.

    How an update merges parameters is not documented, so it is read back.
    """
    parameters = {**job.parameters, "model_name": model, "model_version": version}
    databricks.update_job(
        job.id,
        {"parameters": [{"name": name, "default": parameters[name]} for name in parameters]},
    )
    there = dict(databricks.read_job(job.id).parameters)
    if there != parameters:
        raise ServiceError("Databricks", f"Job {job.name} was changed, but reads back as {there}.")


def _tag_version(action: TagVersion, services: Services) -> None:
    """Tag a model version. A registry that does not let the bot is no reason to stop, unless the
    tag is needed.
    """
    try:
        services.production.models.tag_version(action.name, action.version, action.tags)
    except ServiceError as refused:
        if action.needed or refused.status not in (403, 404):
            raise
        log.warning(line("model", model=action.name, version=action.version, error=str(refused)))


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
