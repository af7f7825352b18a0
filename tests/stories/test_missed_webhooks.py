"""Webhooks that Azure DevOps could not deliver: read from its history by the next sweep."""

import logging
from collections.abc import Iterator

import pytest

from tests.bot_in_process import Bot
from tests.stories.test_pull_requests import in_mode, opened

ASIDE = "/webhooks/azure-devops-which-nobody-answers"


@pytest.fixture
def deaf(bot: Bot) -> Iterator[None]:
    """For one story all that Azure DevOps sends is answered with 404."""
    bot.settle()
    world = bot.world.azure.world
    with world.lock:
        usual = dict(world.subscriptions)
        world.subscriptions.clear()
    bot.world.azure.subscribe_bot(f"{bot.url}{ASIDE}", "azure-devops", bot.world.keys.azure_hooks)
    yield
    with world.lock:
        world.subscriptions.clear()
        world.subscriptions.update(usual)


def test_what_could_not_be_delivered_is_heard_in_the_next_sweep(bot: Bot, deaf: None) -> None:
    pr = opened(bot, "unheard", in_mode(bot, "fine"))
    bot.settle()
    before = pr.statuses
    bot.sweep()

    came = [
        one for one in bot.queue.deliveries(20) if getattr(one.subject, "number", 0) == pr.number
    ]

    assert before == []
    assert pr.status == "succeeded"
    assert {one.event for one in came} >= {"git.pullrequest.created"}
    assert all(one.answered_at for one in came)


def test_that_a_pull_request_was_closed_is_heard_though_no_sweep_lists_it(
    bot: Bot, deaf: None
) -> None:
    pr = opened(bot, "unheard_end", in_mode(bot, "for ever"))
    bot.world.azure.drain(10)
    bot.worker.sweep()
    while not (pr.threads and "running" in pr.report):
        bot.worker.step(ahead=60)
    bot.world.azure.abandon(pr.number)
    bot.sweep()

    assert bot.ends(pr) == {"KILLED"}


def test_what_was_heard_is_read_once(bot: Bot, deaf: None) -> None:
    opened(bot, "unheard_once", {"README.md": "x"})
    bot.world.azure.drain(10)
    bot.sweep()
    bot.world.azure.calls.clear()
    bot.sweep()

    assert [call.path for call in bot.world.azure.calls if "/notifications/" in call.path] == []


def test_a_hook_that_is_not_well_is_told_to_the_operator(
    bot: Bot, deaf: None, caplog: pytest.LogCaptureFixture
) -> None:
    opened(bot, "unheard_warning", {"README.md": "x"})
    bot.world.azure.drain(10)
    with caplog.at_level(logging.WARNING, "bot.sweep"):
        bot.sweep()

    assert "status=onProbation" in caplog.text


def test_a_sweep_does_its_work_though_the_bot_may_not_view_service_hooks(bot: Bot) -> None:
    pr = opened(bot, "unseen_hooks", {"README.md": "x"})
    bot.settle()
    bot.world.azure.trip(403, path="/_apis/hooks/subscriptions", times=1)

    bot.sweep()

    assert pr.status == "notApplicable"
    bot.world.azure.untrip()
