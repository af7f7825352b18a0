"""Which version of a model a scoring job loads.

The answer follows from what the registry says now, not from the order in which
it was told, so late and doubled events end in the same job. A version that was
rolled back is held back for as long as it is the one that is promoted: the job's
tags say so, where every look sees it and people do.

What a job tells, and the functions that read it:

* its parameters `model_name` and `model_version`: what its next run scores with (`loaded`, and
  `pointed`: that is this version);
* the tags `signalman_model` and `signalman_version`, written last: what was told to people
  (`signed_version`, and `signed`: that is this version);
* `signalman_before`: what it scored with before (`before`);
* `signalman_held`: the promoted version that it was rolled back from (`held`).
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from fnmatch import fnmatchcase
from typing import assert_never

from bot.actions import CommentVersion, LookAgain, ModelAction, PointJob, Reply, TagJob, TagVersion
from bot.config.repository import Project, fill
from bot.facts.branch import JobFacts
from bot.facts.model import (
    ACCEPTED,
    Doubt,
    Misfit,
    ModelFacts,
    ModelVersion,
    NotPromoted,
    Promotion,
    PromotionRefusal,
    ServingVersion,
    SmokeFailed,
    VersionGone,
    VersionNotReady,
)
from bot.facts.runs import ProjectRun
from bot.rules import schedule
from bot.rules.model import admission, smoke
from bot.words import model as words
from bot.words import replies, versions

MODEL, VERSION, COMMIT = "signalman_model", "signalman_version", "signalman_commit"
BEFORE, HELD = "signalman_before", "signalman_held"
"""The tags that name a version as `name/version`: what the job scored with before, and what was
rolled back.
"""

PENDING = 5.0
"""Seconds until the registry is asked again whether it is done with a version."""

LONGEST_TAG = 256
"""Characters of a job's tag, which becomes one of its machines'. A value may hold a `/`
(https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources#limitations).
"""


def promoted(candidates: Sequence[ServingVersion]) -> ServingVersion | None:
    """The version that is promoted, which a job is to score with: one with the alias before one in
    the stage, then the one changed last.
    """
    return max(
        candidates,
        key=lambda entry: (entry.by_alias, entry.updated, entry.name, int(entry.version)),
        default=None,
    )


def follows(pattern: str, project: Project) -> bool:
    """Whether a job that follows models of such a name follows what a project trains."""
    names: list[str] = []
    if project.model:
        names.append(fill(project.model, branch="branch"))
    if project.retrain:
        names.append(project.retrain.model)
    return any(fnmatchcase(name, pattern) for name in names)


def signed(job: JobFacts, version: ServingVersion) -> bool:
    """Whether a job already carries the sign that it was pointed at a version, and that this was
    told.
    """
    return signed_version(job) == (version.name, version.version)


def pointed(job: JobFacts, version: ServingVersion) -> bool:
    """Whether a job's next run scores with a version."""
    return loaded(job) == (version.name, version.version)


def loaded(job: JobFacts) -> tuple[str, str]:
    """Name and version of the model that a job's next run scores with; empty before it is first
    pointed.
    """
    return job.parameters.get("model_name", ""), job.parameters.get("model_version", "")


def signed_version(job: JobFacts) -> tuple[str, str]:
    """Name and version of the model that a job's tags say it scores with; empty before it was first
    pointed.
    """
    return job.tags.get(MODEL, ""), job.tags.get(VERSION, "")


def tagged(name: str, version: str) -> str:
    """A version as a tag names it; empty for none, and for one whose name is too long to be
    remembered.
    """
    text = ""
    if name and version:
        text = f"{name}/{version}"
    if len(text) <= LONGEST_TAG:
        return text
    return ""


def before(job: JobFacts) -> tuple[str, str]:
    """Name and version of the model that a job scored with before, as far as its tags tell; else
    empty.
    """
    name, _, version = job.tags.get(BEFORE, "").rpartition("/")
    return name, version


def held(job: JobFacts, version: ServingVersion) -> bool:
    """Whether a version was rolled back on this job, and nothing else was promoted since."""
    return HELD in job.tags and job.tags[HELD] == tagged(version.name, version.version)


def undecided(job: JobFacts, version: ServingVersion) -> bool:
    """Whether it is still to be judged if a job may be pointed at a version."""
    return not (job.bundle or signed(job, version) or held(job, version))


def tags(action: TagJob) -> dict[str, str]:
    """All tags that a job carries after this action."""
    others = {name: value for name, value in action.job.tags.items() if name not in (BEFORE, HELD)}
    others |= {MODEL: action.model, VERSION: action.version, COMMIT: action.commit or "unknown"}
    return others | {
        name: value for name, value in ((BEFORE, action.before), (HELD, action.held)) if value
    }


def plan(model: ModelFacts, now: datetime) -> list[ModelAction]:
    """Point the job at the serving version once it may be, tell people, and sign the job last; or
    tell why not.
    """
    chosen = promoted(model.candidates)
    job = model.job
    # A job that an Asset Bundle manages is changed by its bundle, or the next deployment takes it
    # back.
    if chosen is None or job is None or job.bundle:
        return [*smoke.left(model, ())]
    if held(job, chosen):
        back_to = signed_version(job)
        actions = [*smoke.left(model, ())]
        if loaded(job) != back_to:
            actions.append(PointJob(job, *back_to))
        return actions
    if signed(job, chosen):
        return [*smoke.left(model, ()), *_kept(job, chosen)]
    return _admitted(model, job, chosen, now)


def label(version: tuple[str, str], of: str) -> str:
    """A version, by name and number, as a sentence about one of the model `of` names it; empty for
    none.
    """
    name, number = version
    if name == of:
        return f"v{number}"
    if number:
        return f"{name} v{number}"
    return ""


def _kept(job: JobFacts, chosen: ServingVersion) -> list[ModelAction]:
    """What is missing of a version that the job was admitted to before."""
    if not pointed(job, chosen):
        return [PointJob(job, chosen.name, chosen.version)]
    if HELD in job.tags:
        # What it was rolled back to is promoted now: there is nothing left to hold.
        return [
            TagJob(
                job, chosen.name, chosen.version, job.tags.get(COMMIT, ""), job.tags.get(BEFORE, "")
            )
        ]
    return []


def _admitted(
    model: ModelFacts, job: JobFacts, chosen: ServingVersion, now: datetime
) -> list[ModelAction]:
    candidate = model.admission
    if candidate is None:
        return []
    if admission.pending(candidate):
        return [*smoke.left(model, ()), LookAgain(PENDING)]
    refusal = admission.refusal(model)
    if refusal is not None:
        return [*smoke.left(model, ()), *_refused(model, chosen, refusal, None)]
    tried = smoke.plan(model, now)
    if tried.state == "runs":
        return [*tried.actions]
    if tried.fault is not None:
        failed = SmokeFailed(tried.fault)
        return [*tried.actions, *_refused(model, chosen, failed, tried.run)]
    return [*tried.actions, *_pointed(model, job, chosen, tried.run, now)]


def _pointed(
    model: ModelFacts,
    job: JobFacts,
    chosen: ServingVersion,
    smoke_run: ProjectRun | None,
    now: datetime,
) -> list[ModelAction]:
    was = signed_version(job)
    actions: list[ModelAction] = []
    if not pointed(job, chosen):
        actions.append(PointJob(job, chosen.name, chosen.version))
    live = _promotion(model, job, chosen, smoke_run, now)
    if live.pull_request is not None:
        actions.append(Reply(live.pull_request, replies.promoted(live), replies.promoted_to(live)))
    digest = admission.digest("live", *was, chosen.promoted_by)
    version = _version(model)
    if version is not None and admission.told(version, model.job_name) != digest:
        actions.append(CommentVersion(chosen.name, chosen.version, versions.live(live)))
        noting = admission.noting(version, model.job_name, digest)
        actions.append(TagVersion(chosen.name, chosen.version, noting))
    sign = TagJob(job, chosen.name, chosen.version, live.commit, before=tagged(*was))
    actions.append(sign)
    return actions


def _promotion(
    model: ModelFacts,
    job: JobFacts,
    chosen: ServingVersion,
    smoke_run: ProjectRun | None,
    now: datetime,
) -> Promotion:
    """What people are told of a version that a job is pointed at."""
    live = Promotion(
        version=chosen,
        job=model.job_name,
        was=signed_version(job),
        smoke=smoke_run,
        page=model.page,
    )
    if model.origin is not None:
        live = replace(
            live,
            commit=model.origin.commit,
            pull_request=model.origin.pull_request,
            retrained=model.origin.retrained,
        )
    version = _version(model)
    if version is not None:
        live = replace(live, accepted=version.tags.get(ACCEPTED, ""))
    candidate = model.admission
    if candidate is not None and candidate.smoke is not None and smoke_run is not None:
        live = replace(live, measured=smoke.metrics(candidate.smoke, smoke_run))
    if job.schedule:
        live = replace(live, next_run=schedule.next_run(job.schedule, now))
    return live


def _refused(
    model: ModelFacts,
    chosen: ServingVersion,
    refusal: PromotionRefusal,
    smoke_run: ProjectRun | None,
) -> list[ModelAction]:
    """Tell it once: on the pull request, on the version, and the sign of it last."""
    version = _version(model)
    if version is None:
        return []
    was = ("", "")
    if model.job is not None:
        was = signed_version(model.job)
    smoke_token = ""
    if smoke_run is not None:
        smoke_token = smoke_run.token
    refused = NotPromoted(
        version=chosen,
        job=model.job_name,
        serving=label(was, chosen.name),
        refusal=refusal,
        acceptable=admission.acceptable(refusal),
        run=smoke_run,
    )
    digest = admission.digest(_kind(refusal), words.not_promoted(refused), smoke_token)
    if admission.told(version, model.job_name) == digest:
        return []
    # Who may not write the sign would say it again and again.
    claim = admission.noting(version, model.job_name, f"{digest}?")
    actions: list[ModelAction] = [TagVersion(chosen.name, chosen.version, claim, needed=True)]
    if model.origin is not None and model.origin.pull_request is not None:
        number = model.origin.pull_request
        begins = replies.not_promoted_to(refused)
        actions.append(Reply(number, replies.not_promoted(refused), begins))
    actions.append(CommentVersion(chosen.name, chosen.version, versions.refused(refused)))
    noting = admission.noting(version, model.job_name, digest)
    actions.append(TagVersion(chosen.name, chosen.version, noting))
    return actions


def _version(model: ModelFacts) -> ModelVersion | None:
    """The promoted version as the registry has it now."""
    if model.admission is None:
        return None
    return model.admission.version


def _kind(refusal: PromotionRefusal) -> str:
    """A refusal's kind, as the digests on model versions know it."""
    match refusal:
        case VersionGone():
            return "gone"
        case VersionNotReady():
            return "not ready"
        case Doubt():
            return "unvalidated"
        case Misfit():
            return "signature"
        case SmokeFailed():
            return "smoke"
        case _:
            assert_never(refusal)
