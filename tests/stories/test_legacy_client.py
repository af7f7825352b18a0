"""A bot that speaks to Databricks by databricks-cli, from a pull request to the job that scores
with its model.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from bot.services.databricks_cli import DatabricksCli
from sandbox.mlflow_server import MlflowServer
from sandbox.world import World
from tests.bot_in_process import CONTENT, Bot, start_bot
from tests.stories.test_backends import Deployed
from tests.stories.test_promotions import points_at, trained

pytestmark = pytest.mark.slow

HOOKS = "/Shared/mlflow_hooks"
NOTEBOOK = b"# Databricks notebook source\nprint('new')\n"


@pytest.fixture
def legacy(tmp_path: Path, mlflow_server: MlflowServer) -> Iterator[Bot]:
    config = tmp_path / "bot.yml"
    config.write_text(f"client: databricks-cli\n{Path('config/bot.yml').read_text()}")
    with World(tmp_path / "world", CONTENT, slots=4, mlflow=mlflow_server) as world:
        deployed = cast(World, Deployed(world, BOT_CONFIG=str(config)))
        bot, server = start_bot(deployed, tmp_path / "bot", mlflow="databricks")
        world.subscribe(bot.url)
        bot.sweep()
        yield bot
        server.shutdown()


def test_the_legacy_client_carries_a_model_from_its_pull_request_through_merge_and_promotion(
    legacy: Bot,
) -> None:
    world = legacy.world
    assert isinstance(legacy.services.production.databricks, DatabricksCli)
    assert isinstance(legacy.services.validation.databricks, DatabricksCli)
    pr = trained(legacy, "by_the_old_way")

    world.databricks.transition("by_the_old_way_model", 1, "Production")
    legacy.settle()
    world.azure.push(
        "hooks",
        {"mlflow_hooks/fresh.py": NOTEBOOK, "mlflow_hooks/settings.py": None},
        "Add a notebook",
    )
    merged = world.azure.complete(world.azure.open_pull_request("hooks", title="Add a notebook"))
    legacy.settle()

    assert "by_the_old_way_model" in pr.report
    assert points_at(legacy) == ("by_the_old_way_model", "1")
    assert any("`by_the_old_way_model` **v1**" in reply for reply in pr.replies)
    tree = world.databricks.tree(HOOKS)
    assert tree[f"{HOOKS}/fresh"] == NOTEBOOK
    assert f"{HOOKS}/settings.py" not in tree
    assert (
        merged
        in world.databricks.tree("/Shared/.signalman")[
            "/Shared/.signalman/contoso__ml__models.json"
        ].decode()
    )
