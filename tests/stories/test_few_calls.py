"""Azure DevOps is called no more than it takes: it slows down who asks too much, for everybody."""

import json

from sandbox.azure_devops.calls import Exchange
from tests.bot_in_process import Bot
from tests.stories.test_pull_requests import QUICK, in_mode, opened


def calls(bot: Bot, since: int) -> list[Exchange]:
    """What the bot asked Azure DevOps for since then; who it is itself, it asks once in the life of
    its process.
    """
    ours = [call for call in bot.world.azure.calls[since:] if call.by == bot.world.azure.bot_name]
    return [call for call in ours if not call.path.endswith("/connectionData")]


def progress(call: Exchange) -> bool:
    """Whether a call only tells how far things are, by the status of a step, or brings a
    picture.
    """
    if call.method != "POST" or not call.path.endswith("/statuses"):
        return "/attachments/" in call.path
    return bool(json.loads(call.request_body)["context"]["name"] != "validate")


def named(call: Exchange) -> str:
    return (
        f"{call.method} {call.path.partition('/pullRequests/')[2] or call.path.rpartition('/')[2]}"
    )


def test_a_whole_green_run_takes_at_most_eight_calls_besides_progress_and_pictures(
    bot: Bot,
) -> None:
    since = len(bot.world.azure.calls)
    pr = opened(bot, "thrifty", in_mode(bot, "fine") | {"projects/quick_scoring/note.md": "x"})
    bot.settle()

    made = [named(call) for call in calls(bot, since) if not progress(call)]

    assert pr.status == "succeeded"
    assert len(made) <= 8, made


def test_each_step_has_a_status_that_changes_only_with_its_state(bot: Bot) -> None:
    pr = opened(bot, "step_by_step", in_mode(bot, "fine"))
    bot.settle()

    assert [one["state"] for one in pr.statuses_of("quick")] == ["pending", "succeeded"]
    assert [one["state"] for one in pr.statuses_of("branch-name")] == ["succeeded"]


def test_talk_and_what_the_bot_says_itself_cost_no_call(bot: Bot) -> None:
    pr = opened(bot, "talkative", in_mode(bot, "fine"))
    bot.settle()
    since = len(bot.world.azure.calls)
    thread = bot.world.azure.comment(pr.number, "What does `/mlops run` do?")
    bot.world.azure.comment(pr.number, "> /mlops run\n\nNot that.", thread)
    bot.world.azure.vote(pr.number, 10)
    bot.world.azure.drain(10)
    bot.worker.settle()
    heard = [
        named(call) for call in calls(bot, since) if "threads" in call.path and call.method != "GET"
    ]

    assert heard == []


def test_a_comment_that_is_no_command_makes_nothing_due(bot: Bot) -> None:
    pr = opened(bot, "chatty", {"README.md": "chat"})
    bot.settle()
    since = len(bot.world.azure.calls)
    bot.world.azure.comment(pr.number, "Looks good to me.")
    bot.settle()

    assert [named(call) for call in calls(bot, since)] == []


def test_a_branch_that_is_pushed_again_is_read_once(bot: Bot) -> None:
    pr = opened(bot, "again_and_again", in_mode(bot, "fine"))
    bot.settle()
    since = len(bot.world.azure.calls)
    bot.world.azure.push("again_and_again", {f"{QUICK}/note.md": "more"}, "More")
    bot.settle()

    made = [named(call) for call in calls(bot, since) if not progress(call)]

    assert [one["state"] for one in pr.statuses] == ["pending", "succeeded"] * 2
    assert len(made) <= 8, made
