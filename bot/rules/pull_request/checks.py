"""Which projects a pull request runs, and what is missing until it is judged.

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
from bot.facts.pull_request import BadName, PullRequestFacts, Situation, Step
from bot.rules.pull_request import branch_names
from bot.rules.pull_request.steps import PAUSES, USABLE, newest, over, steps, token
from bot.subjects import Branch
from bot.words import addresses, replies, report, status

PATIENCE = 2
"""So many looks at a pull request fail before people are told whose fault it is: some six seconds.
"""

TRIAL = 30.0
"""Seconds after a push in which a merge on trial is waited for."""

_TIMELESS = datetime.fromtimestamp(0, UTC)
"""For a report that tells no times: its words stay the same however long it takes."""

_ENDS: dict[State, str] = {"succeeded": "passed", "failed": "failed", "error": "error"}


def plan(
    pr: PullRequestFacts,
    now: datetime,
    reporting: Reporting = Reporting(),  # noqa: B008 (frozen)
) -> list[PullRequestAction]:
    """What this pull request needs next: nothing, a run, a cancellation, a report, or patience."""
    head = pr.head
    tidy = _tidy(pr)
    if head.merged and pr.was_open and head.target == pr.target:
        # The push that it is may be told late or not at all.
        tidy.append(Wake(Branch(pr.repository)))
    if not head.open or head.judged or head.target != pr.target:
        return tidy
    if not head.iteration:
        # Just opened: Azure DevOps has not made its first iteration yet, and a status needs one.
        return [*tidy, LookAgain(1.0)]
    plain = situation(pr, [], now)
    if pr.config is None:
        return [
            *tidy,
            *_verdict(pr, report.bad_config(plain, pr.problem), "error", status.bad_config()),
        ]
    if head.fork and not allowed(pr.orders):
        told = SetStatus(head.number, head.iteration, "pending", status.fork(), page=_page(pr))
        return [
            *tidy,
            PutReport(head.number, report.fork(plain), "to do"),
            *([] if head.pending else [told]),
        ]
    bad = None
    if head.source != pr.config.target:
        bad = branch_names.judge(head.source, pr.config.branches)
    if bad is not None:
        free = branch_names.suggest(head.source, pr.config.branches, pr.branches)
        body = report.bad_branch(plain, bad, free, pr.config)
        return [
            *tidy,
            *_verdict(pr, body, "failed", status.bad_branch(), _marks(pr, plain, reporting, bad)),
        ]
    projects = _projects(pr, pr.config)
    if not projects:
        return [*tidy, *_without_runs(pr, pr.config, plain, now)]
    now_at = steps(pr, projects)
    if cancelled(pr.orders):
        return [*tidy, *_stopped(pr, now_at, now, reporting)]
    return [*tidy, *_onward(pr, pr.config, now_at, now, reporting)]


def _without_runs(
    pr: PullRequestFacts, config: Mlops, told: Situation, now: datetime
) -> list[PullRequestAction]:
    """The verdict on a pull request that changes no project: what its merge will do, if it does
    anything.
    """
    head, brings = pr.head, brought(config, pr.head.changed)
    if brings and (pr.preview is None or (pr.preview.problem and _young(pr, now))):
        # The merge on trial may take Azure DevOps a moment.
        return [PreviewMerge(), LookAgain(0.0 if pr.preview is None else 2.0)]
    if told.preview is not None and told.preview.refused:
        return _verdict(pr, report.ended(told), "failed", status.ended(told))
    if head.thread or brings:
        put = [PutReport(head.number, report.nothing_to_run(told), "fine")]
    else:
        put = []
    verdict = SetStatus(
        head.number, head.iteration, "notApplicable", status.nothing_to_run(head), page=_page(pr)
    )
    return [*put, verdict]


def brought(config: Mlops, changed: Collection[str]) -> bool:
    """Whether a change is brought to the workspace by its merge: files of mirrored folders, jobs,
    and what the configuration says of both.
    """
    folders = (*(folder.from_ for folder in config.folders), config.definitions)
    return MLOPS_FILE in changed or any(
        path.startswith(f"{folder}/") for path in changed for folder in folders
    )


def _young(pr: PullRequestFacts, now: datetime) -> bool:
    return pr.head.pushed is not None and (now - pr.head.pushed).total_seconds() < TRIAL


def held_up(pr: PullRequestFacts, neighbour: str, failures: int) -> list[PullRequestAction]:
    """What to tell people while a neighbour keeps a judgement waiting: whom it waits for, once, and
    not for a moment's silence.
    """
    head = pr.head
    if not (head.open and head.iteration and head.target == pr.target) or head.judged:
        return []
    orders: list[PullRequestAction] = []
    if not head.pending:
        orders.append(
            SetStatus(head.number, head.iteration, "pending", status.held_up(), page=_page(pr))
        )
    if failures >= PATIENCE:
        orders.append(
            PutReport(head.number, report.held_up(situation(pr, [], _TIMELESS), neighbour), None)
        )
    return orders


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
    wanted = {
        p.path
        for p in config.projects
        if any(path.startswith(f"{p.path}/") for path in changed)
        or {p.name.casefold(), p.path.casefold()} & {*asked}
    }
    if not has_serving:
        for project in reversed(config.projects):
            if project.path in wanted and wants_version(project):
                wanted.update(project.after)
    return [project for project in config.projects if project.path in wanted]


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
    head = pr.head
    barred = (
        not head.open
        or head.judged
        or not head.iteration
        or head.target != pr.target
        or cancelled(pr.orders)
    )
    if pr.config is None or barred or (head.fork and not allowed(pr.orders)):
        return running, 0
    if (
        head.source != pr.config.target
        and branch_names.judge(head.source, pr.config.branches) is not None
    ):
        return running, 0
    return running, len(
        {start.token for start in _starts(pr, pr.config, planned(pr), now)} - _begun(pr)
    )


def allowed(orders: Sequence[Order]) -> bool:
    """Whether somebody who may has looked at a fork's commit and let it run."""
    return any(order.verb == "ok-to-test" for order in orders)


