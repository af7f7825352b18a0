"""A pass over a pull request: what it is, what its runs say, and what is still missing."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pydantic import TypeAdapter

from bot.actions import Action, CancelRun, CloseRun, LookAgain, PutReport, SetStatus, StartRun, Wake
from bot.config import Mlops
from bot.controllers import leavings, runs, stopping, target, thread
from bot.controllers.neighbours import Neighbours, Repository
from bot.errors import ConfigError, NotFound, ServiceError
from bot.facts import ProjectRun, PullRequestFacts, PullRequestHead, ServingVersion
from bot.passes import Look, Memo, Outcome
from bot.rules import branches, checks, cleanup, rollout
from bot.subjects import PullRequest, Subject

BELIEVED = timedelta(minutes=5)
"""How long what was read of a pull request is believed while its runs go on and nobody speaks of it.

That somebody closed it may be told to nobody, and a sweep lists only what is open.
"""


@dataclass(frozen=True)
class Memory:
    """What a pull request's row keeps to save calls; all of it can be read again."""

    head: PullRequestHead | None = None
    config: Mlops | None = None
    problem: str = ""
    runs: tuple[ProjectRun, ...] = ()
    branches: frozenset[str] = frozenset()
    serving: ServingVersion | None = None
    was_open: bool = False
    status: str = ""
    report: str = ""
    thread_status: str = ""
    read: datetime | None = None

    @property
    def known(self) -> PullRequestHead:
        """The head, which every look has read before it decides. Raises LookupError before that."""
        if self.head is None:
            raise LookupError("the pull request was not read yet")
        return self.head


@dataclass
class _Done:
    """What a pass has changed so far."""

    memory: Memory
    performed: list[str] = field(default_factory=list)
    wake: list[Subject] = field(default_factory=list)
    look_again: float | None = None


_MEMORY = TypeAdapter(Memory)


def pass_over(subject: PullRequest, look: Look, world: Neighbours) -> Outcome:
    """Gather, decide, perform."""
    repository = world.repositories[subject.repository]
    known = _MEMORY.validate_python(look.memo) if look.memo else Memory()
    done = _Done(known)
    try:
        _gather(subject, look, done, repository, world)
        for action in look.each(checks.plan(_facts(repository, done.memory), world.now())):
            _perform(action, done, repository, world)
        if cleanup.due(_facts(repository, done.memory)):
            done.performed += leavings.tidy(done.memory.known, done.memory.config, look, repository, world)
    except NotFound as gone:
        if gone.neighbour != "Git":
            return _held_up(gone, look, known, done, repository, world)
        # The branch moved on between the look and the run: look at what it is now.
        return Outcome(look_again=5.0, memo={}, performed=(*done.performed, str(gone)))
    except ServiceError as trouble:
        return _held_up(trouble, look, known, done, repository, world)
    return Outcome(
        look_again=done.look_again,
        memo=_written(done.memory),
        performed=tuple(done.performed),
        wake=tuple(done.wake),
    )


def _held_up(
    trouble: ServiceError, look: Look, known: Memory, done: _Done, repository: Repository, world: Neighbours
) -> Outcome:
    """Tell people whom their pull request waits for."""
    if trouble.neighbour != "Azure DevOps" and done.memory.head is not None:
        for action in look.each(checks.held_up(_facts(repository, done.memory), trouble.neighbour, look.failures)):
            _perform(action, done, repository, world)
    return Outcome(
        look_again=trouble.retry_after,
        memo=_written(_kept(known, done.memory)),
        performed=tuple(done.performed),
        trouble=str(trouble),
    )


def _kept(known: Memory, memory: Memory) -> Memory:
    """What was known before a look that could not be finished, and what people were told in it.

    Of a closed pull request no verdict is read, so that nothing is known better than before.
    """
    head, now = known.head, memory.head
    if head and now and now.open and (head.iteration, head.commit) == (now.iteration, now.commit):
        head = replace(head, pending=now.pending, judged=now.judged, thread=now.thread)
    told = {name: getattr(memory, name) for name in ("status", "report", "thread_status")}
    return replace(known, head=head, read=None, **told)


def _written(memory: Memory) -> Memo:
    found: Memo = _MEMORY.dump_python(memory, mode="json", by_alias=True)
    return found


def _gather(subject: PullRequest, look: Look, done: _Done, repository: Repository, world: Neighbours) -> None:
    """Read what is needed and no more: without news, only the runs that are under way."""
    memory, now = done.memory, world.now()
    believed = memory.read is not None and now - memory.read < BELIEVED
    if look.news or not believed or memory.head is None or not memory.head.iteration:
        # First what people may have to be told about, should anything else not answer.
        done.memory = memory = replace(_read_again(subject, memory, repository), read=now)
        done.memory = memory = _surroundings(memory, repository, world)
    looked = [runs.look(run, world) for run in memory.runs]
    done.memory = replace(memory, runs=tuple(run for run in looked if _matters(run, memory.known)))


