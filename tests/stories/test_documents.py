"""Whether the stories are held against Microsoft's documents at all, and each verb of the bot's
among them.
"""

import pytest

from bot.words import report
from tests.bot_in_process import Bot
from tests.openapi import MISSING, Watch
from tests.stories.test_pull_requests import QUICK, in_mode, opened

VERBS = {
    "Iterations_List",
    "Pull Request Iteration Changes_Get",
    "Pull Request Query_Get",
    "Pull Request Statuses_Create",
    "Pull Request Statuses_List",
    "Pull Request Thread Comments_Create",
    "Pull Request Thread Comments_Delete",
    "Pull Request Thread Comments_Update",
    "Pull Request Threads_Create",
    "Pull Request Threads_List",
    "Pull Request Threads_Update",
    "Pull Requests_Get Pull Request",
    "Pull Requests_Get Pull Requests",
    "Pull Request Comment Likes_Create",
    "Refs_List",
}


@pytest.mark.skipif(MISSING is not None, reason=str(MISSING))
def test_every_call_the_bot_makes_is_validated(bot: Bot, watch: Watch | None) -> None:
    opened(bot, "badly/watched", {f"{QUICK}/watched.md": "badly"})
    failed = opened(bot, "failing_while_watched", in_mode(bot, "exits"))
    bot.settle()
    bot.world.azure.comment(failed.number, "/mlops retry")
    bot.settle()
    bot.world.azure.push("failing_while_watched", in_mode(bot, "fine"), "Mend it")
    bot.settle()
    pr = opened(bot, "watched", {f"{QUICK}/watched.md": "well"})
    bot.settle()
    azure = bot.services.repositories[bot.settings.served[0].key].azure
    azure.open_thread(pr.number, report.not_yet(), "closed")
    bot.forget(pr)
    bot.sweep()
    bot.world.azure.complete(pr.number)
    bot.settle()
    bot.sweep()

    assert watch is not None
    assert {
        name.replace("Pull Request Iterations_List", "Iterations_List") for name in watch.operations
    } >= VERBS
    assert watch.problems == []
