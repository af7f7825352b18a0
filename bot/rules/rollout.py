"""Which version of a model a scoring job loads.

The answer follows from what the registry says now, not from the order in which
it was told, so late and doubled events end in the same job. A version that was
rolled back is held back for as long as it is the one that is promoted: the job's
tags say so, where every look sees it and people do.
"""

from collections.abc import Sequence

from bot.actions import Action, PointJob, Reply, TagJob
from bot.facts import JobFacts, ModelFacts, ServingVersion
from bot.words import replies

MODEL, VERSION, COMMIT = "signalman_model", "signalman_version", "signalman_commit"
BEFORE, HELD = "signalman_before", "signalman_held"
"""The tags that name a version as `name/version`: what the job scored with before, and what was rolled back."""

LONGEST_TAG = 256
"""Characters of a job's tag, which becomes one of its machines'. A value may hold a `/`
(https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources#limitations).
"""


def serving(candidates: Sequence[ServingVersion]) -> ServingVersion | None:
    """The version that serves: one with the alias before one in the stage, then the one changed last."""
    return max(candidates, key=lambda one: (one.by_alias, one.updated, one.name, int(one.version)), default=None)


def signed(job: JobFacts, version: ServingVersion) -> bool:
    """Whether a job already carries the sign that it was pointed at a version, and that this was told."""
    return signed_version(job) == (version.name, version.version)


def pointed(job: JobFacts, version: ServingVersion) -> bool:
    """Whether a job's next run scores with a version."""
    return loaded(job) == (version.name, version.version)


def loaded(job: JobFacts) -> tuple[str, str]:
    """Name and version of the model that a job's next run scores with; empty before it is first pointed."""
    return job.parameters.get("model_name", ""), job.parameters.get("model_version", "")


def signed_version(job: JobFacts) -> tuple[str, str]:
    """Name and version of the model that a job's tags say it scores with; empty before it was first pointed."""
    return job.tags.get(MODEL, ""), job.tags.get(VERSION, "")


def tagged(name: str, version: str) -> str:
    """A version as a tag names it; empty for none, and for one whose name is too long to be remembered."""
    text = f"{name}/{version}" if name and version else ""
    return text if len(text) <= LONGEST_TAG else ""


def before(job: JobFacts) -> tuple[str, str]:
    """Name and version of the model that a job scored with before, as far as its tags tell; else empty."""
    name, _, version = job.tags.get(BEFORE, "").rpartition("/")
    return name, version


def held(job: JobFacts, version: ServingVersion) -> bool:
    """Whether a version was rolled back on this job, and nothing else was promoted since."""
    return HELD in job.tags and job.tags[HELD] == tagged(version.name, version.version)


def tags(order: TagJob) -> dict[str, str]:
    """All tags that a job carries after this order."""
    kept = {name: value for name, value in order.job.tags.items() if name not in (BEFORE, HELD)}
    kept |= {MODEL: order.model, VERSION: order.version, COMMIT: order.commit or "unknown"}
    return kept | {name: value for name, value in ((BEFORE, order.before), (HELD, order.held)) if value}


def plan(model: ModelFacts) -> list[Action]:
    """Point the job at the serving version, tell the pull request it came from, and sign the job last."""
    chosen, job = serving(model.candidates), model.job
    # A job that an Asset Bundle manages is changed by its bundle, or the next deployment takes it back.
    if chosen is None or job is None or job.bundle:
        return []
    if held(job, chosen):
        kept = signed_version(job)
        return [] if loaded(job) == kept else [PointJob(job, *kept)]
    orders: list[Action] = []
    if not pointed(job, chosen):
        orders.append(PointJob(job, chosen.name, chosen.version))
    if not signed(job, chosen):
        was = signed_version(job)
        if model.origin is not None and model.origin.pull_request is not None:
            told = replies.promoted(chosen, model.job_name, was, retrained=model.origin.retrained)
            orders.append(Reply(model.origin.pull_request, told))
        commit = model.origin.commit if model.origin else ""
        orders.append(TagJob(job, chosen.name, chosen.version, commit, before=tagged(*was)))
    elif HELD in job.tags:
        # What it was rolled back to is promoted now: there is nothing left to hold.
        orders.append(TagJob(job, chosen.name, chosen.version, job.tags.get(COMMIT, ""), job.tags.get(BEFORE, "")))
    return orders
