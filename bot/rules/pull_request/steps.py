"""How far each project of a pull request is, and what its run says of the change.

A failed training run is a result, not an error. Orders to run again count rounds:
a run belongs to the newest round that is about its project, so that the same
orders always lead to the same runs, whoever remembers them.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.config.repository import Mlops, Project
from bot.facts.discussion import Order
from bot.facts.pull_request import Baseline, PullRequestFacts, PullRequestHead, Step, StepState
from bot.facts.runs import ProjectRun
from bot.rules.pull_request import gates
from bot.words import escape

PAUSES = (30.0, 120.0)
"""Seconds before a run that the workspace failed is tried again, and once more. A failing script is
not.
"""

UNDER_WAY = ("waits", "runs", "again")
"""The states of a step that has not ended."""

USABLE = ("passed", "refused", "accepted")
"""The states of a step whose run ended well: what comes after it may use what it made."""


@dataclass(frozen=True)
class Turn:
    """The newest round about a project, and its runs there, the first attempt first."""

    round: int
    runs: tuple[ProjectRun, ...]


def steps(pr: PullRequestFacts, projects: Sequence[Project]) -> list[Step]:
    """How far each project of the plan is."""
    found: list[Step] = []
    for project in projects:
        turn = newest(pr, project)
        losses = sum(run.outcome == "no cluster" for run in turn.runs)
        last = None
        if turn.runs:
            last = turn.runs[-1]
        # One that was stopped because its pull request was closed says nothing now that it is open
        # again.
        void = last is None or (last.withdrawn and last.outcome == "cancelled")
        step = Step(
            project, "waits", attempt=len(turn.runs) + void, round=turn.round, losses=losses
        )
        if last is None or void:
            before = [other for other in found if other.project.path in project.after]
            failed = next((other for other in before if not _leads_on(other)), None)
            reason = ""
            if failed:
                reason = f"{failed.project.name} did not succeed"
            found.append(replace(step, state="skipped", reason=reason) if failed else step)
        else:
            found.append(_judged(pr, replace(step, run=last), last))
    return found


def newest(pr: PullRequestFacts, project: Project) -> Turn:
    """The newest round that is about a project: orders to run concern it, orders to retry only if
    it failed before.
    """
    turn = Turn(0, attempts(pr, project.path))
    for number, order in enumerate(rounds(pr.orders), start=1):
        if order.verb == "run":
            again = concerns(order, project, pr.config)
        else:
            again = not _good(pr, project, turn)
        if again:
            turn = Turn(number, attempts(pr, project.path, number))
    return turn


def rounds(orders: Sequence[Order]) -> list[Order]:
    """The orders that begin a round."""
    return [order for order in orders if order.verb in ("run", "retry")]


def concerns(order: Order, project: Project, config: Mlops | None) -> bool:
    """Whether an order to run is about a project: it names none, names it, or one that it comes
    after.
    """
    named = order.argument.casefold()
    if named in ("", "all", project.name.casefold(), project.path.casefold()):
        return True
    return config is not None and any(
        concerns(order, before, config)
        for before in config.projects
        if before.path in project.after
    )


def attempts(pr: PullRequestFacts, project: str, round: int = 0) -> tuple[ProjectRun, ...]:
    """The runs of a project for this iteration in a round, the first attempt first."""
    begun = {run.token: run for run in pr.runs if run.cluster_run or run.over}
    found: list[ProjectRun] = []
    while run := begun.get(token(pr.repository, pr.head, project, len(found) + 1, round)):
        found.append(run)
    return tuple(found)


def token(
    repository: str, head: PullRequestHead, project: str, attempt: int = 1, round: int = 0
) -> str:
    """The name of one project run: the same for the same commit, iteration, project, round and
    attempt, and no other.

    The iteration is part of it, so a force-push back to an old commit is judged
    anew. 32 characters; Databricks takes up to 64.
    """
    words = f"{repository}!{head.number}/{head.iteration}/{head.commit}/{project}/{attempt}"
    return hashlib.sha256((f"{words}/{round}" if round else words).encode()).hexdigest()[:32]


def fault(project: Project, run: ProjectRun) -> str:
    """Why an ended run is no success at all, whatever its numbers say; empty when it is one."""
    if run.outcome == "timed out":
        return f"ran past its limit of {escape.duration(project.timeout)}"
    if run.outcome != "succeeded":
        return run.reason or (
            "the run was cancelled" if run.outcome == "cancelled" else "the run gave no reason"
        )
    if project.model is not None and not run.model_version:
        return f"ended without registering the model {run.model_name}"
    return ""


def over(steps: Sequence[Step]) -> bool:
    """Whether nothing more is to be waited for."""
    return all(step.state not in UNDER_WAY for step in steps)


def _judged(pr: PullRequestFacts, step: Step, run: ProjectRun) -> Step:
    if not run.over:
        return replace(step, state="runs")
    if run.outcome == "no cluster":
        again = step.losses <= len(PAUSES)
        return replace(step, state="again" if again else "no cluster", reason=run.reason)
    reason = fault(step.project, run)
    if reason:
        return _accepted(pr.orders, replace(step, state="failed", reason=reason))
    baseline = pr.baselines.get(step.project.path, Baseline())
    judgements, refusal = gates.judge(step.project, run, baseline)
    state: StepState = "refused" if refusal else "passed"
    step = replace(step, judgements=judgements, baseline=baseline, reason=refusal, state=state)
    if refusal:
        return _accepted(pr.orders, step)
    return step


def _accepted(orders: Sequence[Order], step: Step) -> Step:
    """The step, accepted if somebody who may has done so."""
    names = {step.project.name.casefold(), step.project.path.casefold()} | (
        {"gate"} if step.state == "refused" else set()
    )
    order = next(
        (
            order
            for order in orders
            if order.verb == "override" and order.argument.casefold() in names
        ),
        None,
    )
    if order:
        return replace(step, state="accepted", accepted=order)
    return step


def _good(pr: PullRequestFacts, project: Project, turn: Turn) -> bool:
    if not turn.runs or turn.runs[-1].outcome != "succeeded":
        return False
    return _judged(pr, Step(project, "waits", run=turn.runs[-1]), turn.runs[-1]).state in (
        "passed",
        "accepted",
    )


def _leads_on(step: Step) -> bool:
    """Whether what comes after a step can run, now or later."""
    if step.state in UNDER_WAY:
        return True
    # A failure that somebody accepted has made nothing that could be used.
    return step.state in USABLE and step.run is not None and not fault(step.project, step.run)
