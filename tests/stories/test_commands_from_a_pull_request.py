"""Commands on a pull request: who may give them, which comments are none, and what comes of
each.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.config.deployment import Commands
from bot.controllers.permissions import Rights
from tests.bot_in_process import Bot, PullRequest
from tests.stories.test_pull_requests import QUICK, in_mode, opened

ADA, BEN, CLEO = "Ada Bergström", "Ben Okafor", "Cleo Marchetti"
"""Ada opens the pull requests; Ben leads, and Cleo is new."""


@pytest.fixture
def led(bot: Bot) -> Iterator[Bot]:
    """The bot, where people lead and manage releases."""
    before = bot.services
    bot.world.azure.team("ML leads", BEN)
    bot.world.azure.team("Release managers", BEN)
    teams = Commands(model_owners=("ML leads",), release_managers=("Release managers",))
    bot.be_with(replace(before, rights=Rights(teams)))
    yield bot
    bot.be_with(before)


def say(pr: PullRequest, text: str, thread: int | None = None, author: str = ADA) -> int:
    """Somebody writes a comment; gives its thread."""
    return pr.bot.world.azure.comment(pr.number, text, thread, author=author)


def asked(pr: PullRequest, text: str, author: str = ADA) -> str:
    """What the bot answers to a command, when it has done what it can."""
    thread = say(pr, text, author=author)
    pr.bot.settle()
    return "\n\n".join(answers(pr, thread))


def thread_of(pr: PullRequest, thread: int) -> dict[str, Any]:
    (found,) = (one for one in pr.bot.world.azure.threads(pr.number) if one["id"] == thread)
    return found


def answers(pr: PullRequest, thread: int) -> list[str]:
    """What the bot said in a thread."""
    found = thread_of(pr, thread)["comments"]
    return [
        str(one.get("content"))
        for one in found
        if one["author"]["displayName"] == pr.bot.world.azure.bot_name
    ]


def likes(pr: PullRequest, thread: int) -> list[str]:
    """Who likes the first comment of a thread."""
    return [one["displayName"] for one in thread_of(pr, thread)["comments"][0]["usersLiked"]]


def attempts(pr: PullRequest, project: str = "quick") -> int:
    """How often a project was run."""
    tags = [
        {one["key"]: one["value"] for one in run["data"]["tags"]} for run in pr.bot.mlflow_runs(pr)
    ]
    return sum(one["signalman.project"] == f"projects/{project}" for one in tags)


def running(bot: Bot, branch: str) -> PullRequest:
    """A pull request whose training goes on and on."""
    pr = opened(bot, branch, in_mode(bot, "for ever"))
    bot.world.azure.drain(10)
    while not (pr.threads and "running" in pr.report):
        bot.worker.step(ahead=60)
    return pr


# -- what is a command, and whose


def test_a_command_is_liked_at_once_and_answered_in_its_thread_which_is_then_closed(
    bot: Bot,
) -> None:
    pr = opened(bot, "helped", {"README.md": "help"})
    bot.settle()
    thread = say(pr, "/mlops help")
    bot.world.azure.drain(10)
    bot.worker.step()

    (told,) = answers(pr, thread)

    assert likes(pr, thread) == [bot.world.azure.bot_name]
    assert "/mlops retry" in told
    assert thread_of(pr, thread)["status"] == "closed"


def test_a_command_inside_another_discussion_is_answered_there_and_leaves_it_open(bot: Bot) -> None:
    pr = opened(bot, "discussed", {"README.md": "discuss"})
    thread = say(pr, "Is this ready?", author=BEN)
    say(pr, "/mlops status", thread)
    bot.settle()

    assert len(answers(pr, thread)) == 1
    assert thread_of(pr, thread)["status"] == "active"


@pytest.mark.parametrize(
    "text",
    [
        "> /mlops run\n\nShould I?",
        "```\n/mlops run\n```",
        "    /mlops run",
        "Try `/mlops run`.",
        "/mlopsrun",
        "Hello\n/mlops run",
    ],
    ids=["quoted", "fenced", "indented", "in prose", "another word", "on the second line"],
)
def test_what_only_speaks_of_a_command_does_nothing(bot: Bot, text: str) -> None:
    pr = opened(bot, f"spoken_{abs(hash(text)) % 10**6}", in_mode(bot, "fine"))
    bot.settle()

    assert asked(pr, text) == ""
    assert attempts(pr) == 1


def test_a_typo_gets_one_suggestion_and_runs_nothing(bot: Bot) -> None:
    pr = opened(bot, "mistyped", in_mode(bot, "raises"))
    bot.settle()

    told = asked(pr, "/mlops rety")

    assert told.count("`/mlops retry`") == 1
    assert attempts(pr) == 1


def test_a_comment_that_is_edited_into_a_command_is_one(bot: Bot) -> None:
    pr = opened(bot, "edited_in", in_mode(bot, "raises"))
    bot.settle()
    thread = say(pr, "Once more, please")
    bot.settle()
    bot.world.azure.edit_comment(pr.number, thread, 1, "/mlops retry", author=ADA)
    bot.settle()

    assert len(answers(pr, thread)) == 1
    assert attempts(pr) == 2


def test_an_edit_that_leaves_the_command_as_it_was_does_nothing(bot: Bot) -> None:
    pr = opened(bot, "edited_below", in_mode(bot, "raises"))
    bot.settle()
    thread = say(pr, "/mlops retry")
    bot.settle()
    bot.world.azure.edit_comment(
        pr.number, thread, 1, "/mlops retry\n\nbecause the weather was bad", author=ADA
    )
    bot.settle()

    assert len(answers(pr, thread)) == 1
    assert attempts(pr) == 2


def test_an_edit_to_another_command_is_answered_too(bot: Bot) -> None:
    pr = opened(bot, "edited_over", in_mode(bot, "fine"))
    bot.settle()
    thread = say(pr, "/mlops status")
    bot.settle()
    bot.world.azure.edit_comment(pr.number, thread, 1, "/mlops run", author=ADA)
    bot.settle()

    assert len(answers(pr, thread)) == 2
    assert attempts(pr) == 2


def test_a_command_that_was_taken_back_before_it_was_heard_does_nothing(bot: Bot) -> None:
    pr = opened(bot, "taken_back", in_mode(bot, "fine"))
    bot.settle()
    thread = say(pr, "/mlops run")
    bot.world.azure.delete_comment(pr.number, thread, 1, author=ADA)
    bot.settle()
    bot.sweep()

    assert answers(pr, thread) == []
    assert attempts(pr) == 1


def test_the_bot_does_not_listen_to_itself(bot: Bot) -> None:
    pr = opened(bot, "to_itself", in_mode(bot, "fine"))
    bot.settle()
    thread = say(pr, "/mlops run", author=bot.world.azure.bot_name)
    bot.settle()
    bot.sweep()

    assert len(answers(pr, thread)) == 1, "only what it was made to say"
    assert attempts(pr) == 1


def test_a_command_that_is_delivered_twice_and_swept_once_is_done_once(bot: Bot) -> None:
    pr = opened(bot, "told_twice", in_mode(bot, "raises"))
    bot.settle()
    thread = say(pr, "/mlops retry")
    bot.settle()
    bot.sweep()
    bot.forget(pr)
    bot.settle()

    assert len(answers(pr, thread)) == 1
    assert attempts(pr) == 2


def test_the_second_of_two_equal_commands_is_told_that_the_first_is_under_way(bot: Bot) -> None:
    pr = opened(bot, "said_twice", in_mode(bot, "raises"))
    bot.settle()
    first, second = say(pr, "/mlops retry"), say(pr, "/mlops retry", author=BEN)
    bot.settle()

    assert "✅ for" in answers(pr, first)[0]
    assert "under way" in answers(pr, second)[0]
    assert attempts(pr) == 2


# -- who may


def test_who_wrote_the_comment_is_who_asks_and_not_who_opened_the_pull_request(led: Bot) -> None:
    pr = opened(led, "asks", in_mode(led, "exits"), author=BEN)
    led.settle()

    told = asked(pr, '/mlops override quick reason="I would like it"', author=CLEO)

    assert "model owner" in told
    assert "ML leads" in told
    assert pr.status == "failed"


def test_nobody_accepts_what_is_wrong_with_their_own_change(led: Bot) -> None:
    pr = opened(led, "own_gate", in_mode(led, "exits"), author=BEN)
    led.settle()

    told = asked(pr, '/mlops override quick reason="trust me"', author=BEN)

    assert "You opened this pull request" in told
    assert pr.status == "failed"


def test_where_no_team_is_named_nobody_may(bot: Bot) -> None:
    pr = opened(bot, "no_team", in_mode(bot, "exits"))
    bot.settle()

    told = asked(pr, '/mlops override quick reason="it is late"', author=BEN)

    assert "`commands.model_owners` in `config/bot.yml`" in told
    assert pr.status == "failed"


# -- what comes of them


def test_retry_runs_only_what_failed_and_what_waited_for_it(bot: Bot) -> None:
    changes = in_mode(bot, "fine") | in_mode(bot, "exits", "projects/other")
    pr = opened(bot, "retried", changes)
    bot.settle()

    told = asked(pr, "/mlops retry")

    assert "✅ for" in told
    assert (attempts(pr), attempts(pr, "other")) == (1, 2)
    assert [one["state"] for one in pr.statuses] == ["pending", "failed"] * 2
    assert len(pr.threads) == 1
    assert pr.replies == []


def test_run_runs_everything_again_and_retry_finds_nothing_that_failed(bot: Bot) -> None:
    pr = opened(bot, "run_again", in_mode(bot, "fine"))
    bot.settle()

    assert "No run has failed" in asked(pr, "/mlops retry")
    assert "✅ for" in asked(pr, "/mlops run")
    assert attempts(pr) == 2
    assert [one["state"] for one in pr.statuses] == ["pending", "succeeded"] * 2


def test_a_change_that_touches_no_project_runs_one_when_somebody_asks(bot: Bot) -> None:
    pr = opened(bot, "touches_nothing", {"README.md": "nothing"})
    bot.settle()
    before = pr.status

    assert "touches no project" in asked(pr, "/mlops run")
    assert "✅ for" in asked(pr, "/mlops run quick")
    assert (before, pr.status, attempts(pr)) == ("notApplicable", "succeeded", 1)


def test_an_order_outlives_the_database_it_was_noted_in(bot: Bot, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    gate.touch()
    pr = opened(bot, "outlives", in_mode(bot, f"until {gate}"))
    bot.settle()
    gate.unlink()
    say(pr, "/mlops run")
    bot.world.azure.drain(10)
    while attempts(pr) < 2:
        bot.worker.step(ahead=60)
    bot.forget(pr)
    gate.touch()
    bot.settle()

    assert attempts(pr) == 2
    assert [one["state"] for one in pr.statuses][-1] == "succeeded"
    assert [one["state"] for one in pr.statuses].count("succeeded") == 2


def test_cancel_stops_what_runs_until_it_is_run_again(bot: Bot) -> None:
    pr = running(bot, "stopped")

    told = asked(pr, "/mlops cancel", author=BEN)
    stopped = pr.status
    report = pr.report

    assert "✅ for" in told
    assert stopped == "failed"
    assert BEN in report
    assert bot.ends(pr) == {"KILLED"}
    assert "Nothing runs" in asked(pr, "/mlops cancel")
    bot.world.azure.push("stopped", in_mode(bot, "fine"), "Do not wait")
    bot.settle()
    assert pr.status == "succeeded"


def test_a_failure_that_a_model_owner_accepts_may_merge_for_this_commit_and_no_other(
    led: Bot,
) -> None:
    pr = opened(led, "accepted", in_mode(led, "exits"))
    led.settle()

    told = asked(pr, '/mlops override quick reason="the test data has moved"', author=BEN)
    accepted, report = pr.status, pr.report
    led.world.azure.push("accepted", {f"{QUICK}/note.md": "more"}, "More")
    led.settle()

    assert "✅ for" in told
    assert accepted == "succeeded"
    assert "the test data has moved" in report
    assert BEN in report
    assert pr.status == "failed"


def test_an_override_that_was_said_before_the_newest_push_does_not_hold_for_it(led: Bot) -> None:
    pr = opened(led, "overtaken", in_mode(led, "exits"))
    led.settle()
    thread = say(pr, '/mlops override quick reason="fine"', author=BEN)
    led.world.azure.push("overtaken", in_mode(led, "raises"), "Another way to fail")
    led.settle()
    led.sweep()

    assert "✅ for" not in "".join(answers(pr, thread))
    assert pr.status == "failed"


def test_the_code_of_a_fork_runs_when_somebody_of_a_named_team_has_looked_at_it(bot: Bot) -> None:
    azure = bot.world.azure
    before = bot.services
    azure.team("Contributors", BEN, CLEO)
    azure.fork_push("cleos-models", "from_afar", in_mode(bot, "fine"), "From afar", author=CLEO)
    pr = PullRequest(
        bot,
        azure.open_pull_request("from_afar", title="From afar", fork="cleos-models", author=CLEO),
    )
    bot.settle()
    waiting, runs = pr.status, attempts(pr)

    unnamed = asked(pr, "/mlops ok-to-test", author=BEN)
    bot.be_with(replace(before, rights=Rights(Commands(contributors=("Contributors",)))))
    assert "`commands.contributors` in `config/bot.yml`" in unnamed
    assert "You are no contributor" in asked(pr, "/mlops ok-to-test", author=ADA)
    assert "You opened this pull request" in asked(pr, "/mlops ok-to-test", author=CLEO)
    assert "✅ for" in asked(pr, "/mlops ok-to-test", author=BEN)
    bot.be_with(before)
    assert (waiting, runs) == ("pending", 0)
    assert (pr.status, attempts(pr)) == ("succeeded", 1)


def test_status_logs_diff_and_explain_tell_what_is_so(bot: Bot) -> None:
    changes = in_mode(bot, "raises") | {
        "mlflow_hooks/extra.py": "# Databricks notebook source\nprint(1)\n"
    }
    pr = opened(bot, "curious_people", changes)
    bot.settle()

    assert "`quick`" in asked(pr, "/mlops status")
    assert "KeyError: 'alcohol'" in asked(pr, "/mlops logs quick 5")
    assert "/Shared/mlflow_hooks/extra" in asked(pr, "/mlops diff")
    assert "`quick`" in asked(pr, "/mlops explain")
    assert "nightly" in asked(pr, "/mlops status prod")
    assert pr.status == "failed"


def test_retrain_trains_the_target_branch_and_answers_with_the_new_version(led: Bot) -> None:
    pr = opened(led, "asks_for_training", {"README.md": "train"})
    led.settle()

    told = asked(pr, "/mlops retrain", author=BEN)

    assert "✅ for" in told
    assert "is registered" in told


def test_a_closed_pull_request_runs_nothing_more_but_still_answers(bot: Bot) -> None:
    pr = opened(bot, "closed_already", in_mode(bot, "fine"))
    bot.settle()
    bot.world.azure.abandon(pr.number)
    bot.settle()

    assert "is closed" in asked(pr, "/mlops run")
    assert "nightly" in asked(pr, "/mlops status prod")
    assert attempts(pr) == 1
