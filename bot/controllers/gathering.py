"""What a pass over a pull request reads: what is needed, and no more.

Without news, and for some minutes, only the runs that are under way are looked at.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from bot.controllers import baselines, memory, runs, target
from bot.controllers.memory import Memory
from bot.controllers.neighbours import Neighbours, Repository
from bot.errors import ConfigError
from bot.facts import ProjectRun, PullRequestHead
from bot.passes import Look
from bot.rules import branches, checks, commands, rollout
from bot.services.azure_devops import AzureDevOps, Discussion
from bot.subjects import PullRequest

BELIEVED = timedelta(minutes=5)
"""How long what was read of a pull request is believed while its runs go on and nobody speaks of it.

That somebody closed it may be told to nobody, and a sweep lists only what is open.
"""


def gather(
    subject: PullRequest, look: Look, known: Memory, repository: Repository, world: Neighbours
) -> Iterator[Memory]:
    """Yield what is known after each thing that was read; what people may have to be told first, should anything after
    it not answer.
    """
    now = world.now()
    if look.news or look.doubtful or known.read is None or now - known.read >= BELIEVED or not known.known.iteration:
        for known in _read(subject, look, known, repository, world):  # noqa: B020 - each is known better than the last
            yield known
        known = replace(known, read=now)
    looked = [runs.look(run, world) for run in known.runs]
    known = replace(known, runs=tuple(run for run in looked if _matters(run, known.known)))
    yield known
    known = _compared(known, repository, world)
    yield known
    yield _placed(subject, known, repository, world)


def _read(
    subject: PullRequest, look: Look, known: Memory, repository: Repository, world: Neighbours
) -> Iterator[Memory]:
    azure, old = repository.azure, known.head
    talk = azure.discussion(subject.number) if look.news or look.doubtful or old is None else None
    head = azure.pull_request(subject.number)
    known = _seen(known, head, talk, azure)
    yield known
    if head.target != repository.served.target:
        return
    if not (head.open and head.iteration):
        if known.config is None and not head.open:
            known = _configured(known, repository)
        yield _with_runs(known, repository, world)
        return
    # What was read while it was closed is no more than that.
    doubted = look.doubtful or (old is not None and not old.open)
    if talk is not None and (doubted or (old is None and known.known.thread)):
        known = _recalled(known, talk, azure)
        yield known
    if old is None or not old.open or (old.iteration, old.commit) != (head.iteration, head.commit) or known.config is None:
        known = _configured(known, repository)
    known = _with_runs(_with_needs(known, repository, world), repository, world)
    if talk is not None and old is None and not doubted and not known.known.thread and _begun(known, repository):
        known = _recalled(known, talk, azure)
    yield known


def _seen(known: Memory, head: PullRequestHead, talk: Discussion | None, azure: AzureDevOps) -> Memory:
    """What is known of the pull request itself, now that it was read."""
    old = known.head
    there = talk.report if talk is not None else old.thread if old is not None else 0
    head = replace(head, thread=there)
    known = replace(known, was_open=old is not None and old.open)
    if not (head.open and head.iteration):
        return replace(known, head=head)
    if old is not None and old.open and (old.iteration, old.commit) == (head.iteration, head.commit):
        return replace(known, head=replace(head, judged=old.judged, pending=old.pending, changed=old.changed))
    if old is not None and (old.iteration, old.commit) != (head.iteration, head.commit):
        known = known.moved_on()
    return replace(known, head=replace(head, changed=azure.changed(head.number, head.iteration)))


def _recalled(known: Memory, talk: Discussion, azure: AzureDevOps) -> Memory:
    """What is to be read on the pull request of what was said and posted there, whoever remembers it."""
    orders = commands.orders(talk, azure.me(), known.known.commit)
    return known.recalled(azure.checks(known.known.number), orders)


def _begun(known: Memory, repository: Repository) -> bool:
    """Whether a pull request nobody knows anything of may have been judged, though there is no report on it."""
    return bool(known.runs) or not checks.planned(memory.facts(repository, known, ""))


def _configured(known: Memory, repository: Repository) -> Memory:
    try:
        return replace(known, config=target.read(repository)[1], problem="")
    except ConfigError as mistake:
        return replace(known, config=None, problem=str(mistake))


def _with_needs(known: Memory, repository: Repository, world: Neighbours) -> Memory:
    """What is known once everything was read that a judgement needs besides runs."""
    head, wanted = known.known, known.config
    if wanted is None or head.target != wanted.target or head.judged:
        return known
    if branches.judge(head.source, wanted.branches) is not None:
        return replace(known, branches=frozenset(repository.azure.branches()))
    touched = checks.touched(wanted, head.changed, has_serving=True)
    lonely = [p for p in touched if checks.wants_version(p) and not set(p.after) & {other.path for other in touched}]
    if lonely and known.serving is None:
        models = world.validation.models
        candidates = [found for job in wanted.jobs for found in models.promoted(job.model, job.alias, job.stage)]
        return replace(known, serving=rollout.serving(candidates))
    return known


def _with_runs(known: Memory, repository: Repository, world: Neighbours) -> Memory:
    head, wanted = known.known, known.config
    if wanted is None:
        return known
    # An earlier iteration may have run what this one does not touch, and a pass over it may have been cut off.
    first = head.open and head.iteration <= 1
    if first and not known.runs and not checks.touched(wanted, head.changed, has_serving=True):
        return known
    return replace(known, runs=tuple(runs.merge(known.runs, runs.find(repository, world, head, wanted))))


def _compared(known: Memory, repository: Repository, world: Neighbours) -> Memory:
    """What is known once it was read what the runs that ended well are compared with."""
    config = known.config
    ended = {run.project for run in known.runs if run.outcome == "succeeded"}
    if config is None or not known.known.open or known.known.judged or not ended:
        return known
    missing = ended - set(known.baselines)
    return replace(
        known,
        runs=tuple(baselines.signed(config, run, world) for run in known.runs),
        baselines={**known.baselines, **(baselines.gather(config, missing, repository, world) if missing else {})},
    )


def _placed(subject: PullRequest, known: Memory, repository: Repository, world: Neighbours) -> Memory:
    """Ask for room for the runs that are to start, and give back what is not needed any more."""
    running, wanted = checks.wanted(memory.facts(repository, known, ""), world.now())
    if not (running or wanted or known.place):
        return known
    place = world.line.place(subject, running, wanted, world.most_runs)
    return replace(known, place=place if wanted else None if not running else place)


def _matters(run: ProjectRun, head: PullRequestHead) -> bool:
    return run.iteration == head.iteration or not run.closed
