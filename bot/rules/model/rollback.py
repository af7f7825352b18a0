"""What a scoring job goes back to when somebody asks for it, and why it may not.

The registry is left as people made it: the job is pointed back and tagged, and
`rollout` leaves it there for as long as the same version is promoted.
"""

from datetime import datetime

from bot.actions import PointingAction, PointJob, TagJob
from bot.facts.branch import JobFacts
from bot.facts.model import ModelFacts
from bot.rules import schedule
from bot.rules.model import rollout
from bot.words import replies


def goal(model: ModelFacts) -> tuple[str, str]:
    """Name and version that the job scored with before what is promoted now; empty when that is not
    known.
    """
    chosen = rollout.serving(model.candidates)
    job = model.job
    if chosen is None or job is None:
        return "", ""
    if rollout.signed(job, chosen):
        return rollout.before(job)
    return rollout.signed_version(job)


def refusal(model: ModelFacts, *, exists: bool) -> str:
    """Why the job cannot be rolled back, in the rest of a sentence; empty when it can. `exists`:
    the goal is there.
    """
    chosen = rollout.serving(model.candidates)
    if chosen is None:
        return "nothing is promoted that it follows."
    if model.job is None:
        return "it is not in the workspace."
    if model.job.bundle:
        return "an Asset Bundle manages it; roll the bundle back."
    if not goal(model)[1]:
        return "nothing is known of what it scored with before."
    if not rollout.tagged(chosen.name, chosen.version):
        return (
            "the name of its model is too long for a tag, which would have to tell that it was "
            "rolled back."
        )
    if not exists:
        return "the version before is not in the registry any more."
    return ""


def plan(model: ModelFacts, commit: str) -> list[PointingAction]:
    """Point the job back, and sign that last. `commit` is the one that trained the goal, empty when
    it is unknown.
    """
    chosen = rollout.serving(model.candidates)
    job = model.job
    to = goal(model)
    if chosen is None or job is None or not to[1]:
        return []
    orders: list[PointingAction] = []
    if rollout.loaded(job) != to:
        orders.append(PointJob(job, *to))
    if not rollout.held(job, chosen):
        orders.append(TagJob(job, *to, commit, held=rollout.tagged(chosen.name, chosen.version)))
    return orders


def told(model: ModelFacts, job: JobFacts, now: datetime) -> str:
    """The answer once that is done, also when it was done before."""
    chosen = rollout.serving(model.candidates)
    if chosen:
        was = (chosen.name, chosen.version)
    else:
        was = ("", "")
    following = None
    if job.schedule:
        following = schedule.next_run(job.schedule, now)
    return replies.rolled_back(model.job_name, goal(model), was, following)
