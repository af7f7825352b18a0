"""The life of a change, from its pull request to its promotion, and how unreliably a bot may come
to hear of it.

Told live, the events come while things happen. Replayed, all that came to the
door in a whole life comes once more, to a bot that knows nothing, when
everything is done.
"""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from bot.subjects import Branch, Delivery, Model, PullRequest, Subject
from sandbox.world import World
from tests.bot_in_process import start_bot
from tests.controllers import visible_state
from tests.controllers.call_interrupter import CallInterrupter
from tests.controllers.killable_bot import KillableBot
from tests.controllers.scene import NOTEBOOK, QUICK, Scene
from tests.controllers.stories_of_merges import HOOKS, manifest

NOTHING: dict[str, Any] = {}


class EventChannel(Protocol):
    """How the bot comes to hear of things."""

    def deliver(self, scene: Scene, *events: Subject) -> None:
        """Tell of these, somehow."""


class ReliableChannel:
    """Everything once and in order."""

    def deliver(self, scene: Scene, *events: Subject) -> None:
        """Tell of all."""
        scene.bot.hear(*events)


class UnreliableChannel:
    """Loses, doubles, delays and swaps; afterwards the clock asks."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self._kept: list[Delivery] = []

    def deliver(self, scene: Scene, *events: Subject) -> None:
        """Tell of some, and of some from before, with passes in between."""
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
    open_ = (
        bool(scene.number) and scene.world.azure.pull_request(scene.number)["status"] == "active"
    )
    return [Branch(repository), *([PullRequest(repository, scene.number)] if open_ else [])]


def tell(scene: Scene, channel: EventChannel) -> dict[str, Any]:
    """A pull request that fails, is mended, merged, and its model promoted; gives what people see
    of it.
    """
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
        channel.deliver(scene, me, me)
        bot.work()
        scene.let_end(QUICK)
        bot.finish()
    merged = scene.world.azure.complete(scene.number)
    channel.deliver(scene, me, Branch(bot.repository))
    bot.finish()
    scene.world.databricks.transition(f"{scene.name}_model", 1, "Production")
    channel.deliver(scene, Model(f"{scene.name}_model"))
    bot.finish()
    scene.commits.append(merged)
    return seen(scene)


def seen(scene: Scene) -> dict[str, Any]:
    """All that people see of it."""
    return {
        "statuses": [visible_state.statuses(scene, 1), visible_state.statuses(scene, 2)],
        "threads": visible_state.threads(scene),
        "cluster runs": sorted(
            run["state"].get("result_state", "") for run in scene.cluster_runs()
        ),
        "MLflow runs": sorted(run["info"]["status"] for run in scene.mlflow_runs()),
        "versions": scene.versions(f"{scene.name}_model"),
        "workspace": visible_state.workspace(scene, HOOKS),
        "jobs": visible_state.jobs(scene),
        "manifest": manifest(scene),
    }


def scene_in(world: World, folder: Path, name: str) -> Scene:
    """A place for one life, with a bot that knows nothing."""
    return Scene(KillableBot(world, folder / name, CallInterrupter()), name)


def recorded(world: World, folder: Path) -> tuple[Scene, list[Delivery]]:
    """A life that was told by real webhooks to a real door, and what came to that door."""
    found, server = start_bot(world, folder / "door")
    scene = scene_in(world, folder, "recorded_x")
    world.azure.subscribe_bot(
        f"{found.url}/webhooks/azure-devops", "azure-devops", world.keys.azure_hooks
    )
    world.databricks.subscribe_bot(f"{found.url}/webhooks/databricks", world.keys.databricks_hooks)
    tell(scene, ReliableChannel())
    world.azure.drain(10)
    world.databricks.drain(10)
    with world.azure.world.lock:
        world.azure.world.subscriptions.clear()
    server.shutdown()
    ours = {
        PullRequest(scene.bot.repository, scene.number),
        Branch(scene.bot.repository),
        Model(f"{scene.name}_model"),
    }
    came = [one for one in reversed(found.queue.deliveries(1000)) if one.subject in ours]
    return scene, [Delivery(one.key, one.sender, one.event, one.subject) for one in came]


def replayed(life: Scene, came: list[Delivery], folder: Path, seed: int) -> Scene:
    """The same life with a bot that knew nothing, and heard of it in the seed's disorder; then the
    clock asked.

    Once more where a neighbour did not do as it was asked, as `StoryRunner.tell` does.
    """
    scene = _replayed(life, came, folder / "first", seed)
    return _replayed(life, came, folder / "second", seed) if scene.bot.errors else scene


def _replayed(life: Scene, came: list[Delivery], folder: Path, seed: int) -> Scene:
    dice = random.Random(seed)
    scene = replace(life, bot=scene_in(life.world, folder, f"replayed_{seed}").bot)
    for delivery in disordered(came, dice):
        scene.bot.queue.mark(delivery)
        if dice.random() < 0.1:
            scene.bot.step()
    scene.bot.hear(*what_a_sweep_lists(scene))
    scene.bot.finish()
    return scene
