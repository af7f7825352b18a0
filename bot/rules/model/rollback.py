"""What a scoring job goes back to when somebody asks for it, and why it may not.

The registry is left as people made it: the job is pointed back and tagged, and
`rollout` leaves it there for as long as the same version is promoted.
"""

from datetime import datetime

from bot.actions import PointingAction, PointJob, TagJob
from bot.facts.model import ModelFacts, RollbackRefusal
from bot.rules import schedule
from bot.rules.model import rollout
from bot.words import replies


def goal(model: ModelFacts) -> tuple[str, str]:
    """Name and version that the job scored with before what is promoted now; empty when that is not
    known.
    """
    chosen = rollout.promoted(model.candidates)
    job = model.job
    if chosen is None or job is None:
        return "", ""
    if rollout.signed(job, chosen):
        return rollout.before(job)
    return rollout.signed_version(job)


def refusal(model: ModelFacts, *, exists: bool) -> RollbackRefusal | None:
    """Why the job cannot be rolled back; None when it can. `exists`: the goal is there."""
    chosen = rollout.promoted(model.candidates)
    if chosen is None:
        return "nothing promoted"
    if model.job is None:
        return "no job"
    if model.job.bundle:
        return "bundle"
    if not goal(model)[1]:
        return "no version before"
    # A tag of the job has to tell that it was rolled back.
    if not rollout.tagged(chosen.name, chosen.version):
        return "name too long"
    if not exists:
        return "version gone"
    return None


def plan(model: ModelFacts, commit: str) -> list[PointingAction]:
    """Point the job back, and sign that last. `commit` is the one that trained the goal, empty when
    it is unknown.
    """
    chosen = rollout.promoted(model.candidates)
    job = model.job
    to = goal(model)
    if chosen is None or job is None or not to[1]:
        return []
    actions: list[PointingAction] = []
    if rollout.loaded(job) != to:
        actions.append(PointJob(job, *to))
    if not rollout.held(job, chosen):
        actions.append(TagJob(job, *to, commit, held=rollout.tagged(chosen.name, chosen.version)))
    return actions


def told(model: ModelFacts, now: datetime) -> str:
    """The answer once that is done, also when it was done before."""
    chosen = rollout.promoted(model.candidates)
    was = ("", "")
    if chosen is not None:
        was = (chosen.name, chosen.version)
    following = None
    if model.job is not None and model.job.schedule:
        following = schedule.next_run(model.job.schedule, now)
    return replies.rolled_back(model.job_name, goal(model), was, following)
