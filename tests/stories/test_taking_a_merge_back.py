"""A merge was a mistake: the workspace holds what it held before, until the next one. And who may
know what is live.
"""

import threading

import pytest

from bot.cli import live
from bot.controllers.branch import rollback
from bot.controllers.services import Repository, Services
from bot.errors import SignalmanError
from bot.subjects import Branch
from tests.bot_in_process import Bot, PullRequest
from tests.stories.test_commands_from_a_pull_request import BEN, CLEO, asked, led
from tests.stories.test_pull_requests import opened

__all__ = ["led"]

HOOKS = "/Shared/mlflow_hooks"
NOTEBOOK = "# Databricks notebook source\nprint({!r})\n"


def merged(bot: Bot, name: str, content: str | None) -> tuple[PullRequest, str]:
    """A pull request that was merged, and as which commit."""
    pr = opened(bot, name, {"mlflow_hooks/taken.py": content})
    commit = bot.world.azure.complete(pr.number)
    bot.settle()
    return pr, commit


def repository(bot: Bot) -> Repository:
    (found,) = bot.services.repositories.values()
    return found


def take_back(bot: Bot, pr: PullRequest, order: str) -> str:
    answer, done = rollback.take_back(
        "Ada Lovelace", order, pr.number, repository(bot), bot.services
    )
    if done:
        bot.queue.wake([Branch(repository(bot).served.key)])
    bot.settle()
    return answer


def held(bot: Bot) -> bytes:
    return bot.world.databricks.tree(HOOKS)[f"{HOOKS}/taken"]


def test_what_was_merged_is_taken_back_and_stays_so_until_the_next_merge(bot: Bot) -> None:
    old, good = merged(bot, "taken_good", NOTEBOOK.format("good"))
    pr, bad = merged(bot, "taken_bad", NOTEBOOK.format("bad"))
    assert b"bad" in held(bot)

    answer = take_back(bot, pr, "1/1")
    taken = held(bot)
    bot.sweep()
    bot.sweep()

    assert f"`{bad[:7]}` out of the production workspace, which goes back to `{good[:7]}`" in answer
    assert f"(pull request {old.number})" in answer
    assert b"good" in taken
    assert held(bot) == taken
    (told,) = [reply for reply in pr.replies if "⏪ Took" in reply]
    assert "as Ada Lovelace wished. That lasts until the next merge" in told
    shown = "\n".join(live.status_lines(repository(bot), bot.services))
    assert f"the workspace holds {good[:7]} (pull request {old.number})" in shown
    assert f"{bad[:7]} was taken back by Ada Lovelace, until the next merge" in shown

    _, mended = merged(bot, "taken_mended", NOTEBOOK.format("mended"))

    assert b"mended" in held(bot)
    assert f"the workspace holds {mended[:7]}" in "\n".join(
        live.status_lines(repository(bot), bot.services)
    )


def test_the_same_wish_twice_goes_back_once_and_another_goes_further(bot: Bot) -> None:
    merged(bot, "back_one", NOTEBOOK.format("one"))
    merged(bot, "back_two", NOTEBOOK.format("two"))
    pr, _ = merged(bot, "back_three", NOTEBOOK.format("three"))

    assert take_back(bot, pr, "2/1") == take_back(bot, pr, "2/1")
    once = held(bot)
    take_back(bot, pr, "2/2")
    twice = held(bot)
    merged(bot, "back_four", NOTEBOOK.format("four"))

    assert b"two" in once
    assert b"one" in twice
    assert b"four" in held(bot)


def test_from_a_terminal_it_is_waited_for(bot: Bot) -> None:
    merged(bot, "terminal_one", NOTEBOOK.format("first"))
    merged(bot, "terminal_two", NOTEBOOK.format("second"))
    world: Services = bot.services
    lines: list[str] = []
    waiting = threading.Thread(
        target=lambda: lines.extend(live.take_back("ada", None, 60, bot.queue, world))
    )

    waiting.start()
    while waiting.is_alive():
        bot.settle()
        waiting.join(0.05)

    assert "out of the production workspace" in lines[0]
    assert lines[1].startswith("The workspace holds ")
    assert b"first" in held(bot)
    with pytest.raises(
        SignalmanError, match="It is noted, and a worker does it as soon as one runs"
    ):
        list(live.take_back("ada", None, 0.1, bot.queue, world))
    merged(bot, "terminal_three", NOTEBOOK.format("third"))
    assert b"third" in held(bot)


def test_who_manages_releases_says_so_on_the_pull_request(led: Bot) -> None:
    merged(led, "said_one", NOTEBOOK.format("uno"))
    pr, _ = merged(led, "said_two", NOTEBOOK.format("due"))

    refused = asked(pr, "/mlops rollback sync", CLEO)
    answer = asked(pr, "/mlops rollback sync", BEN)
    back = held(led)
    merged(led, "said_three", NOTEBOOK.format("tre"))

    assert "You are no release manager." in refused
    assert "out of the production workspace, which goes back to" in answer
    assert b"uno" in back
    assert b"tre" in held(led)
