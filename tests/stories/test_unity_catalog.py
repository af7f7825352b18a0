"""Promotion in Unity Catalog, which tells nobody: a bot that asks, seen from outside."""

import json
from collections.abc import Iterator
from typing import cast

import pytest

from bot.subjects import Model
from sandbox.mlflow_server import MlflowServer
from sandbox.world import World
from tests.bot_in_process import CONTENT, Bot, PullRequest, start_bot
from tests.stories.test_backends import BOTH, Deployed
from tests.stories.test_promotions import job, points_at
from tests.stories.test_pull_requests import opened

pytestmark = pytest.mark.slow

# No sender of registry webhooks, and so rare a poll that it comes only when the story lets time
# pass.
DEPLOYMENT = """
repositories: [{project: "${AZURE_DEVOPS_PROJECT}", repository: "${AZURE_DEVOPS_REPOSITORY}"}]
registry_webhooks: []
limits: {poll: 10m, sweep: 1h}
"""
WINE = "prod.ml.wine_model"

DESCRIBED = json.dumps(
    {"signature": {"inputs": json.dumps([{"name": "acidity", "type": "double", "required": True}])}}
)
"""What MLflow writes of a model that takes one column."""


@pytest.fixture(scope="module")
def bot(tmp_path_factory: pytest.TempPathFactory, mlflow_server: MlflowServer) -> Iterator[Bot]:
    """A bot whose models are in Unity Catalog, and whose only news is from Azure DevOps."""
    root = tmp_path_factory.mktemp("unity_catalog")
    (root / "bot.yml").write_text(DEPLOYMENT)
    with World(root / "world", CONTENT, slots=4, mlflow=mlflow_server) as world:
        plain = (CONTENT / "config" / "mlops.yml").read_text()
        text = plain.replace('"{branch}_', '"dev.ml.{branch}_').replace('"*_model"', f'"{WINE}"')
        world.azure.push("main", {"config/mlops.yml": text}, "Keep models in Unity Catalog")
        deployed = cast(World, Deployed(world, MLFLOW_REGISTRY_URI="databricks-uc"))
        found, server = start_bot(deployed, root / "bot", deployment=str(root / "bot.yml"))
        world.azure.subscribe_bot(
            f"{found.url}/webhooks/azure-devops", "azure-devops", world.keys.azure_hooks
        )
        found.sweep()
        yield found
        server.shutdown()


def trained(bot: Bot, branch: str) -> tuple[PullRequest, str]:
    """A pull request that passed, and its training's run."""
    pr = opened(bot, branch, BOTH)
    bot.settle()
    assert pr.status == "succeeded", pr.report
    (version,) = bot.world.databricks.unity_catalog.models[
        f"dev.ml.{branch}_model".lower()
    ].versions.values()
    return pr, version.run


def promote(bot: Bot, run: str) -> str:
    """Do what somebody does who promotes a version: copy it to the production schema, and move the
    alias there.
    """
    catalog = bot.world.databricks.unity_catalog
    version = catalog.register(WINE, run, MLmodel=DESCRIBED.encode())
    catalog.set_alias(WINE, "champion", version)
    return version


def poll(bot: Bot) -> list[str]:
    """Let the time pass that lies between two looks; gives what was asked of the workspace's
    catalog.
    """
    bot.world.databricks.calls.clear()
    bot.worker.step(ahead=bot.settings.limits.poll)
    return [call.path for call in bot.world.databricks.calls if "unity-catalog" in call.path]


def test_a_pull_request_registers_scores_and_is_told_in_unity_catalog(bot: Bot) -> None:
    pr, _ = trained(bot, "Catalogued")

    assert "dev.ml." in pr.report
    assert (
        f"{bot.world.databricks.url}/explore/data/models/dev/ml/catalogued_model/version/1"
        in pr.report
    )
    assert "`rmse`" in pr.report


def test_an_alias_that_moves_points_the_job_within_the_poll_though_nobody_told(bot: Bot) -> None:
    pr, run = trained(bot, "promoted_unheard")
    deliveries = len(bot.queue.deliveries())

    first = promote(bot, run)
    bot.settle()
    before = job(bot).get("tags", {}).get("signalman_version")
    poll(bot)

    assert before != first
    assert points_at(bot) == (WINE, first)
    assert job(bot)["tags"]["signalman_commit"] == bot.world.azure.tip("promoted_unheard")
    (told,) = pr.replies
    assert f"`{WINE}` **v{first}**" in told
    assert len(bot.queue.deliveries()) == deliveries

    second = promote(bot, run)
    poll(bot)
    bot.world.databricks.unity_catalog.set_alias(WINE, "champion", first)
    poll(bot)

    assert points_at(bot) == (WINE, first)
    assert [f"**v{second}**" in reply for reply in pr.replies] == [False, True, False]


def test_a_look_that_finds_nothing_new_asks_twice_and_is_made_again(bot: Bot) -> None:
    _, run = trained(bot, "promoted_and_left")
    promote(bot, run)
    poll(bot)

    asked = [poll(bot), poll(bot)]

    assert [len(one) for one in asked] == [2, 2]


def test_only_what_a_job_follows_is_asked_for_again_and_again(bot: Bot) -> None:
    bot.queue.wake([Model("prod.ml.tea_model")])
    bot.settle()

    due = [row.subject for row in bot.queue.subjects() if row.due_at is not None]

    assert [subject for subject in due if isinstance(subject, Model)] == [Model(WINE)]


def test_what_an_abandoned_pull_request_registered_is_tagged_and_stays(bot: Bot) -> None:
    pr, _ = trained(bot, "Given_up")

    bot.world.azure.abandon(pr.number)
    bot.settle()

    (version,) = bot.world.databricks.unity_catalog.models[
        "dev.ml.given_up_model"
    ].versions.values()
    assert version.tags == {"signalman_archived": "its pull request was abandoned"}
