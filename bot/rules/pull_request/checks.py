"""Which projects a pull request validates, and what is missing until its commit is judged.

The sign that a commit is judged is its status, so the report is always written
before it.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from bot.actions import (
    AttachPictures,
    CancelRun,
    CloseRun,
    LookAgain,
    PreviewMerge,
    PullRequestAction,
    PutReport,
    Reply,
    SetStatus,
    StartRun,
    State,
    Wake,
)
from bot.config.deployment import Reporting
from bot.config.repository import MLOPS_FILE, Mlops, Project, fill
from bot.facts.discussion import Order
from bot.facts.pull_request import (
    GOOD_STATES,
    USABLE_STATES,
    BadName,
    PullRequestFacts,
    Situation,
    Step,
)
from bot.facts.runs import ProjectRun
from bot.rules.pull_request import branch_names, recall
from bot.rules.pull_request.steps import ROUND_VERBS, newest, over, steps, token
from bot.rules.runs import PAUSES, patience
from bot.subjects import Branch
from bot.words import addresses, replies, report, status

PATIENCE = 2
"""So many looks at a pull request fail before people are told whose fault it is: some six seconds.
"""

TRIAL = 30.0
"""Seconds after a push in which a merge on trial is waited for."""

_TIMELESS = datetime.fromtimestamp(0, UTC)
"""For a report that tells no times: its words stay the same however long it takes."""


def plan(
    pr: PullRequestFacts,
    now: datetime,
    reporting: Reporting = Reporting(),  # noqa: B008 (frozen)
) -> list[PullRequestAction]:
    """What this pull request needs next: nothing, a run, a cancellation, a report, or patience."""
    head = pr.head
    actions = _stop_and_close_runs(pr)
    if head.merged and pr.was_open and head.target == pr.target:
        # The push that it is may be told late or not at all.
        actions.append(Wake(Branch(pr.repository)))
    if not head.open or head.judged or head.target != pr.target:
        return actions
    if not head.iteration:
        # Just opened: Azure DevOps has not made its first iteration yet, and a status needs one.
        return [*actions, LookAgain(1.0)]
    return [*actions, *_towards_a_verdict(pr, now, reporting)]


def _towards_a_verdict(
    pr: PullRequestFacts, now: datetime, reporting: Reporting
) -> list[PullRequestAction]:
    """What an open pull request needs whose newest iteration is not judged yet."""
    before_runs = situation(pr, [], now)
    if pr.config is None:
        body = report.bad_config(before_runs, pr.problem)
        return _verdict(pr, body, "error", status.bad_config())
    if pr.head.fork and not allowed(pr.orders):
        return _waits_for_leave(pr, before_runs)
    bad = _bad_name(pr, pr.config)
    if bad is not None:
        free = branch_names.suggest(pr.head.source, pr.config.branches, pr.branches)
        body = report.bad_branch(before_runs, bad, free, pr.config)
        marks = _marks(pr, before_runs, reporting, bad)
        return _verdict(pr, body, "failed", status.bad_branch(), marks)
    projects = _projects(pr, pr.config)
    if not projects:
        return _without_runs(pr, pr.config, before_runs, now)
    progress = steps(pr, projects)
    # What came through before it could be stopped is judged like any other.
    if cancelled(pr.orders) and not all(step.state in GOOD_STATES for step in progress):
        return _stopped(pr, progress, now, reporting)
    return _onward(pr, pr.config, progress, now, reporting)


def _waits_for_leave(pr: PullRequestFacts, before_runs: Situation) -> list[PullRequestAction]:
    head = pr.head
    actions: list[PullRequestAction] = [
        PutReport(head.number, report.fork(before_runs), "to do"),
    ]
    if not head.pending:
        actions.append(_pending(pr, status.fork()))
    return actions


def _bad_name(pr: PullRequestFacts, config: Mlops) -> BadName | None:
    """What is wrong with the source branch's name; the target branch's own is never judged."""
    if pr.head.source == config.target:
        return None
    return branch_names.judge(pr.head.source, config.branches)


def _without_runs(
    pr: PullRequestFacts, config: Mlops, before_runs: Situation, now: datetime
) -> list[PullRequestAction]:
    """The verdict on a pull request that changes no project: what its merge will do, if it does
    anything.
    """
    head = pr.head
    brings = brought(config, head.changed)
    if brings and pr.preview is None:
        return [PreviewMerge(), LookAgain(0.0)]
    if brings and pr.preview is not None and pr.preview.problem and _young(pr, now):
        # The merge on trial may take Azure DevOps a moment.
        return [PreviewMerge(), LookAgain(2.0)]
    if before_runs.preview is not None and before_runs.preview.refused:
        return _verdict(pr, report.ended(before_runs), "failed", status.ended(before_runs))
    actions: list[PullRequestAction] = []
    if head.thread or brings:
        actions.append(PutReport(head.number, report.nothing_to_run(before_runs), "fine"))
    line = status.nothing_to_run(head)
    actions.append(
        SetStatus(head.number, head.iteration, "notApplicable", line, page=_page(pr)),
    )
    return actions


def brought(config: Mlops, changed: Collection[str]) -> bool:
    """Whether a change is brought to the workspace by its merge: files of mirrored folders, jobs,
    and what the configuration says of both.
    """
    if MLOPS_FILE in changed:
        return True
    folders = [*(folder.from_ for folder in config.folders), config.definitions]
    return any(_touches(folder, changed) for folder in folders)


def _touches(folder: str, changed: Collection[str]) -> bool:
    return any(path.startswith(f"{folder}/") for path in changed)


def _young(pr: PullRequestFacts, now: datetime) -> bool:
    pushed = pr.head.pushed
    return pushed is not None and (now - pushed).total_seconds() < TRIAL


def held_up(pr: PullRequestFacts, neighbour: str, failures: int) -> list[PullRequestAction]:
    """What to tell people while a neighbour keeps a judgement waiting: whom it waits for, once, and
    not for a moment's silence.
    """
    head = pr.head
    if not head.open or not head.iteration or head.target != pr.target or head.judged:
        return []
    actions: list[PullRequestAction] = []
    if not head.pending:
        actions.append(_pending(pr, status.held_up()))
    if failures >= PATIENCE:
        body = report.held_up(situation(pr, [], _TIMELESS), neighbour)
        actions.append(PutReport(head.number, body, None))
    return actions


def _pending(pr: PullRequestFacts, line: str) -> SetStatus:
    return SetStatus(pr.head.number, pr.head.iteration, "pending", line, page=_page(pr))


def touched(
    config: Mlops, changed: Collection[str], *, has_serving: bool, asked: Collection[str] = ()
) -> list[Project]:
    """The projects whose folder changed, in the order of the configuration, and those that were
    `asked` for.

    A change to the configuration itself runs all. A project that scores with
    somebody's model brings that training along when no model serves yet: there
    would be nothing to score with.
    """
    if MLOPS_FILE in changed or "all" in asked:
        return list(config.projects)
    chosen: set[str] = set()
    for project in config.projects:
        is_named = project.name.casefold() in asked or project.path.casefold() in asked
        if is_named or _touches(project.path, changed):
            chosen.add(project.path)
    if not has_serving:
        for project in reversed(config.projects):
            if project.path in chosen and wants_version(project):
                chosen.update(project.after)
    return [project for project in config.projects if project.path in chosen]


def asked(orders: Sequence[Order]) -> frozenset[str]:
    """The projects that somebody named in an order to run, whether the change touches them
    or not.
    """
    return frozenset(
        order.argument.casefold() for order in orders if order.verb == "run" and order.argument
    )


def planned(pr: PullRequestFacts) -> list[Step]:
    """The steps of the pull request's plan, none where nothing can be run."""
    if pr.config is None:
        return []
    return steps(pr, _projects(pr, pr.config))


