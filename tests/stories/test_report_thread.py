"""The one thread: where a pull request stands in line, how often it is edited, and what happens
when it is deleted.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot import own_templates
from bot.controllers import thread as replying
from bot.facts.discussion import Discussion
from bot.services.azure_devops import AzureDevOps
from bot.subjects import PullRequest as PullRequestSubject
from bot.words import report
from tests.bot_in_process import Bot, PullRequest
from tests.stories.test_commands_from_a_pull_request import asked, attempts, running
from tests.stories.test_pull_requests import QUICK, in_mode, opened, told_about


@pytest.fixture
def narrow(bot: Bot) -> Iterator[Bot]:
    """The bot, where one run may be under way at a time."""
    before = bot.services
    bot.be_with(replace(before, most_runs=1))
    yield bot
    bot.be_with(before)


@pytest.fixture
def in_its_own_words(bot: Bot, tmp_path: Path) -> Iterator[Bot]:
    """The bot with a template of the deployment's own."""
    (tmp_path / "nothing_to_run.md.j2").write_text("### Bonjour\n\n{{ head.title }}\n")
    before = bot.services
    bot.be_with(replace(before, templates=own_templates.load(tmp_path)))
    yield bot
    bot.be_with(before)


def test_a_report_is_posted_in_the_deployments_own_words(in_its_own_words: Bot) -> None:
    pr = opened(in_its_own_words, "own_words", {"mlflow_hooks/own_words.txt": "1"})

    in_its_own_words.settle()

    assert pr.report.startswith("### Bonjour")


def work_until(bot: Bot, pr: PullRequest, words: str) -> None:
    bot.world.azure.drain(10)
    while not (pr.threads and words in pr.report):
        bot.worker.step(ahead=60)


def test_who_has_to_wait_is_told_its_place_and_runs_when_it_is_its_turn(narrow: Bot) -> None:
    first = running(narrow, "first_in_line")
    second = opened(narrow, "second_in_line", in_mode(narrow, "fine"))
    work_until(narrow, second, "queued")
    third = opened(narrow, "third_in_line", in_mode(narrow, "fine"))
    work_until(narrow, third, "Position **2** of 2")
    waiting = (second.status, attempts(second), second.report)

    asked(first, "/mlops cancel")

    assert waiting[:2] == ("pending", 0)
    assert "Position **1** of 1" in waiting[2]
    assert "limit 1 run" in waiting[2]
    assert [one["description"].split()[0] for one in second.statuses] == [
        "queued",
        "running",
        "passed",
    ]
    assert (second.status, third.status) == ("succeeded", "succeeded")


def test_the_report_is_edited_at_most_once_in_ten_seconds_while_a_run_goes_on(bot: Bot) -> None:
    pr = running(bot, "goes_on")
    for _ in range(5):
        bot.worker.step(ahead=60)
    at_once = told_about(bot, pr, "comments")
    bot.ahead += timedelta(seconds=11)
    for _ in range(5):
        bot.worker.step(ahead=60)
    later = told_about(bot, pr, "comments")
    bot.ahead -= timedelta(seconds=11)
    asked(pr, "/mlops cancel")

    assert at_once == []
    assert len(later) == 1


def test_a_report_that_somebody_deleted_is_written_anew_with_the_next_change_and_once(
    bot: Bot,
) -> None:
    pr = opened(bot, "swept_away", in_mode(bot, "fine"))
    bot.settle()
    (thread,) = (
        one["id"]
        for one in bot.world.azure.threads(pr.number)
        if "signalman.thread" in one["properties"]
    )
    bot.world.azure.delete_comment(pr.number, thread, 1, author=bot.world.azure.bot_name)
    bot.settle()
    bot.sweep()
    left_alone = len(pr.threads)
    bot.world.azure.push("swept_away", {f"{QUICK}/note.md": "more"}, "More")
    bot.settle()
    bot.sweep()

    assert left_alone == 1, "only the deleted one"
    assert [thread[0].startswith("### ✅") for thread in pr.threads] == [False, True]


