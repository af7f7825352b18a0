"""Speaking with people on a pull request: their commands acknowledged, refused, answered; what only
asks, told.

What a command changes is not done here.
"""

import logging
from collections.abc import Callable, Sequence

from bot.controllers.branch import live
from bot.controllers.services import Repository, Services
from bot.errors import NotFound
from bot.facts.discussion import Mistake, Order
from bot.facts.pull_request import PullRequestHead, Situation
from bot.facts.runs import ProjectRun
from bot.rules.pull_request import commands
from bot.rules.pull_request.commands import Asked, Given
from bot.services.azure_devops import AzureDevOps
from bot.words import answers

Log = Callable[[ProjectRun], tuple[str, str]]
"""Gives what a run has logged, with nothing secret in it, and the page with the whole of it (empty:
none).
"""

log = logging.getLogger(__name__)


def acknowledge(azure: AzureDevOps, number: int, given: Sequence[Given], me: str) -> None:
    """Like each command that was not liked yet, so that people see at once that it was heard; `me`
    is the bot.
    """
    for command in given:
        if me not in command.comment.liked_by:
            try:
                azure.like(number, command.comment.thread, command.comment.id)
            except NotFound:
                log.info("a command on pull request %s was gone before it was acknowledged", number)


def answer(azure: AzureDevOps, number: int, given: Given, body: str) -> None:
    """Answer a command in its thread, which is resolved if the command opened it.

    The answer comes last: by it the command is known to be done with.
    """
    comment = given.comment
    try:
        if comment.first:
            azure.set_thread_status(number, comment.thread, "closed")
        azure.answer(number, comment.thread, comment.id, body)
    except NotFound:
        log.info("a command on pull request %s was gone before it was answered", number)


def refused(given: Given, head: PullRequestHead, repository: Repository, services: Services) -> str:
    """The answer to somebody who may not give a command, by what Azure DevOps says of its teams;
    empty if they may.
    """
    if isinstance(given.asked, Mistake):
        return ""
    verb = given.asked.verb
    teams = services.rights.teams(verb.right, repository.azure, services.now())
    own = services.rights.commands.own
    why = commands.refusal(verb, given.comment.author_id, head.author_id, teams, own=own)
    if why is not None:
        return answers.refused(given.asked.line, why)
    return ""


def told(
    asked: Asked | Mistake,
    situation: Situation,
    repository: Repository,
    services: Services,
    *,
    orders: Sequence[Order] = (),
    why: str = "",
    read_log: Log = lambda run: (run.log, ""),
) -> str | None:
    """The answer to what only asks, or cannot be understood; None for a command that changes
    something.

    `orders` are those that hold for the commit, `why` a sentence on what keeps it waiting.
    """
    if isinstance(asked, Mistake):
        return answers.mistake(asked)
    line = asked.line
    match asked.verb.name:
        case "help":
            return answers.help_(line, commands.rows(services.rights.names()))
        case "status" if asked.argument:
            return answers.live(line, live.live_status(repository, services))
        case "status":
            return answers.status(line, situation)
        case "diff":
            return answers.diff(line, situation.preview)
        case "explain":
            return answers.explain(line, situation, orders, why)
        case "logs":
            return _logs(asked, situation, read_log)
        case _:
            return None


def _logs(asked: Asked, situation: Situation, read_log: Log) -> str:
    name = asked.argument.strip("/").casefold()
    for step in situation.steps:
        if name in (step.project.name.casefold(), step.project.path.casefold()):
            text, page = read_log(step.run) if step.run else ("", "")
            return answers.logs(asked.line, step.project.name, text, asked.lines, page)
    return answers.unknown_project(
        asked.line, asked.argument, [step.project.name for step in situation.steps]
    )
