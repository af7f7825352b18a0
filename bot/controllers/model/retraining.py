"""A pass over a retraining: a training for production that somebody asked for in a comment.

Its commit is fixed when it starts, and its run is found again by its token.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import assert_never

from bot import run_tags, subjects
from bot.actions import Answer, CloseRun, LookAgain, StartRun
from bot.controllers import target_config, thread
from bot.controllers.runs import lifecycle, logs
from bot.controllers.services import Repository, Services
from bot.errors import ConfigError, NotFound
from bot.facts.model import RetrainingFacts
from bot.facts.runs import ProjectRun
from bot.passes import Look, MemoFormat, Outcome
from bot.rules.model import retraining
from bot.rules.runs import merge
from bot.subjects import Retraining
from bot.words.escape import visible
from bot.words.mask import masked


@dataclass(frozen=True)
class RetrainingMemo:
    """What a retraining's row keeps to save calls; all of it can be read again."""

    commit: str = ""
    runs: tuple[ProjectRun, ...] = ()


_FORMAT = MemoFormat(RetrainingMemo)


def pass_over(subject: Retraining, look: Look, services: Services) -> Outcome:
    """Gather, decide, perform."""
    repository = services.repositories[subject.repository]
    memo = _FORMAT.read(look.memo)
    facts = gather(subject, memo, repository, services)
    runs = {run.token: run for run in facts.runs}
    performed: list[str] = []
    look_again: float | None = None
    for action in look.while_leased(retraining.plan(facts, services.now())):
        match action:
            case LookAgain(seconds):
                look_again = seconds
            case _:
                told, changed = perform(action, repository, services)
                if told:
                    performed.append(told)
                runs.update({changed.token: changed} if changed else {})
    left = RetrainingMemo(facts.commit, tuple(runs.values()))
    return Outcome(look_again, _FORMAT.write(left), tuple(performed))


def gather(
    subject: Retraining, known: RetrainingMemo, repository: Repository, services: Services
) -> RetrainingFacts:
    """Look at its run, or find it; before there is one, the commit is the target branch's tip."""
    runs = known.runs
    if not any(run.cluster_run or run.over for run in runs):
        token = {run_tags.TOKEN: retraining.token(subject)}
        runs = tuple(merge(runs, lifecycle.find_retrainings(repository, services, token)))
    runs = tuple(_masked(lifecycle.look(run, services), services) for run in runs)
    for run in runs:
        logs.collect(run, subject, services)
    if runs:
        commit = runs[0].commit
    else:
        commit = known.commit
    return _configured(
        RetrainingFacts(subject, repository.served.target, commit, None, runs=runs), repository
    )


def _masked(run: ProjectRun, services: Services) -> ProjectRun:
    """The run as people may read of it: its log and its reason are quoted in the answer."""
    log, reason = (masked(visible(text), services.secrets) for text in (run.log, run.reason))
    return replace(run, log=log, reason=reason)


def _configured(facts: RetrainingFacts, repository: Repository) -> RetrainingFacts:
    try:
        if facts.commit:
            repository.mirror.bring_past(facts.target, facts.commit)
        else:
            facts = replace(facts, commit=repository.mirror.fetch(facts.target))
        return replace(facts, config=target_config.at(facts.commit, repository))
    except ConfigError as mistake:
        return replace(facts, problem=str(mistake))
    except NotFound as gone:
        return replace(facts, problem=str(gone))


def perform(
    action: StartRun | CloseRun | Answer, repository: Repository, services: Services
) -> tuple[str, ProjectRun | None]:
    """Do one thing; says in words what was done, and how the run is after it."""
    match action:
        case StartRun():
            run = lifecycle.start(action, repository, services)
            return f"retraining of {action.project}: {run.cluster_run or run.reason}", run
        case CloseRun(run):
            return f"closed the MLflow run of {run.project}: {run.outcome}", lifecycle.close(
                run, services
            )
        case Answer(number, thread_id, comment, body, sign):
            body = services.templates.filled(body)
            said = thread.answer(repository.azure, number, thread_id, comment, body, sign)
            return (
                f"answered on pull request {number}: {body.splitlines()[0]}" if said else ""
            ), None
        case _:
            assert_never(action)


def under_way(repository: Repository, services: Services) -> Iterator[Retraining]:
    """The retrainings of which MLflow knows and which nobody has closed."""
    for run in lifecycle.find_retrainings(repository, services, {}):
        subject = subjects.parse(run.owner)
        if not run.closed and isinstance(subject, Retraining):
            yield subject
