"""Which version of a model a scoring job loads.

The answer follows from what the registry says now, not from the order in which
it was told, so late and doubled events end in the same job.
"""

from collections.abc import Sequence

from bot.actions import Action, PointJob, Reply, TagJob
from bot.facts import JobFacts, ModelFacts, ServingVersion
from bot.words import replies

MODEL, VERSION, COMMIT = "signalman_model", "signalman_version", "signalman_commit"


def serving(candidates: Sequence[ServingVersion]) -> ServingVersion | None:
    """The version that serves: one with the alias before one in the stage, then the one changed last."""
    return max(candidates, key=lambda one: (one.by_alias, one.updated, one.name, int(one.version)), default=None)


def signed(job: JobFacts, version: ServingVersion) -> bool:
    """Whether a job already carries the sign that it was pointed at a version, and that this was told."""
    return (job.tags.get(MODEL), job.tags.get(VERSION)) == (version.name, version.version)


def pointed(job: JobFacts, version: ServingVersion) -> bool:
    """Whether a job's next run scores with a version."""
    return loaded(job) == (version.name, version.version)


def loaded(job: JobFacts) -> tuple[str, str]:
    """Name and version of the model that a job's next run scores with; empty before it is first pointed."""
    return job.parameters.get("model_name", ""), job.parameters.get("model_version", "")


def plan(model: ModelFacts) -> list[Action]:
    """Point the job at the serving version, tell the pull request it came from, and sign the job last."""
    chosen, job = serving(model.candidates), model.job
    # A job that an Asset Bundle manages is changed by its bundle, or the next deployment takes it back.
    if chosen is None or job is None or job.bundle:
        return []
    orders: list[Action] = []
    if not pointed(job, chosen):
        orders.append(PointJob(job, chosen.name, chosen.version))
    if not signed(job, chosen):
        if model.origin is not None and model.origin.pull_request is not None:
            was = (job.tags.get(MODEL, ""), job.tags.get(VERSION, ""))
            told = replies.promoted(chosen, model.job_name, was, retrained=model.origin.retrained)
            orders.append(Reply(model.origin.pull_request, told))
        orders.append(TagJob(job, chosen.name, chosen.version, model.origin.commit if model.origin else ""))
    return orders
