"""What a pass over a pull request reads: what is needed, and no more.

Without news, and for some minutes, only the runs that are under way are looked
at. What is known is noted thing by thing: should a neighbour not answer, people
are told with what was read before it.
"""

from dataclasses import replace
from datetime import timedelta

from bot.controllers import target_config, thread
from bot.controllers.pull_request import answers, baselines, memo
from bot.controllers.pull_request.memo import PassState
from bot.controllers.runs import lifecycle, logs
from bot.controllers.services import Repository, Services
from bot.errors import ConfigError
from bot.facts.discussion import Discussion
from bot.facts.pull_request import PullRequestHead, PullRequestMemo
from bot.facts.runs import ProjectRun
from bot.own_templates import OwnTemplates
from bot.passes import Look
from bot.rules.model import rollout
from bot.rules.pull_request import branch_names, checks, commands, recall
from bot.rules.runs import merge
from bot.services.azure_devops import AzureDevOps
from bot.subjects import PullRequest

BELIEVED = timedelta(minutes=5)
"""How long what was read of a pull request is believed while its runs go on and nobody speaks of
it.

That somebody closed it may be told to nobody, and a sweep lists only what is open.
"""


def gather(
    subject: PullRequest, look: Look, done: PassState, repository: Repository, services: Services
) -> None:
    """Know what a decision needs."""
    now = services.now()
    pr = done.memo
    fresh = pr.read is not None and now - pr.read < BELIEVED and pr.known_head.iteration
    if look.news or look.memo_may_be_behind or not fresh:
        _read(subject, look, done, repository, services)
        done.know(read=now)
    runs = [lifecycle.look(run, services) for run in done.memo.runs]
    for run in runs:
        logs.collect(run, subject, services)
    done.know(runs=tuple(run for run in runs if _matters(run, done.memo.known_head)))
    _compare(done, repository, services)


def stand_in_line(
    subject: PullRequest, done: PassState, repository: Repository, services: Services
) -> None:
    """Ask for room for the runs that are to start, and give back what is not needed any more."""
    running, wanted = checks.wanted(memo.facts(repository, done.memo, ""), services.now())
    if running or wanted or done.memo.queue_position:
        position = services.queue.reserve_runs(subject, running, wanted, services.most_runs)
        done.know(queue_position=position if running or wanted else None)


def _read(
    subject: PullRequest, look: Look, done: PassState, repository: Repository, services: Services
) -> None:
    azure = repository.azure
    old = done.memo.head
    if look.news or look.memo_may_be_behind or old is None:
        done.talk = _listen(subject.number, azure, services.templates)
    done.memo = _seen(done.memo, azure.pull_request(subject.number), done.talk, azure)
    head = done.memo.known_head
    talk = done.talk
    if head.target != repository.served.target:
        return
    if not (head.open and head.iteration):
        if done.memo.config is None and not head.open:
            done.know(**_configuration(repository))
        done.know(runs=_runs(done.memo, repository, services))
        return
    # What was read while it was closed is no more than that.
    doubted = look.memo_may_be_behind or (old is not None and not old.open)
    reported_and_forgotten = old is None and bool(head.thread)
    if talk is not None and (doubted or reported_and_forgotten):
        done.memo = _recalled(done.memo, talk, azure)
    same = old is not None and old.open and recall.same_iteration(old, head)
    if not same or done.memo.config is None:
        done.know(**_configuration(repository))
    done.memo = _with_needs(done.memo, repository, services)
    done.know(runs=_runs(done.memo, repository, services))
    never_seen = old is None and not doubted and not head.thread
    if talk is not None and never_seen and _begun(done.memo, repository):
        done.memo = _recalled(done.memo, talk, azure)


def _listen(number: int, azure: AzureDevOps, templates: OwnTemplates) -> Discussion:
    """What was said; whoever asked for something sees at once that it was heard."""
    talk = azure.discussion(number)
    if talk.report is not None:
        thread.unite(azure, number, talk.report, talk.doubles, templates)
    answers.acknowledge(azure, number, commands.open(talk), talk.me)
    return talk


