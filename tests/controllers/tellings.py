"""Stories told, each as often as it is cut, a few at a time: most of a story is waiting for a run's process."""

import itertools
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.sandbox.world import World
from tests.controllers.killable_bot import KillableBot
from tests.controllers.knife import Knife, Side
from tests.controllers.scene import Scene

Story = Callable[[Scene], dict[str, Any]]
Case = tuple[Story, Side, str]


@dataclass(frozen=True)
class Told:
    """A story at its end: where it took place, and what people see."""

    scene: Scene
    seen: dict[str, Any]


class Tellings:
    """Tells stories in one world; each case is told once, and `foresee` lets it be told before it is asked for."""

    def __init__(self, world: World, folder: Callable[[str], Path]) -> None:
        self._world = world
        self._folder = folder
        self._numbers = itertools.count(1)
        self._told: dict[Case, Future[Told]] = {}
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="telling")

    def foresee(self, story: Story, side: Side = "before", cut: str = "") -> Future[Told]:
        """Have it told in its turn."""
        case = (story, side, cut)
        if case not in self._told:
            self._told[case] = self._pool.submit(self.tell, *case)
        return self._told[case]

    def of(self, story: Story, side: Side = "before", cut: str = "") -> Told:
        """A story cut off there; the whole story when nothing is said. Raises what went wrong in it."""
        return self.foresee(story, side, cut).result()

    def tell(self, story: Story, side: Side = "before", cut: str = "") -> Told:
        """Tell it now, here."""
        name = f"cut_{next(self._numbers)}_x"
        scene = Scene(KillableBot(self._world, self._folder(name), Knife(side, cut)), name)
        told = Told(scene, story(scene))
        scene.leave()
        return told

    def close(self) -> None:
        """Tell no more."""
        self._pool.shutdown(cancel_futures=True)
