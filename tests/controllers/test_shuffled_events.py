"""Events that come late, twice, in the wrong order or never: the same world as if they had come as they should."""

import random
from collections.abc import Callable
from typing import Any, Protocol
from uuid import uuid4

import pytest

from bot.sandbox.world import World
from bot.subjects import Branch, Delivery, Model, PullRequest, Subject
from tests.conftest import start_bot
from tests.controllers import people_see
from tests.controllers.killable_bot import KillableBot
from tests.controllers.knife import Knife
from tests.controllers.scene import NOTEBOOK, QUICK, Scene
from tests.controllers.test_cut_merges import HOOKS, manifest

SEEDS = range(20)
LIVE_SEEDS = range(4)


class Post(Protocol):
    """How the bot comes to hear of things."""

    def bring(self, scene: Scene, *events: Subject) -> None: ...


class Straight:
    """Everything once and in order."""

    def bring(self, scene: Scene, *events: Subject) -> None:
        scene.bot.hear(*events)


class Unreliable:
    """Loses, doubles, delays and swaps; afterwards the clock asks."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self._kept: list[Delivery] = []

    def bring(self, scene: Scene, *events: Subject) -> None:
        post = [*self._kept, *(Delivery(uuid4().hex, "test", "event", event) for event in events)]
        self._kept = []
        for delivery in disordered(post, self._dice):
            if self._dice.random() < 0.3:
                self._kept.append(delivery)
            else:
                scene.bot.queue.mark(delivery)
            if self._dice.random() < 0.5:
                scene.bot.step()
        scene.bot.hear(*what_a_sweep_lists(scene))


def disordered(post: list[Delivery], dice: random.Random) -> list[Delivery]:
    """Some of them, some of them more than once, in any order."""
    found = [delivery for delivery in post for _ in range(dice.choice((0, 1, 1, 2)))]
    if dice.random() < 0.3:
        found.reverse()
    else:
        dice.shuffle(found)
    return found


def what_a_sweep_lists(scene: Scene) -> list[Subject]:
    """The open pull request and the branch; not what other stories left in the world."""
    repository = scene.bot.repository
    open_ = bool(scene.number) and scene.world.azure.pull_request(scene.number)["status"] == "active"
    return [Branch(repository), *([PullRequest(repository, scene.number)] if open_ else [])]


def life_of_a_change(scene: Scene, post: Post) -> dict[str, Any]:
    """A pull request that fails, is mended, merged, and its model promoted."""
    bot = scene.bot
    scene.push({"config/mlops.yml": scene.with_a_job_of_its_own()}, "main")
    bot.hear_of_branch()
    bot.finish()
    scene.commits.clear()

    for mode in ("raises", "fine"):
        changes = scene.trains(mode) | {f"mlflow_hooks/{scene.name}.py": NOTEBOOK.format(mode)}
        if scene.number:
            scene.push(changes)
        else:
            scene.open(changes)
        me = PullRequest(bot.repository, scene.number)
        post.bring(scene, me, me)
        bot.work()
        scene.let_end(QUICK)
        bot.finish()
    merged = scene.world.azure.complete(scene.number)
    post.bring(scene, me, Branch(bot.repository))
    bot.finish()
    scene.world.databricks.transition(f"{scene.name}_model", 1, "Production")
    post.bring(scene, Model(f"{scene.name}_model"))
    bot.finish()
    scene.commits.append(merged)
    return seen(scene)


def seen(scene: Scene) -> dict[str, Any]:
    """All that people see of it."""
    return {
        "statuses": [people_see.statuses(scene, 1), people_see.statuses(scene, 2)],
        "threads": people_see.threads(scene),
        "cluster runs": sorted(run["state"].get("result_state", "") for run in scene.cluster_runs()),
        "MLflow runs": sorted(run["info"]["status"] for run in scene.mlflow_runs()),
        "versions": scene.versions(f"{scene.name}_model"),
        "workspace": people_see.workspace(scene, HOOKS),
        "jobs": people_see.jobs(scene),
        "manifest": manifest(scene),
    }


@pytest.fixture(scope="module")
def scenes(world: World, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Scene]:
    return lambda name: Scene(KillableBot(world, tmp_path_factory.mktemp(name), Knife()), name)


@pytest.fixture(scope="module")
def straight(scenes: Callable[[str], Scene]) -> dict[str, Any]:
    return life_of_a_change(scenes("in_order_x"), Straight())


@pytest.mark.parametrize("seed", LIVE_SEEDS)
def test_a_change_ends_the_same_however_unreliably_it_is_told_of(
    scenes: Callable[[str], Scene], straight: dict[str, Any], seed: int
) -> None:
    scene = scenes(f"unreliable_{seed}_x")

    assert life_of_a_change(scene, Unreliable(seed)) == straight
    assert scene.bot.errors == []


@pytest.fixture(scope="module")
def recorded(
    world: World, scenes: Callable[[str], Scene], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Scene, list[Delivery]]:
    """A life that was told by real webhooks to a real door, and what came to that door."""
    found, server = start_bot(world, tmp_path_factory.mktemp("door"))
    scene = scenes("recorded_x")
    world.azure.subscribe_bot(f"{found.url}/webhooks/azure-devops", "azure-devops", world.keys.azure_hooks)
    world.databricks.subscribe_bot(f"{found.url}/webhooks/databricks", world.keys.databricks_hooks)
    life_of_a_change(scene, Straight())
    world.azure.drain(10)
    world.databricks.drain(10)
    with world.azure.world.lock:
        world.azure.world.subscriptions.clear()
    server.shutdown()
    ours = {PullRequest(scene.bot.repository, scene.number), Branch(scene.bot.repository), Model(f"{scene.name}_model")}
    came = [one for one in reversed(found.queue.deliveries(1000)) if one.subject in ours]
    return scene, [Delivery(one.key, one.sender, one.event, one.subject) for one in came]


def test_what_is_recorded_tells_of_all_three_kinds(recorded: tuple[Scene, list[Delivery]]) -> None:
    _, came = recorded

    assert {type(one.subject) for one in came} == {PullRequest, Branch, Model}
    assert len(came) >= 8


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_events_once_more_in_any_order_change_nothing(
    recorded: tuple[Scene, list[Delivery]], scenes: Callable[[str], Scene], seed: int
) -> None:
    scene, came = recorded
    dice, before = random.Random(seed), seen(scene)
    scene.bot = scenes(f"replayed_{seed}").bot

    for delivery in disordered(came, dice):
        scene.bot.queue.mark(delivery)
        if dice.random() < 0.3:
            scene.bot.step()
    scene.bot.hear(*what_a_sweep_lists(scene))
    scene.bot.finish()

    assert seen(scene) == before
    assert [call for calls in scene.bot.knife.passes for call in calls] == []
    assert scene.bot.errors == []
