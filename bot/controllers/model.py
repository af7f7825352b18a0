"""A pass over a model: which version was promoted, and whether the scoring jobs load it."""

from dataclasses import replace
from fnmatch import fnmatchcase

from bot import config
from bot.actions import Action, PointJob, Reply, TagJob
from bot.controllers import runs, target, thread
from bot.controllers.neighbours import Neighbours, Repository
from bot.errors import ServiceError
from bot.facts import ModelFacts, Origin
from bot.passes import Look, Outcome
from bot.rules import rollout
from bot.subjects import Model, Subject


def pass_over(subject: Model, look: Look, world: Neighbours) -> Outcome:
    """Gather, decide, perform, for each job that follows the model.

    A job is only ever pointed in the pass of what its configuration names, so
    that two models' events do not point it side by side.
    """
    performed: list[str] = []
    wake: list[Subject] = []
    for repository in world.repositories.values():
        for job in target.read(repository)[1].jobs:
            if job.model == subject.name:
                facts = gather(job, repository, world)
                for action in look.each(rollout.plan(facts)):
                    performed.append(perform(action, repository, world))
            elif fnmatchcase(subject.name, job.model):
                wake.append(Model(job.model))
    return Outcome(performed=tuple(performed), wake=tuple(dict.fromkeys(wake)))


def gather(job: config.Job, repository: Repository, world: Neighbours) -> ModelFacts:
    """Read the promoted versions, the job, and where the serving version comes from."""
    candidates = tuple(world.production.models.promoted(job.model, job.alias, job.stage))
    facts = ModelFacts(
        repository=repository.served.key,
        job_name=job.name,
        job=world.production.databricks.job(job.name) if candidates else None,
        candidates=candidates,
    )
    chosen = rollout.serving(candidates)
    if chosen is None or facts.job is None or rollout.signed(facts.job, chosen) or rollout.held(facts.job, chosen):
        return facts
    return replace(facts, origin=origin(chosen.run, repository, world))


def perform(action: Action, repository: Repository, world: Neighbours) -> str:
    """Do one thing; says in words what was done."""
    databricks = world.production.databricks
    match action:
        case PointJob(job, model, version):
            wanted = {**job.parameters, "model_name": model, "model_version": version}
            databricks.update_job(job.id, parameters=wanted)
            found = databricks.read_job(job.id).parameters
            if dict(found) != wanted:
                # How an update merges parameters is not documented, so it is read back.
                raise ServiceError("Databricks", f"Job {job.name} was changed, but reads back as {dict(found)}.")
            return f"job {job.name} scores with {model} v{version}"
        case TagJob(job):
            databricks.update_job(job.id, tags=rollout.tags(action))
            return f"tagged job {job.name}"
        case Reply(number, body, sign):
            thread.reply(repository.azure, number, body, sign)
            return f"told pull request {number}: {body.strip()}"
        case _:
            raise AssertionError(f"a model's pass does not know {action}")


def origin(trained_by: str, repository: Repository, world: Neighbours) -> Origin | None:
    """Where a version comes from that an MLflow run registered; None when nobody knows that run."""
    if not trained_by:
        return None
    run = runs.anywhere(trained_by, world)
    if run is None:
        return None
    tags = run.tags
    commit = tags.get(runs.COMMIT) or tags.get("mlflow.source.git.commit", "")
    if tags.get(runs.REPOSITORY, repository.served.key) != repository.served.key:
        return Origin(tags[runs.REPOSITORY], commit, None)
    number = tags.get(runs.PULL_REQUEST, "")
    if number.isdigit():
        retrained = tags.get(runs.KIND) == runs.RETRAINING
        return Origin(repository.served.key, commit, int(number), retrained)
    merged = repository.azure.merged_as([commit]) if commit else {}
    return Origin(repository.served.key, commit, merged.get(commit))