def cancelled(orders: Sequence[Order]) -> Order | None:
    """The order that stopped everything, unless a later one began again."""
    last = next(
        (order for order in reversed(orders) if order.verb in ("run", "retry", "cancel")), None
    )
    if last is not None and last.verb == "cancel":
        return last
    return None


def situation(pr: PullRequestFacts, now_at: Sequence[Step], now: datetime) -> Situation:
    """What a report is to tell."""
    return Situation(
        head=pr.head,
        steps=tuple(now_at),
        now=now,
        repository=pr.repository,
        place=pr.place,
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


def patience(run_ages: Sequence[float]) -> float:
    """How many seconds to leave running runs alone; the longer they run, the longer."""
    age = min(run_ages, default=0.0)
    if age < 60:
        return 1.0
    if age < 300:
        return 5.0
    return 15.0


def parameters(pr: PullRequestFacts, project: Project) -> dict[str, str]:
    """What a project is run with, its placeholders filled."""
    names = {"branch": pr.head.source, "model_name": "", "model_version": ""}
    if project.model is not None:
        names["model_name"] = fill(project.model, branch=pr.head.source)
    if pr.serving is not None:
        names |= {"model_name": pr.serving.name, "model_version": pr.serving.version}
    for before in project.after:
        earlier = None
        if pr.config:
            earlier = next(
                (configured for configured in pr.config.projects if configured.path == before), None
            )
        for run in newest(pr, earlier).runs if earlier else ():
            if run.model_version:
                names |= {"model_name": run.model_name, "model_version": run.model_version}
    return {key: fill(str(value), **names) for key, value in project.parameters.items()}


def _projects(pr: PullRequestFacts, config: Mlops) -> list[Project]:
    return touched(
        config, pr.head.changed, has_serving=pr.serving is not None, asked=asked(pr.orders)
    )


def _tidy(pr: PullRequestFacts) -> list[PullRequestAction]:
    orders: list[PullRequestAction] = []
    for run in pr.runs:
        stale = not pr.head.open or run.iteration != pr.head.iteration or cancelled(pr.orders)
        if not run.over and stale:
            orders.append(CancelRun(run))
        elif run.over and not run.closed:
            orders.append(CloseRun(run))
    if any(isinstance(order, CancelRun) for order in orders):
        orders.append(LookAgain(1.0))
    return orders


def _verdict(
    pr: PullRequestFacts, body: str, state: State, description: str, marks: Sequence[SetStatus] = ()
) -> list[PullRequestAction]:
    """The report, a word to those who were told otherwise before, and the status, which is the
    sign, last.
    """
    head = pr.head
    before = pr.told
    orders: list[PullRequestAction] = [
        PutReport(head.number, body, "fine" if state == "succeeded" else "to do")
    ]
    if before is not None and before.state != _ENDS[state]:
        orders.append(Reply(head.number, replies.verdict_changed(head, state, description, before)))
    return [
        *orders,
        *marks,
        SetStatus(head.number, head.iteration, state, description, page=_page(pr)),
    ]


def _stopped(
    pr: PullRequestFacts, now_at: list[Step], now: datetime, reporting: Reporting
) -> list[PullRequestAction]:
    if any(not run.over for run in pr.runs):
        return []  # what is being stopped is looked at again by then
    told = situation(pr, now_at, now)
    return _verdict(
        pr, report.ended(told), "failed", status.ended(told), _marks(pr, told, reporting)
    )


def _onward(
    pr: PullRequestFacts, config: Mlops, now_at: list[Step], now: datetime, reporting: Reporting
) -> list[PullRequestAction]:
    head = pr.head
    told = situation(pr, now_at, now)
    if over(now_at):
        if pr.pictures is None:
            return [PreviewMerge(), AttachPictures(tuple(now_at)), LookAgain(0.0)]
        state = outcome(now_at)
        if pr.preview is not None and pr.preview.refused:
            state = "failed"
        return _verdict(
            pr, report.ended(told), state, status.ended(told), _marks(pr, told, reporting)
        )
    starts = _starts(pr, config, now_at, now)
    may = _with_a_place(pr, starts)
    queued = bool(starts) and not may and all(step.state == "waits" for step in now_at)
    orders: list[PullRequestAction] = []
    if not head.pending or (may and pr.in_line):
        if queued:
            line = status.queued(told)
        else:
            line = status.running(told)
        orders.append(SetStatus(head.number, head.iteration, "pending", line, page=_page(pr)))
    if may:
        # The report comes with the next look, when the runs have pages to link to.
        return [*orders, *may, LookAgain(0.0)]
    orders += _marks(pr, told, reporting)
    if _worth_an_edit(pr, now, reporting):
        orders.append(
            PutReport(head.number, report.queued(told) if queued else report.running(told), None)
        )
    running = [step.run for step in now_at if step.run and step.state == "runs"]
    ages = [(now - run.started).total_seconds() for run in running if run.started]
    pauses = [_pause(step, now) for step in now_at if step.state == "again"]
    soon = [*([patience(ages)] if running else []), *pauses, *([1.0] if starts else [])]
    return [*orders, LookAgain(min(soon, default=1.0))]


def outcome(ended: Sequence[Step]) -> State:
    """The verdict over steps that have all ended."""
    if all(step.state in ("passed", "accepted") for step in ended):
        return "succeeded"
    if any(step.state in ("failed", "refused") for step in ended):
        return "failed"
    # What was skipped after a failure that somebody accepted was accepted with it.
    lost = any(step.state == "no cluster" for step in ended)
    if lost:
        return "error"
    return "succeeded"


def _worth_an_edit(pr: PullRequestFacts, now: datetime, reporting: Reporting) -> bool:
    if pr.reported is None or not pr.head.thread:
        return True
    return (
        reporting.progress is not None and (now - pr.reported).total_seconds() >= reporting.progress
    )


def _marks(
    pr: PullRequestFacts, told: Situation, reporting: Reporting, bad: BadName | None = None
) -> list[SetStatus]:
    """A status for each step; who performs them posts only what has changed."""
    if not reporting.steps:
        return []
    number = pr.head.number
    iteration = pr.head.iteration
    page = _page(pr)
    return [
        SetStatus(number, iteration, state, line, name, page)
        for name, state, line in status.steps(told, bad)
    ]


def _page(pr: PullRequestFacts) -> str:
    return addresses.pull_request(pr.pages, pr.repository, pr.head.number)


def _starts(
    pr: PullRequestFacts, config: Mlops, now_at: Sequence[Step], now: datetime
) -> list[StartRun]:
    first = [
        _start(pr, config, step, step.attempt)
        for step in now_at
        if step.state == "waits" and _may_start(step, now_at)
    ]
    again = [step for step in now_at if step.state == "again" and _pause(step, now) <= 0]
    return [*first, *(_start(pr, config, step, step.attempt + 1) for step in again)]


def _with_a_place(pr: PullRequestFacts, starts: Sequence[StartRun]) -> list[StartRun]:
    """The runs that may start now: what was begun and cut off, and as many more as there is
    room for.
    """
    again = [start for start in starts if start.token in _begun(pr)]
    fresh = [start for start in starts if start not in again]
    return [*again, *(fresh if pr.place is None else fresh[: pr.place.free])]


def _begun(pr: PullRequestFacts) -> set[str]:
    return {run.token for run in pr.runs if not run.over}


def _pause(step: Step, now: datetime) -> float:
    """The seconds until a step that the workspace failed is tried again."""
    if step.run:
        ended = step.run.ended
    else:
        ended = None
    if ended:
        return PAUSES[step.losses - 1] - (now - ended).total_seconds()
    return 0.0


def _may_start(step: Step, now_at: Sequence[Step]) -> bool:
    return all(
        other.state in USABLE for other in now_at if other.project.path in step.project.after
    )


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