def wanted(pr: PullRequestFacts, now: datetime) -> tuple[int, int]:
    """How many runs a pull request has going, and how many more it would start now if it may."""
    running = sum(not run.over for run in pr.runs)
    if pr.config is None or _barred(pr, pr.config):
        return running, 0
    starts = _starts(pr, pr.config, planned(pr), now)
    return running, len({start.token for start in starts} - _begun(pr))


def _barred(pr: PullRequestFacts, config: Mlops) -> bool:
    """Whether no run may be started as things are, however much room there is."""
    head = pr.head
    if not head.open or head.judged or not head.iteration or head.target != pr.target:
        return True
    if cancelled(pr.orders) or (head.fork and not allowed(pr.orders)):
        return True
    return _bad_name(pr, config) is not None


def allowed(orders: Sequence[Order]) -> bool:
    """Whether somebody who may has looked at a fork's commit and let it run."""
    return any(order.verb == "ok-to-test" for order in orders)


def cancelled(orders: Sequence[Order]) -> Order | None:
    """The order that stopped everything, unless a later one began again."""
    for order in reversed(orders):
        if order.verb == "cancel":
            return order
        if order.verb in ROUND_VERBS:
            return None
    return None


def situation(pr: PullRequestFacts, progress: Sequence[Step], now: datetime) -> Situation:
    """What a report is to tell."""
    return Situation(
        head=pr.head,
        steps=tuple(progress),
        now=now,
        repository=pr.repository,
        queue_position=pr.queue_position,
        pictures=pr.pictures or (),
        preview=pr.preview,
        earlier=pr.earlier,
        cancelled=cancelled(pr.orders),
        pages=pr.pages,
    )


