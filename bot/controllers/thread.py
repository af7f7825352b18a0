"""Notifications on a pull request: the bot's one thread, its report put, its replies added.

Each may be done as often as one likes.
"""

import logging
from collections.abc import Sequence

from bot.config.deployment import ThreadStatus
from bot.errors import NotFound
from bot.facts.discussion import Double, Report
from bot.own_templates import OwnTemplates
from bot.services.azure_devops import AzureDevOps
from bot.words.report import HEADING, not_yet

log = logging.getLogger(__name__)


def put_report(azure: AzureDevOps, number: int, known: int, body: str, status: ThreadStatus) -> int:
    """Make the report read like this; gives its thread.

    `known` is the thread as it was read last, 0 if there was none; a new one gets that status.
    """
    if known:
        try:
            azure.edit_report(number, known, body)
        except NotFound:
            log.info("the report on pull request %s is gone; it is written anew", number)
        else:
            return known
    return azure.open_thread(number, body, status)


def unite(
    azure: AzureDevOps,
    number: int,
    report: Report,
    doubles: Sequence[Double],
    templates: OwnTemplates,
) -> None:
    """Say below the report what was said in threads that were opened in the same moment, and take
    those back.

    Other passes than the pull request's have things to tell it, and nobody can ask Azure DevOps for
    one thread only. What the older one began with instead of a report gives way to it. The comment
    that a thread is found by goes last.
    """
    if not doubles:
        return
    opening = templates.filled(not_yet())
    first, *below = report.comments
    told = [body for double in doubles for body in double.comments.values()]
    reports = [body for body in told if _is_report(body, opening)]
    replaced = bool(reports) and not _is_report(first, opening)
    if replaced:
        told.insert(0, first)
    else:
        below.append(first)
    for body in told:
        if not body.startswith(HEADING) and body not in below:
            azure.reply(number, report.id, body)
            below.append(body)
    if replaced:
        azure.edit_report(number, report.id, reports[-1])
    for double in doubles:
        for comment in sorted(double.comments, reverse=True):
            azure.delete_comment(number, double.id, comment)


def _is_report(body: str, opening: str) -> bool:
    return body.startswith(HEADING) and body.strip() != opening.strip()


def answer(
    azure: AzureDevOps, number: int, thread: int, comment: int, body: str, sign: str
) -> bool:
    """Answer a comment unless an answer to it begins like `sign`; says whether it was.

    A thread that is gone is told nothing.
    """
    try:
        if any(known.startswith(sign) for known in azure.answers(number, thread, comment)):
            return False
        azure.answer(number, thread, comment, body)
    except NotFound:
        log.warning("comment %s on pull request %s cannot be answered: it is gone", comment, number)
        return False
    return True


def reply(
    azure: AzureDevOps,
    number: int,
    body: str,
    sign: str = "",
    *,
    templates: OwnTemplates,
    merged: bool = False,
) -> bool:
    """Say something below the report unless a comment there begins like `sign` (by default: says
    the same).

    Says whether it opened the thread, which the pull request's own pass may just be doing too and
    should look at again. Where there is no report, one is put that says so, as the next one takes
    the place of the thread's first comment; a pull request that is `merged` gets no more of them.
    One that is gone is told nothing. `body` is as people get it; `templates` are the
    deployment's own, in which that report is begun.
    """
    begins = sign or body.strip()
    try:
        report = azure.thread(number)
        if report is None:
            if merged:
                azure.open_thread(number, body, "closed")
            else:
                thread = azure.open_thread(number, templates.filled(not_yet()), "closed")
                azure.reply(number, thread, body)
            return True
        if not any(comment.startswith(begins) for comment in report.comments):
            azure.reply(number, report.id, body)
    except NotFound:
        log.warning("pull request %s cannot be told: Azure DevOps does not have it", number)
    return False
