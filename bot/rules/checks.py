"""Which projects a pull request runs, what their results say, and what is missing until it is judged.

A failed training run is a result, not an error. The sign that a commit is
judged is its status, so the report is always written before it.
"""

import hashlib
import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from bot.actions import Action, CancelRun, CloseRun, LookAgain, PutReport, SetStatus, StartRun, Wake
from bot.config import MLOPS_FILE, Mlops, Project, fill
from bot.facts import Baseline, ProjectRun, PullRequestFacts, PullRequestHead, Situation, Step, StepState
from bot.rules import branches, gates
from bot.subjects import Branch
from bot.words import report, status

PAUSES = (30.0, 120.0)
"""Seconds before a run that the workspace failed is tried again, and once more. A failing script is not."""


TIMELESS = datetime.fromtimestamp(0, UTC)
"""For a report that tells no times."""

PATIENCE = 2
"""So many looks at a pull request fail before people are told whose fault it is: some six seconds."""


def plan(pr: PullRequestFacts, now: datetime) -> list[Action]:
    """What this pull request needs next: nothing, a run, a cancellation, a report, or patience."""
    head = pr.head
    tidy = _tidy(pr.runs, head)
    if head.merged and pr.was_open and head.target == pr.target:
        # The push that it is may be told late or not at all.
        tidy.append(Wake(Branch(pr.repository)))
    if not head.open or head.judged or head.target != pr.target:
        return tidy
    if not head.iteration:
        # Just opened: Azure DevOps has not made its first iteration yet, and a status needs one.
        return [*tidy, LookAgain(1.0)]
    now_is = situation(pr, [], now)
    if pr.config is None:
        return [*tidy, *_verdict(head, report.bad_config(now_is, pr.problem), "error", status.bad_config())]
    if head.fork:
        return [*tidy, *_verdict(head, report.fork(now_is), "failed", status.fork())]
    bad = None if head.source == pr.config.target else branches.judge(head.source, pr.config.branches)
    if bad is not None:
        free = branches.suggest(head.source, pr.config.branches, pr.branches)
        return [*tidy, *_verdict(head, report.bad_branch(now_is, bad, free, pr.config), "failed", status.bad_branch())]
    projects = touched(pr.config, head.changed, has_serving=pr.serving is not None)
    if not projects:
        told = [PutReport(head.number, report.nothing_to_run(now_is), "closed")] if head.thread else []
        return [*tidy, *told, SetStatus(head.number, head.iteration, "notApplicable", status.nothing_to_run(head))]
    return [*tidy, *_onward(pr, pr.config, steps(pr, projects), now)]


def held_up(pr: PullRequestFacts, neighbour: str, failures: int) -> list[Action]:
    """What to tell people while a neighbour keeps a judgement waiting: whom it waits for, once, and not for a moment's
    silence.
    """
    head = pr.head
    if not (head.open and head.iteration and head.target == pr.target) or head.judged:
        return []
    orders: list[Action] = []
    if not head.pending:
        orders.append(SetStatus(head.number, head.iteration, "pending", status.held_up()))
    if failures >= PATIENCE:
        orders.append(PutReport(head.number, report.held_up(situation(pr, [], TIMELESS), neighbour), None))
    return orders


def situation(pr: PullRequestFacts, now_at: Sequence[Step], now: datetime) -> Situation:
    """What a report tells of the pull request."""
    return Situation(
        head=pr.head,
        steps=tuple(now_at),
        now=now,
        repository=pr.repository,
        place=pr.place,
        pictures=pr.pictures or (),
        preview=pr.preview,
        earlier=pr.earlier,
        pages=pr.pages,
    )


def touched(config: Mlops, changed: Collection[str], *, has_serving: bool) -> list[Project]:
    """The projects whose folder changed, in the order of the configuration.

    A change to the configuration itself runs all. A project that scores with
    somebody's model brings that training along when no model serves yet: there
    would be nothing to score with.
    """
    if MLOPS_FILE in changed:
        return list(config.projects)
    wanted = {p.path for p in config.projects if any(path.startswith(f"{p.path}/") for path in changed)}
    if not has_serving:
        for project in reversed(config.projects):
            if project.path in wanted and wants_version(project):
                wanted.update(project.after)
    return [project for project in config.projects if project.path in wanted]