def wants_version(project: Project) -> bool:
    """Whether a project is run with a model version that something else registered."""
    return any(
        isinstance(value, str) and "{model_version}" in value
        for value in project.parameters.values()
    )


def parameters(pr: PullRequestFacts, project: Project) -> dict[str, str]:
    """What a project is run with, its placeholders filled."""
    names = {"branch": pr.head.source, "model_name": "", "model_version": ""}
    if project.model is not None:
        names["model_name"] = fill(project.model, branch=pr.head.source)
    if pr.serving is not None:
        names["model_name"] = pr.serving.name
        names["model_version"] = pr.serving.version
    for run in _runs_before(pr, project):
        if run.model_version:
            names["model_name"] = run.model_name
            names["model_version"] = run.model_version
    return {key: fill(str(value), **names) for key, value in project.parameters.items()}


def _runs_before(pr: PullRequestFacts, project: Project) -> list[ProjectRun]:
    """The newest runs of the projects that this one comes after, in the order it names them."""
    if pr.config:
        by_path = {other.path: other for other in reversed(pr.config.projects)}
    else:
        by_path = {}
    runs: list[ProjectRun] = []
    for path in project.after:
        if path in by_path:
            runs += newest(pr, by_path[path]).runs
    return runs


def _projects(pr: PullRequestFacts, config: Mlops) -> list[Project]:
    return touched(
        config, pr.head.changed, has_serving=pr.serving is not None, asked=asked(pr.orders)
    )


def _stop_and_close_runs(pr: PullRequestFacts) -> list[PullRequestAction]:
    """Cancel the runs that nobody waits for any more, and close those that have ended."""
    actions: list[PullRequestAction] = []
    cancels = False
    for run in pr.runs:
        stale = not pr.head.open or run.iteration != pr.head.iteration or cancelled(pr.orders)
        if not run.over and stale:
            actions.append(CancelRun(run))
            cancels = True
        elif run.over and not run.closed:
            actions.append(CloseRun(run))
    if cancels:
        actions.append(LookAgain(1.0))
    return actions


def _verdict(
    pr: PullRequestFacts, body: str, state: State, description: str, marks: Sequence[SetStatus] = ()
) -> list[PullRequestAction]:
    """The report, a word to those who were told otherwise before, and the status, which is the
    sign, last.
    """
    head = pr.head
    before = pr.told
    actions: list[PullRequestAction] = [
        PutReport(head.number, body, "fine" if state == "succeeded" else "to do"),
    ]
    if before is not None and before.state != recall.ENDS[state]:
        reply = replies.verdict_changed(head, state, description, before)
        actions.append(Reply(head.number, reply))
    actions += marks
    actions.append(SetStatus(head.number, head.iteration, state, description, page=_page(pr)))
    return actions


def _stopped(
    pr: PullRequestFacts, progress: list[Step], now: datetime, reporting: Reporting
) -> list[PullRequestAction]:
    if any(not run.over for run in pr.runs):
        return []  # what is being stopped is looked at again by then
    return _ended(pr, situation(pr, progress, now), "failed", reporting)


def _ended(
    pr: PullRequestFacts, at_end: Situation, state: State, reporting: Reporting
) -> list[PullRequestAction]:
    marks = _marks(pr, at_end, reporting)
    return _verdict(pr, report.ended(at_end), state, status.ended(at_end), marks)


def _onward(
    pr: PullRequestFacts, config: Mlops, progress: list[Step], now: datetime, reporting: Reporting
) -> list[PullRequestAction]:
    current = situation(pr, progress, now)
    if not over(progress):
        return _under_way(pr, config, current, reporting)
    if pr.pictures is None:
        return [PreviewMerge(), AttachPictures(tuple(progress)), LookAgain(0.0)]
    refused = pr.preview is not None and pr.preview.refused
    return _ended(pr, current, "failed" if refused else outcome(progress), reporting)