def _seen(
    known: PullRequestMemo, head: PullRequestHead, talk: Discussion | None, azure: AzureDevOps
) -> PullRequestMemo:
    """What is known of the pull request itself, now that it was read."""
    old = known.head
    thread_id = 0
    if old is not None:
        thread_id = old.thread
    if talk is not None:
        thread_id = 0
        if talk.report is not None:
            thread_id = talk.report.id
    if old is not None and old.thread not in (0, thread_id):
        # In a thread that came in place of another nobody has put the report yet.
        known = replace(known, report="", thread_status="")
    head = replace(head, thread=thread_id)
    known = replace(known, was_open=old is not None and old.open)
    if not (head.open and head.iteration):
        return replace(known, head=head)
    if old is not None and old.open and recall.same_iteration(old, head):
        return replace(
            known, head=replace(head, judged=old.judged, pending=old.pending, changed=old.changed)
        )
    if old is not None and not recall.same_iteration(old, head):
        known = recall.moved_on(known)
    return replace(known, head=replace(head, changed=azure.changed(head.number, head.iteration)))


def _recalled(known: PullRequestMemo, talk: Discussion, azure: AzureDevOps) -> PullRequestMemo:
    """What is to be read on the pull request of what was said and posted there, whoever remembers
    it.
    """
    head = known.known_head
    orders = commands.orders(talk, head.commit)
    return recall.recalled(known, azure.checks(head.number), orders, talk.me)


def _begun(known: PullRequestMemo, repository: Repository) -> bool:
    """Whether a pull request of which nothing is known may have been judged, though there is no
    report on it.
    """
    return bool(known.runs) or not checks.planned(memo.facts(repository, known, ""))


def _configuration(repository: Repository) -> dict[str, object]:
    try:
        return {"config": target_config.read(repository)[1], "problem": ""}
    except ConfigError as mistake:
        return {"config": None, "problem": str(mistake)}


def _with_needs(
    known: PullRequestMemo, repository: Repository, services: Services
) -> PullRequestMemo:
    """What is known once everything was read that a judgement needs besides runs."""
    head = known.known_head
    config = known.config
    if config is None or head.target != config.target or head.judged:
        return known
    if branch_names.judge(head.source, config.branches) is not None:
        return replace(known, branches=frozenset(repository.azure.branches()))
    touched = checks.touched(
        config, head.changed, has_serving=True, asked=checks.asked(known.orders)
    )
    lonely = [
        p
        for p in touched
        if checks.wants_version(p) and not set(p.after) & {other.path for other in touched}
    ]
    if lonely and known.serving is None:
        models = services.validation.models
        candidates = [
            version
            for job in config.jobs
            for version in models.promoted(job.model, job.alias, job.stage)
        ]
        return replace(known, serving=rollout.promoted(candidates))
    return known


def _runs(
    known: PullRequestMemo, repository: Repository, services: Services
) -> tuple[ProjectRun, ...]:
    head = known.known_head
    config = known.config
    if config is None:
        return known.runs
    # An earlier iteration may have run what this one does not touch, and a pass over it may have
    # been cut off.
    first = head.open and head.iteration <= 1
    if first and not known.runs and not checks.touched(config, head.changed, has_serving=True):
        return known.runs
    return tuple(merge(known.runs, lifecycle.find(repository, services, head, config)))


def _compare(done: PassState, repository: Repository, services: Services) -> None:
    """Know what the runs that ended well are compared with, while that decides anything."""
    pr = done.memo
    config = pr.config
    ended = {run.project for run in pr.runs if run.outcome == "succeeded"}
    asked = done.talk is not None and commands.open(done.talk)
    if (
        config is None
        or not pr.known_head.open
        or not ended
        or (pr.known_head.judged and not asked)
    ):
        return
    missing = ended - set(pr.baselines)
    done.know(runs=tuple(baselines.signed(config, run, services) for run in pr.runs))
    if missing:
        done.know(
            baselines={**pr.baselines, **baselines.gather(config, missing, repository, services)}
        )


def _matters(run: ProjectRun, head: PullRequestHead) -> bool:
    return run.iteration == head.iteration or not run.closed