def wants_version(project: Project) -> bool:
    """Whether a project is run with a model version that something else registered."""
    return any(isinstance(value, str) and "{model_version}" in value for value in project.parameters.values())


def token(repository: str, head: PullRequestHead, project: str, attempt: int = 1) -> str:
    """The name of one project run: the same for the same commit, iteration, project and attempt, and no other.

    The iteration is part of it, so a force-push back to an old commit is judged
    anew. 32 characters; Databricks takes up to 64.
    """
    words = f"{repository}!{head.number}/{head.iteration}/{head.commit}/{project}/{attempt}"
    return hashlib.sha256(words.encode()).hexdigest()[:32]


def steps(pr: PullRequestFacts, projects: Sequence[Project]) -> list[Step]:
    """How far each project of the plan is."""
    found: list[Step] = []
    for project in projects:
        runs = attempts(pr, project.path)
        losses = sum(run.outcome == "no cluster" for run in runs)
        # One that was stopped because its pull request was closed says nothing now that it is open again.
        void = not runs or (runs[-1].withdrawn and runs[-1].outcome == "cancelled")
        baseline = pr.baselines.get(project.path, Baseline())
        step = Step(project, "waits", attempt=len(runs) + void, losses=losses, baseline=baseline)
        if void:
            before = [other for other in found if other.project.path in project.after]
            failed = next(
                (other for other in before if other.state in ("failed", "refused", "no cluster", "skipped")), None
            )
            reason = f"{failed.project.name} did not succeed" if failed else ""
            found.append(replace(step, state="skipped", reason=reason) if failed else step)
            continue
        step = replace(step, run=runs[-1])
        if not runs[-1].over:
            found.append(replace(step, state="runs"))
        elif runs[-1].outcome == "no cluster":
            found.append(
                replace(step, state="again" if losses <= len(PAUSES) else "no cluster", reason=runs[-1].reason)
            )
        else:
            reason = fault(project, runs[-1])
            judgements, refused = gates.judge(project, runs[-1], baseline) if not reason else ((), "")
            state: StepState = "failed" if reason else "refused" if refused else "passed"
            found.append(replace(step, state=state, reason=reason or refused, judgements=judgements))
    return found


def attempts(pr: PullRequestFacts, project: str) -> list[ProjectRun]:
    """The runs of a project for this iteration, the first attempt first."""
    begun = {run.token: run for run in pr.runs if run.cluster_run or run.over}
    found: list[ProjectRun] = []
    while run := begun.get(token(pr.repository, pr.head, project, len(found) + 1)):
        found.append(run)
    return found


def fault(project: Project, run: ProjectRun) -> str:
    """Why an ended run does not count as passed; empty when it does.

    A run that ended without the metric it is judged by counts as failed: a model
    nobody can measure must not pass for one that is good enough.
    """
    if run.outcome == "timed out":
        return f"ran past its limit of {report.duration(project.timeout)}"
    if run.outcome != "succeeded":
        return run.reason or ("the run was cancelled" if run.outcome == "cancelled" else "the run gave no reason")
    for metric in project.metrics:
        if metric.name not in run.metrics:
            return f"ended without logging the metric {metric.name}"
        if not math.isfinite(run.metrics[metric.name]):
            return f"logged {metric.name} as {run.metrics[metric.name]}"
    if project.model is not None and not run.model_version:
        return f"ended without registering the model {run.model_name}"
    return ""


def patience(run_ages: Sequence[float]) -> float:
    """How many seconds to leave running runs alone; the longer they run, the longer."""
    age = min(run_ages, default=0.0)
    return 1.0 if age < 60 else 5.0 if age < 300 else 15.0