def _under_way(
    pr: PullRequestFacts, config: Mlops, current: Situation, reporting: Reporting
) -> list[PullRequestAction]:
    """Start what may be started, tell how far it is, and say when to look again."""
    head = pr.head
    starts = _starts(pr, config, current.steps, current.now)
    admitted = _admitted(pr, starts)
    waits = all(step.state == "waits" for step in current.steps)
    queued = bool(starts) and not admitted and waits
    actions: list[PullRequestAction] = []
    if not head.pending or (admitted and pr.in_line):
        actions.append(_pending(pr, status.queued(current) if queued else status.running(current)))
    if admitted:
        # The report comes with the next look, when the runs have pages to link to.
        return [*actions, *admitted, LookAgain(0.0)]
    actions += _marks(pr, current, reporting)
    if _worth_an_edit(pr, current.now, reporting):
        if queued:
            body = report.queued(current)
        else:
            body = report.running(current)
        actions.append(PutReport(head.number, body, None))
    actions.append(LookAgain(_until_next_look(current.steps, current.now, bool(starts))))
    return actions


def _until_next_look(progress: Sequence[Step], now: datetime, starts: bool) -> float:
    """Seconds until something may have changed: a run, the end of a pause, room in the queue."""
    if starts:
        waits = [1.0]
    else:
        waits = []
    running = [step.run for step in progress if step.run and step.state == "runs"]
    if running:
        ages = [(now - run.started).total_seconds() for run in running if run.started]
        waits.append(patience(ages))
    waits += [_pause(step, now) for step in progress if step.state == "again"]
    return min(waits, default=1.0)


def outcome(ended: Sequence[Step]) -> State:
    """The verdict over steps that have all ended."""
    if all(step.state in GOOD_STATES for step in ended):
        return "succeeded"
    if any(step.state in ("failed", "refused") for step in ended):
        return "failed"
    # What was skipped after a failure that somebody accepted was accepted with it.
    lost = any(step.state == "no cluster" for step in ended)
    if lost:
        return "error"
    return "succeeded"


def _worth_an_edit(pr: PullRequestFacts, now: datetime, reporting: Reporting) -> bool:
    """Whether the report is due: there is none, or the throttle of `report.progress` lets it."""
    if pr.reported is None or not pr.head.thread:
        return True
    if reporting.progress is None:
        return False
    return (now - pr.reported).total_seconds() >= reporting.progress


def _marks(
    pr: PullRequestFacts, current: Situation, reporting: Reporting, bad: BadName | None = None
) -> list[SetStatus]:
    """A status for each step; who performs them posts only what has changed."""
    if not reporting.steps:
        return []
    number = pr.head.number
    iteration = pr.head.iteration
    page = _page(pr)
    return [
        SetStatus(number, iteration, state, line, name, page)
        for name, state, line in status.steps(current, bad)
    ]


def _page(pr: PullRequestFacts) -> str:
    return addresses.pull_request(pr.pages, pr.repository, pr.head.number)


def _starts(
    pr: PullRequestFacts, config: Mlops, progress: Sequence[Step], now: datetime
) -> list[StartRun]:
    first: list[StartRun] = []
    retries: list[StartRun] = []
    for step in progress:
        if step.state == "waits" and _may_start(step, progress):
            first.append(_start(pr, config, step, step.attempt))
        elif step.state == "again" and _pause(step, now) <= 0:
            retries.append(_start(pr, config, step, step.attempt + 1))
    return [*first, *retries]


def _admitted(pr: PullRequestFacts, starts: Sequence[StartRun]) -> list[StartRun]:
    """The runs that may start now: what was begun and cut off, and as many more as there is room
    for.
    """
    begun = _begun(pr)
    cut_off = [start for start in starts if start.token in begun]
    fresh = [start for start in starts if start not in cut_off]
    if pr.queue_position is not None:
        fresh = fresh[: pr.queue_position.free]
    return [*cut_off, *fresh]


def _begun(pr: PullRequestFacts) -> set[str]:
    return {run.token for run in pr.runs if not run.over}


def _pause(step: Step, now: datetime) -> float:
    """The seconds until a step that the workspace failed is tried again."""
    if step.run is None or step.run.ended is None:
        return 0.0
    return PAUSES[step.losses - 1] - (now - step.run.ended).total_seconds()


def _may_start(step: Step, progress: Sequence[Step]) -> bool:
    before = [other for other in progress if other.project.path in step.project.after]
    return all(other.state in USABLE_STATES for other in before)


def _start(pr: PullRequestFacts, config: Mlops, step: Step, attempt: int) -> StartRun:
    head = pr.head
    project = step.project
    return StartRun(
        token=token(pr.repository, head, project.path, attempt, step.round),
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
        fork=head.fork,
    )
