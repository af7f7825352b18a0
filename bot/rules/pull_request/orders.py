"""What comes of an order somebody may give: whether it can be obeyed as things are, and what it is
answered.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import cast

from bot.config.repository import Project
from bot.facts.discussion import Order, OrderVerb
from bot.facts.pull_request import PullRequestFacts, PullRequestHead, Step
from bot.rules.pull_request import checks
from bot.rules.pull_request.commands import Asked, Given
from bot.rules.pull_request.steps import over
from bot.words import answers

_UNWELL = ("failed", "refused", "no cluster", "skipped")


@dataclass(frozen=True)
class Reaction:
    """An answer, and the order if it was accepted."""

    body: str
    order: Order | None = None


def react(given: Given, asked: Asked, pr: PullRequestFacts, now: datetime) -> Reaction:
    """Accept an order, or say why there is nothing to be obeyed."""
    line = asked.line
    head = pr.head
    if not head.open and not (head.merged and asked.verb.name == "confirm"):
        return Reaction(answers.closed(line))
    steps = checks.planned(pr)
    needless = _needless(asked, pr, steps)
    if needless is not None:
        return Reaction(needless)
    if asked.verb.judges and _said_before_the_push(given, head):
        return Reaction(answers.older(line, head.commit))
    verb = cast(OrderVerb, asked.verb.name)
    order = Order(verb, head.commit, given.comment.author, now, asked.argument, asked.reason)
    if verb == "run" and not asked.argument and not steps:
        return Reaction(answers.looks_anew(line, head.commit), order)
    return Reaction(answers.accepted(line, verb, head.commit, asked.argument, asked.reason), order)


def _needless(asked: Asked, pr: PullRequestFacts, steps: list[Step]) -> str | None:
    """The answer to an order that would change nothing as things are; None for any other."""
    line = asked.line
    commit = pr.head.commit
    match asked.verb.name:
        case "run" if _busy(pr, steps):
            return answers.already_running(line, commit)
        case "run" if not asked.argument and not steps and not _brings(pr):
            return answers.nothing_to_run(line)
        case "run" if asked.argument and asked.argument.casefold() != "all":
            return _unless_known(asked, pr)
        case "retry" if _busy(pr, steps):
            return answers.already_running(line, commit)
        case "retry" if not any(step.state in _UNWELL for step in steps):
            return answers.nothing_to_retry(line, commit)
        case "cancel" if not _busy(pr, steps):
            return answers.nothing_to_cancel(line)
        case "override" if not _acceptable(asked.argument, steps):
            return answers.nothing_to_accept(line, asked.argument, _failed(steps))
        case "ok-to-test" if not pr.head.fork:
            return answers.not_a_fork(line)
        case _:
            return None


def _unless_known(asked: Asked, pr: PullRequestFacts) -> str | None:
    """The answer to an order about a project that there is not."""
    projects: tuple[Project, ...] = ()
    if pr.config is not None:
        projects = pr.config.projects
    if named(asked.argument, projects) is not None:
        return None
    names = [project.name for project in projects]
    return answers.unknown_project(asked.line, asked.argument, names)


def _said_before_the_push(given: Given, head: PullRequestHead) -> bool:
    """Whether an order was given before the newest commit came, which who gave it had not seen."""
    return head.pushed is not None and given.comment.content_updated < head.pushed


def named(argument: str, projects: tuple[Project, ...]) -> Project | None:
    """The project that somebody means by a name or a path."""
    meant = argument.casefold()
    return next(
        (
            project
            for project in projects
            if meant in (project.name.casefold(), project.path.casefold())
        ),
        None,
    )


def _busy(pr: PullRequestFacts, steps: list[Step]) -> bool:
    """Whether anything runs, waits or will be tried again."""
    waits = (
        not pr.head.judged
        and not checks.cancelled(pr.orders)
        and not (pr.head.fork and not checks.allowed(pr.orders))
    )
    return any(not run.over for run in pr.runs) or (waits and not over(steps))


def _brings(pr: PullRequestFacts) -> bool:
    return pr.config is not None and checks.brought(pr.config, pr.head.changed)


def _acceptable(argument: str, steps: list[Step]) -> bool:
    for step in steps:
        if step.state == "refused" and argument.casefold() == "gate":
            return True
        if step.state in ("failed", "refused") and named(argument, (step.project,)):
            return True
    return False


def _failed(steps: list[Step]) -> list[str]:
    if any(step.state == "refused" for step in steps):
        gate = ["gate"]
    else:
        gate = []
    return [*gate, *(step.project.name for step in steps if step.state == "failed")]
