"""The bot's one thread on a pull request: its report put, its replies added, each as often as one likes."""

import logging

from bot.errors import NotFound
from bot.services.azure_devops import AzureDevOps
from bot.settings import ThreadStatus

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


def answer(azure: AzureDevOps, number: int, thread: int, comment: int, body: str, sign: str) -> bool:
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


def reply(azure: AzureDevOps, number: int, body: str, sign: str = "") -> None:
    """Say something below the report unless a comment there begins like `sign` (by default: says the same).

    A pull request that is gone is told nothing.
    """
    known = sign or body.strip()
    try:
        found = azure.thread(number)
        if found is None:
            azure.open_thread(number, body, "closed")
        elif not any(comment.startswith(known) for comment in found.comments):
            azure.reply(number, found.id, body)
    except NotFound:
        log.warning("pull request %s cannot be told: Azure DevOps does not have it", number)
