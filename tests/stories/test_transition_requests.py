"""Somebody asks in the workspace's registry for a version to be moved, and is told what to know
before it is.
"""

from collections.abc import Iterator

import pytest

from bot.subjects import Model
from sandbox.mlflow_server import MlflowServer
from sandbox.world import World
from tests.bot_in_process import CONTENT, Bot, start_bot
from tests.stories.test_pull_requests import in_mode, opened

MODEL = "asked_for_model"


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory, mlflow_server: MlflowServer) -> Iterator[Bot]:
    """A bot that has one workspace for everything: version 1 serves, 2 was good enough, 3
    was not.
    """
    folder = tmp_path_factory.mktemp("asked")
    with World(folder / "world", CONTENT, slots=4, mlflow=mlflow_server) as world:
        bot, server = start_bot(world, folder / "bot", mlflow="databricks")
        world.subscribe(bot.url)
        bot.sweep()
        pr = opened(bot, "asked_for", in_mode(bot, "fine"))
        bot.settle()
        assert pr.status == "succeeded"
        world.databricks.transition(MODEL, 1, "Production")
        bot.settle()
        for mode in ("better", "worse"):
            world.azure.push("asked_for", in_mode(bot, mode), mode)
            bot.settle()
        yield bot
        server.shutdown()


def told(bot: Bot, version: int) -> list[str]:
    return bot.world.databricks.comments(MODEL, version)


def open_requests(bot: Bot) -> list[str]:
    registry = bot.world.databricks.registry
    return [one.version for one in registry.requests.open] if registry else []


def test_who_goes_live_is_told_on_the_version_itself(asked: Bot) -> None:
    (said,) = told(asked, 1)

    assert said.startswith(
        "Job `nightly` scores with this version from its next run on (its first)"
    )


def test_who_asks_is_told_how_it_compares_once(asked: Bot) -> None:
    asked.world.databricks.request_transition(MODEL, 2, "Production")
    asked.settle()
    asked.sweep()
    asked.lose(Model(MODEL))
    asked.settle()

    (said,) = told(asked, 2)

    assert f"which is `{MODEL}` `v1` now." in said
    assert "`rmse` 0.4 (now 0.5, −0.1; lower is better)" in said
    assert "Its commit was validated. Its signature fits." in said
    assert "neither approves nor rejects" in said
    assert len(open_requests(asked)) == 1


def test_who_asks_for_one_that_would_be_refused_is_told_so(asked: Bot) -> None:
    asked.world.databricks.request_transition(MODEL, 3, "Production")
    asked.settle()

    (said,) = told(asked, 3)

    assert "Signalman never validated its commit: signalman/validate is `failed`" in said
    assert "The job would not be pointed at it as it is." in said


def test_who_asks_for_another_stage_is_told_nothing(asked: Bot) -> None:
    before = told(asked, 2)
    asked.world.databricks.request_transition(MODEL, 2, "Staging")
    asked.settle()

    assert told(asked, 2) == before
