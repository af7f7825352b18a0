"""How far each project of a pull request is, and what its run says of the change.

A failed training run is a result, not an error. Orders to run again count rounds:
a run belongs to the newest round that is about its project, so that the same
orders always lead to the same runs, whoever remembers them.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.config.repository import Mlops, Project
from bot.facts.discussion import Order, OrderVerb
from bot.facts.pull_request import (
    GOOD_STATES,
    UNFINISHED_STATES,
    USABLE_STATES,
    NotReached,
    PullRequestFacts,
    PullRequestHead,
    Step,
)
from bot.facts.quality_gate import Baseline
from bot.facts.runs import ProjectRun, RunFault
from bot.rules.pull_request import gates
from bot.rules.runs import PAUSES, fault

ROUND_VERBS: tuple[OrderVerb, ...] = ("run", "retry")
"""The orders that begin a new round of runs."""


@dataclass(frozen=True)
class Turn:
    """The newest round about a project, and its runs there, the first attempt first."""

    round: int
    runs: tuple[ProjectRun, ...]


def steps(pr: PullRequestFacts, projects: Sequence[Project]) -> list[Step]:
    """How far each project of the plan is."""
    plan: list[Step] = []
    for project in projects:
        turn = newest(pr, project)
        last = None
        if turn.runs:
            last = turn.runs[-1]
        # One that was stopped because its pull request was closed says nothing now that it is open
        # again.
        if last is not None and last.withdrawn and last.outcome == "cancelled":
            last = None
        step = Step(
            project,
            "waits",
            run=last,
            attempt=len(turn.runs) + (last is None),
            round=turn.round,
            losses=sum(run.outcome == "no cluster" for run in turn.runs),
        )
        if last is not None:
            plan.append(_judged(pr, step, last))
        else:
            plan.append(_waiting(step, plan))
    return plan


def _waiting(step: Step, earlier: Sequence[Step]) -> Step:
    """A step without a run, skipped if one that it comes after leads nowhere."""
    for other in earlier:
        if other.project.path in step.project.after and not _leads_on(other):
            return replace(step, state="skipped", fault=NotReached(other.project.name))
    return step


def newest(pr: PullRequestFacts, project: Project) -> Turn:
    """The newest round that is about a project: orders to run concern it, orders to retry only if
    it failed before.
    """
    turn = Turn(0, attempts(pr, project.path))
    for number, order in enumerate(rounds(pr.orders), start=1):
        if order.verb == "run":
            begins = concerns(order, project, pr.config)
        else:
            begins = not _good(pr, project, turn)
        if begins:
            turn = Turn(number, attempts(pr, project.path, number))
    return turn


def rounds(orders: Sequence[Order]) -> list[Order]:
    """The orders that begin a round."""
    return [order for order in orders if order.verb in ROUND_VERBS]


def concerns(order: Order, project: Project, config: Mlops | None) -> bool:
    """Whether an order to run is about a project: it names none, names it, or one that it comes
    after.
    """
    name = order.argument.casefold()
    if name in ("", "all", project.name.casefold(), project.path.casefold()):
        return True
    if config is None:
        return False
    before = [other for other in config.projects if other.path in project.after]
    return any(concerns(order, other, config) for other in before)


def attempts(pr: PullRequestFacts, project: str, round: int = 0) -> tuple[ProjectRun, ...]:
    """The runs of a project for this iteration in a round, the first attempt first."""
    begun = {run.token: run for run in pr.runs if run.cluster_run or run.over}
    runs: list[ProjectRun] = []
    while run := begun.get(token(pr.repository, pr.head, project, len(runs) + 1, round)):
        runs.append(run)
    return tuple(runs)


def token(
    repository: str, head: PullRequestHead, project: str, attempt: int = 1, round: int = 0
) -> str:
    """The name of one project run: the same for the same commit, iteration, project, round and
    attempt, and no other.

    The iteration is part of it, so a force-push back to an old commit is judged
    anew. 32 characters; Databricks takes up to 64.
    """
    identity = f"{repository}!{head.number}/{head.iteration}/{head.commit}/{project}/{attempt}"
    if round:
        identity += f"/{round}"
    return hashlib.sha256(identity.encode()).hexdigest()[:32]


def over(steps: Sequence[Step]) -> bool:
    """Whether nothing more is to be waited for."""
    return all(step.state not in UNFINISHED_STATES for step in steps)


def _judged(pr: PullRequestFacts, step: Step, run: ProjectRun) -> Step:
    if not run.over:
        return replace(step, state="runs")
    if run.outcome == "no cluster":
        if run.reason:
            step = replace(step, fault=RunFault("reported", reason=run.reason))
        if step.losses <= len(PAUSES):
            return replace(step, state="again")
        return replace(step, state="no cluster")
    failure = fault(step.project, run)
    if failure is not None:
        return _accepted(pr.orders, replace(step, state="failed", fault=failure))
    baseline = pr.baselines.get(step.project.path, Baseline())
    judgements, refusal = gates.judge(step.project, run, baseline)
    step = replace(step, judgements=judgements, baseline=baseline, fault=refusal)
    if refusal is not None:
        return _accepted(pr.orders, replace(step, state="refused"))
    return replace(step, state="passed")


def _accepted(orders: Sequence[Order], step: Step) -> Step:
    """The step, accepted if somebody who may has done so."""
    names = {step.project.name.casefold(), step.project.path.casefold()}
    if step.state == "refused":
        names.add("gate")
    for order in orders:
        if order.verb == "override" and order.argument.casefold() in names:
            return replace(step, state="accepted", accepted=order)
    return step


def _good(pr: PullRequestFacts, project: Project, turn: Turn) -> bool:
    """Whether a round's last run leaves nothing to retry."""
    if not turn.runs or turn.runs[-1].outcome != "succeeded":
        return False
    run = turn.runs[-1]
    return _judged(pr, Step(project, "waits", run=run), run).state in GOOD_STATES


def _leads_on(step: Step) -> bool:
    """Whether what comes after a step can run, now or later."""
    if step.state in UNFINISHED_STATES:
        return True
    if step.state not in USABLE_STATES or step.run is None:
        return False
    # A failure that somebody accepted has made nothing that could be used.
    return fault(step.project, step.run) is None
