"""A pass over a pull request: what it is, what was asked of it, what its runs say, and what is
still missing.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

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
    Wake,
)
from bot.controllers import thread
from bot.controllers.pull_request import (
    cleanup,
    commands,
    gather,
    memo,
    pictures,
    preview,
    records,
)
from bot.controllers.pull_request.memo import PassState
from bot.controllers.runs import lifecycle, stop
from bot.controllers.services import Repository, Services
from bot.errors import NotFound, ServiceError
from bot.facts.pull_request import VALIDATE, PullRequestFacts, PullRequestMemo
from bot.facts.runs import ProjectRun
from bot.passes import Look, Outcome
from bot.rules.pull_request import checks, recall
from bot.rules.pull_request import cleanup as cleanup_rule
from bot.rules.pull_request import commands as command_rule
from bot.subjects import PullRequest


def pass_over(subject: PullRequest, look: Look, services: Services) -> Outcome:
    """Gather, decide, perform."""
    repository = services.repositories[subject.repository]
    known = memo.read(look.memo)
    done = PassState(known)
    try:
        gather.gather(subject, look, done, repository, services)
        for given in look.while_leased(command_rule.open(done.talk) if done.talk else ()):
            commands.obey(given, look, done, repository, services)
        gather.stand_in_line(subject, done, repository, services)
        if look.memo_may_be_behind:
            done.wake += commands.subjects_to_wake(done, repository, services)
        for action in look.while_leased(
            checks.plan(_facts(repository, done, services), services.now(), services.reporting)
        ):
            _perform(action, done, repository, services)
        if cleanup_rule.due(_facts(repository, done, services)):
            head = done.memo.known_head
            config = done.memo.config
            done.performed += records.keep(head, config, look, repository, services)
            done.performed += cleanup.tidy(head, config, look, repository, services)
    except NotFound as gone:
        if gone.neighbour != "Git":
            return _held_up(gone, look, known, done, repository, services)
        # The branch moved on between the look and the run: look at what it is now.
        performed = (*done.performed, str(gone))
        return Outcome(look_again=5.0, memo={}, performed=performed, wake=tuple(done.wake))
    except ServiceError as trouble:
        return _held_up(trouble, look, known, done, repository, services)
    return Outcome(
        look_again=done.look_again,
        memo=memo.write(done.memo),
        performed=tuple(done.performed),
        wake=tuple(done.wake),
    )


def _held_up(
    trouble: ServiceError,
    look: Look,
    known: PullRequestMemo,
    done: PassState,
    repository: Repository,
    services: Services,
) -> Outcome:
    """Tell people whom their pull request waits for."""
    if trouble.neighbour != "Azure DevOps" and done.memo.head is not None:
        facts = _facts(repository, done, services)
        for action in look.while_leased(checks.held_up(facts, trouble.neighbour, look.failures)):
            _perform(action, done, repository, services)
    return Outcome(
        look_again=trouble.retry_after,
        memo=memo.write(recall.held_up(known, done.memo)),
        performed=tuple(done.performed),
        trouble=str(trouble),
    )


def _facts(repository: Repository, done: PassState, services: Services) -> PullRequestFacts:
    return memo.facts(repository, done.memo, services.public_url)


def _perform(
    action: PullRequestAction, done: PassState, repository: Repository, services: Services
) -> None:
    pr = done.memo
    head = pr.known_head
    match action:
        case SetStatus():
            _set_status(action, done, repository)
        case PutReport():
            _put_report(action, done, repository, services)
        case Reply(number, body, sign):
            body = services.templates.filled(body)
            thread.reply(repository.azure, number, body, sign, templates=services.templates)
            done.performed.append(f"told pull request {number}: {body.strip()}")
        case PreviewMerge():
            seen = None
            if pr.config:
                seen = preview.gather(head, repository, services, services.now())
            done.memo = replace(pr, preview=seen)
        case AttachPictures(steps):
            shown = pictures.attach_all(head, steps, pr.baselines, repository, services)
            done.memo = replace(pr, pictures=shown)
            done.performed += [f"attached {picture.title}" for picture in shown]
        case StartRun():
            run = lifecycle.start(action, repository, services)
            done.memo = replace(pr, runs=_with(pr.runs, run))
            done.performed.append(f"run of {action.project}: {run.cluster_run or run.reason}")
        case CancelRun(run):
            stopped = stop.stop(run, pr.config, repository, services)
            done.memo = replace(pr, runs=_with(pr.runs, stopped))
            done.performed.append(f"cancelled the run of {run.project} for {run.commit[:7]}")
        case CloseRun(run):
            done.memo = replace(pr, runs=_with(pr.runs, lifecycle.close(run, services)))
            done.performed.append(f"closed the MLflow run of {run.project}: {run.outcome}")
        case LookAgain(seconds):
            done.look_again = seconds if done.look_again is None else min(done.look_again, seconds)
        case Wake(subject):
            done.wake.append(subject)
        case _:
            assert_never(action)


def _set_status(wanted: SetStatus, done: PassState, repository: Repository) -> None:
    pr = done.memo
    status = recall.written(wanted.state, wanted.description)
    there = pr.statuses.get(wanted.name, "")
    validate = wanted.name == VALIDATE
    # Of a step only the state is worth a call.
    if there != status and (validate or there.partition(" ")[0] != wanted.state):
        repository.azure.set_status(
            wanted.number,
            wanted.iteration,
            wanted.state,
            wanted.description,
            wanted.page,
            wanted.name,
        )
        done.performed.append(f"status {wanted.name} {wanted.state}: {wanted.description}")
        pr = replace(pr, statuses={**pr.statuses, wanted.name: status})
    if validate:
        head = replace(
            pr.known_head, pending=wanted.state == "pending", judged=wanted.state in recall.FINAL
        )
        verdict = recall.verdict(head.commit, wanted.state, wanted.description)
        pr = replace(pr, head=head, told=verdict or pr.told)
    done.memo = pr


def _put_report(
    wanted: PutReport, done: PassState, repository: Repository, services: Services
) -> None:
    pr = done.memo
    reporting = services.reporting
    body = services.templates.filled(wanted.body)
    head = pr.known_head
    digest = hashlib.sha256(body.encode()).hexdigest()
    if wanted.tone == "to do":
        opening = reporting.failed
    else:
        opening = reporting.passed
    if digest != pr.report or not head.thread:
        thread_id = thread.put_report(repository.azure, wanted.number, head.thread, body, opening)
        if thread_id != head.thread:
            pr = replace(pr, thread_status=opening)
        pr = replace(
            pr, head=replace(head, thread=thread_id), report=digest, reported=services.now()
        )
        done.performed.append(f"report: {body.splitlines()[0].lstrip('# ')}")
    if wanted.tone is not None and opening != pr.thread_status:
        repository.azure.set_thread_status(wanted.number, pr.known_head.thread, opening)
        pr = replace(pr, thread_status=opening)
    done.memo = pr


def _with(known: Sequence[ProjectRun], run: ProjectRun) -> tuple[ProjectRun, ...]:
    return (*(other for other in known if other.token != run.token), run)