def _read_again(subject: PullRequest, memory: Memory, repository: Repository) -> Memory:
    azure = repository.azure
    head = azure.pull_request(subject.number)
    old = memory.head
    memory = replace(memory, was_open=old is not None and old.open)
    # What was read while it was closed is no more than that.
    same = old is not None and old.open and (old.iteration, old.commit) == (head.iteration, head.commit)
    if head.target != repository.served.target:
        return replace(memory, head=head)
    if not (head.open and head.iteration):
        if memory.config is None and not head.open:
            memory = _configure(memory, repository)
        return replace(memory, head=head)
    if old is not None:
        head = replace(head, thread=old.thread)
    if same and old is not None:
        head = replace(head, judged=old.judged, pending=old.pending, changed=old.changed)
    else:
        state = azure.verdict(head.number, head.iteration)
        head = replace(
            head,
            judged=_final(state),
            pending=state == "pending",
            changed=azure.changed(head.number, head.iteration),
        )
    memory = replace(memory, head=head)
    if not same or memory.config is None:
        memory = _configure(memory, repository)
    return memory


def _configure(memory: Memory, repository: Repository) -> Memory:
    try:
        return replace(memory, config=target.read(repository)[1], problem="")
    except ConfigError as mistake:
        return replace(memory, config=None, problem=str(mistake))


def _surroundings(memory: Memory, repository: Repository, world: Neighbours) -> Memory:
    head, wanted = memory.known, memory.config
    if wanted is None:
        return memory
    if head.open and head.iteration and head.target == wanted.target and not head.judged:
        memory = _what_it_needs(memory, head, wanted, repository, world)
    return replace(memory, runs=_all_runs(memory, head, wanted, repository, world))


def _what_it_needs(
    memory: Memory, head: PullRequestHead, wanted: Mlops, repository: Repository, world: Neighbours
) -> Memory:
    if branches.judge(head.source, wanted.branches) is not None:
        return replace(memory, branches=frozenset(repository.azure.branches()))
    touched = checks.touched(wanted, head.changed, has_serving=True)
    lonely = [p for p in touched if checks.wants_version(p) and not set(p.after) & {other.path for other in touched}]
    if lonely and memory.serving is None:
        models = world.validation.models
        candidates = [found for job in wanted.jobs for found in models.promoted(job.model, job.alias, job.stage)]
        return replace(memory, serving=rollout.serving(candidates))
    return memory


def _all_runs(
    memory: Memory, head: PullRequestHead, wanted: Mlops, repository: Repository, world: Neighbours
) -> tuple[ProjectRun, ...]:
    # An earlier iteration may have run what this one does not touch, and a pass over it may have been cut off.
    first = head.open and head.iteration <= 1
    if first and not memory.runs and not checks.touched(wanted, head.changed, has_serving=True):
        return memory.runs
    return tuple(runs.merge(memory.runs, runs.find(repository, world, head, wanted)))


def _final(state: str | None) -> bool:
    # An error is nobody's verdict on the change: it is looked at again when somebody asks.
    return state in ("succeeded", "failed", "notApplicable")


def _given(number: int, iteration: int, state: str, repository: Repository) -> bool:
    """Whether a verdict would be one too many: a pass that was cut off gave it, or another worker."""
    if state == "pending":
        return False
    found = repository.azure.verdict(number, iteration)
    return found == state or _final(found)


def _matters(run: ProjectRun, head: PullRequestHead) -> bool:
    return run.iteration == head.iteration or not run.closed


def _facts(repository: Repository, memory: Memory) -> PullRequestFacts:
    return PullRequestFacts(
        repository=repository.served.key,
        target=repository.served.target,
        head=memory.known,
        config=memory.config,
        problem=memory.problem,
        runs=memory.runs,
        branches=memory.branches,
        serving=memory.serving,
        was_open=memory.was_open,
    )


def _perform(action: Action, done: _Done, repository: Repository, world: Neighbours) -> None:
    memory = done.memory
    head = memory.known
    match action:
        case SetStatus(number, iteration, state, description):
            told = f"{iteration} {state} {description}"
            if told != memory.status and not _given(number, iteration, state, repository):
                repository.azure.set_status(number, iteration, state, description, world.public_url)
                done.performed.append(f"status {state}: {description}")
            head = replace(head, pending=state == "pending", judged=_final(state))
            done.memory = replace(memory, head=head, status=told)
        case PutReport(number, body, status):
            digest = hashlib.sha256(body.encode()).hexdigest()
            if digest != memory.report or not head.thread:
                head = replace(head, thread=thread.put_report(repository.azure, number, head.thread, body))
                done.performed.append(f"report: {body.splitlines()[0]}")
            if status is not None and status != memory.thread_status:
                repository.azure.set_thread_status(number, head.thread, status)
                memory = replace(memory, thread_status=status)
            done.memory = replace(memory, head=head, report=digest)
        case StartRun():
            run = runs.start(action, repository, world)
            done.memory = replace(memory, runs=_with(memory.runs, run))
            done.performed.append(f"run of {action.project}: {run.cluster_run or run.reason}")
        case CancelRun(run):
            stopped = stopping.stop(run, memory.config, repository, world)
            done.memory = replace(memory, runs=_with(memory.runs, stopped))
            done.performed.append(f"cancelled the run of {run.project} for {run.commit[:7]}")
        case CloseRun(run):
            done.memory = replace(memory, runs=_with(memory.runs, runs.close(run, world)))
            done.performed.append(f"closed the MLflow run of {run.project}: {run.outcome}")
        case LookAgain(seconds):
            done.look_again = seconds if done.look_again is None else min(done.look_again, seconds)
        case Wake(subject):
            done.wake.append(subject)
        case _:
            raise AssertionError(f"a pull request's pass does not know {action}")


def _with(known: Sequence[ProjectRun], run: ProjectRun) -> tuple[ProjectRun, ...]:
    return (*(other for other in known if other.token != run.token), run)