def test_what_is_told_before_there_is_a_report_stays_below_it(bot: Bot) -> None:
    pr = running(bot, "told_early")
    azure = bot.services.repositories[bot.settings.served[0].key].azure
    (thread,) = (
        one["id"]
        for one in bot.world.azure.threads(pr.number)
        if "signalman.thread" in one["properties"]
    )
    bot.world.azure.delete_comment(pr.number, thread, 1, author=bot.world.azure.bot_name)

    for _ in range(2):
        replying.reply(
            azure, pr.number, "It is live.", "It is live", templates=own_templates.load(None)
        )
    early = pr.threads[-1]
    asked(pr, "/mlops cancel")

    assert early == [
        "### ⚪ Not validated so far\n\nWhat became of this pull request is told below.\n",
        "It is live.",
    ]
    assert [comment.splitlines()[0][:5] for comment in pr.threads[-1]] == ["### 🛑", "It is"]


def test_two_threads_that_were_opened_in_the_same_moment_become_one(bot: Bot) -> None:
    pr = opened(bot, "twice_begun", in_mode(bot, "fine"))
    bot.settle()
    azure = bot.services.repositories[bot.settings.served[0].key].azure
    for first in (report.not_yet(), "Merged."):
        second = azure.open_thread(pr.number, first, "closed")
        for told in ("It is live.", "It was refused."):
            azure.reply(pr.number, second, told)
    bot.sweep()

    kept, *others = pr.threads
    assert kept[0].startswith("### ✅")
    assert kept[1:] == ["It is live.", "It was refused.", "Merged."]
    assert {said for thread in others for said in thread} == {"None"}


@pytest.mark.parametrize(
    ("first", "below"),
    [(report.not_yet(), ["It is live."]), ("Merged.", ["It is live.", "Merged."])],
)
def test_of_two_threads_the_report_is_kept_though_the_pull_request_is_closed(
    bot: Bot, first: str, below: list[str]
) -> None:
    pr = opened(bot, f"twice_begun_{len(below)}", {"README.md": "x"})
    azure = bot.services.repositories[bot.settings.served[0].key].azure
    azure.reply(pr.number, azure.open_thread(pr.number, first, "closed"), "It is live.")
    azure.open_thread(pr.number, "### ✅ Passed", "closed")
    bot.world.azure.abandon(pr.number)
    bot.settle()

    assert pr.threads == [["### ✅ Passed", *below], ["None"]]


def test_what_is_told_while_the_report_is_being_made_ends_below_it(
    bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    pr = opened(bot, "told_meanwhile", in_mode(bot, "fine"))
    azure = bot.services.repositories[bot.settings.served[0].key].azure

    def listen(number: int) -> Discussion:
        read = AzureDevOps.discussion(azure, number)
        if replying.reply(azure, number, "It is live.", templates=own_templates.load(None)):
            bot.queue.wake([PullRequestSubject(bot.settings.served[0].key, number)])
        return read

    with monkeypatch.context() as patch:
        patch.setattr(azure, "discussion", listen)
        bot.settle()

    (kept,) = (thread for thread in pr.threads if thread[0] != "None")
    assert [comment[:11] for comment in kept] == ["### ✅ ML va", "It is live."]


def test_only_a_verdict_that_changes_is_told_by_a_reply(bot: Bot) -> None:
    pr = opened(bot, "changes_its_mind", in_mode(bot, "exits"))
    bot.settle()
    for mode in ("raises", "fine", "better", "exits"):
        bot.world.azure.push("changes_its_mind", in_mode(bot, mode), mode)
        bot.settle()

    assert [reply.split()[0] for reply in pr.replies] == ["✅", "❌"]
    assert pr.report.count("superseded") == 0


def test_who_asks_for_another_run_stands_in_line_like_everybody_else(narrow: Bot) -> None:
    again = opened(narrow, "asks_again_in_line", in_mode(narrow, "fine"))
    narrow.settle()
    first = running(narrow, "holds_the_line")
    narrow.world.azure.comment(again.number, "/mlops run")
    work_until(narrow, again, "queued")
    waiting = attempts(again)
    asked(first, "/mlops cancel")

    assert waiting == 1
    assert attempts(again) == 2
    assert again.status == "succeeded"