def parameters(pr: PullRequestFacts, project: Project) -> dict[str, str]:
    """What a project is run with, its placeholders filled."""
    names = {"branch": pr.head.source, "model_name": "", "model_version": ""}
    if project.model is not None:
        names["model_name"] = fill(project.model, branch=pr.head.source)
    if pr.serving is not None:
        names |= {"model_name": pr.serving.name, "model_version": pr.serving.version}
    for before in project.after:
        for run in attempts(pr, before):
            if run.model_version:
                names |= {"model_name": run.model_name, "model_version": run.model_version}
    return {key: fill(str(value), **names) for key, value in project.parameters.items()}


def _tidy(runs: Sequence[ProjectRun], head: PullRequestHead) -> list[Action]:
    orders: list[Action] = []
    for run in runs:
        stale = not head.open or run.iteration != head.iteration
        if not run.over and stale:
            orders.append(CancelRun(run))
        elif run.over and not run.closed:
            orders.append(CloseRun(run))
    if any(isinstance(order, CancelRun) for order in orders):
        orders.append(LookAgain(1.0))
    return orders


def _verdict(head: PullRequestHead, body: str, state: str, description: str) -> list[Action]:
    return [
        PutReport(head.number, body, "active" if state in ("failed", "error") else "closed"),
        SetStatus(head.number, head.iteration, state, description),  # type: ignore[arg-type]
    ]


def _onward(pr: PullRequestFacts, config: Mlops, now_at: list[Step], now: datetime) -> list[Action]:
    head = pr.head
    if all(step.state not in ("waits", "runs", "again") for step in now_at):
        state = "succeeded" if all(step.state == "passed" for step in now_at) else "failed"
        if state == "failed" and not any(step.state in ("failed", "refused") for step in now_at):
            state = "error"
        told = situation(pr, now_at, now)
        return _verdict(head, report.ended(told), state, status.ended(told))
    orders: list[Action] = []
    if not head.pending:
        orders.append(SetStatus(head.number, head.iteration, "pending", status.running(situation(pr, now_at, now))))
    starts = [
        _start(pr, config, step, step.attempt) for step in now_at if step.state == "waits" and _may_start(step, now_at)
    ]
    pauses = {step.project.path: _pause(step, now) for step in now_at if step.state == "again"}
    starts += [_start(pr, config, step, step.attempt + 1) for step in now_at if pauses.get(step.project.path, 1.0) <= 0]
    if starts:
        # The report comes with the next look, when the runs have pages to link to.
        return [*orders, *starts, LookAgain(0.0)]
    running = [step.run for step in now_at if step.run and step.state == "runs"]
    ages = [(now - run.started).total_seconds() for run in running if run.started]
    soon = [*([patience(ages)] if running else []), *pauses.values()]
    return [
        *orders,
        PutReport(head.number, report.running(situation(pr, now_at, now)), None),
        LookAgain(min(soon, default=1.0)),
    ]


def _pause(step: Step, now: datetime) -> float:
    """The seconds until a step that the workspace failed is tried again."""
    ended = step.run.ended if step.run else None
    return PAUSES[step.losses - 1] - (now - ended).total_seconds() if ended else 0.0


def _may_start(step: Step, now_at: Sequence[Step]) -> bool:
    return all(other.state == "passed" for other in now_at if other.project.path in step.project.after)


def _start(pr: PullRequestFacts, config: Mlops, step: Step, attempt: int) -> StartRun:
    head, project = pr.head, step.project
    return StartRun(
        token=token(pr.repository, head, project.path, attempt),
        project=project.path,
        entry_point=project.entry_point,
        commit=head.commit,
        source=head.source,
        number=head.number,
        iteration=head.iteration,
        backend=project.backend or config.backend,
        cluster=project.cluster,
        experiment=fill(config.experiment, user=head.author, branch=head.source),
        model=fill(project.model, branch=head.source) if project.model else "",
        parameters=parameters(pr, project),
        timeout=project.timeout,
    )
