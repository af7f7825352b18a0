"""Stories told, each as often as it is cut, a few at a time: much of a story is waiting for a run's
process.

Those that change the target branch share it, and are told one after the other,
beside the others.
"""

import itertools
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.world import World
from tests.controllers.call_interrupter import CallInterrupter, Side
from tests.controllers.killable_bot import KillableBot
from tests.controllers.scene import Scene

Story = Callable[[Scene], dict[str, Any]]
Case = tuple[Story, Side, str]

log = logging.getLogger(__name__)

_IN_TURN: set[Story] = set()


def in_turn(story: Story) -> Story:
    """Mark a story that changes the target branch."""
    _IN_TURN.add(story)
    return story


@dataclass(frozen=True)
class EndedStory:
    """A story at its end: where it took place, and what people see."""

    scene: Scene
    seen: dict[str, Any]


class StoryRunner:
    """Tells stories in one world; each case is told once, and `start` lets it be told before it is
    asked for.
    """

    def __init__(self, world: World, folder: Callable[[str], Path]) -> None:
        self._world = world
        self._folder = folder
        self._numbers = itertools.count(1)
        self._told: dict[Case, Future[EndedStory]] = {}
        self._side_by_side = ThreadPoolExecutor(4, thread_name_prefix="telling")
        self._one_by_one = ThreadPoolExecutor(1, thread_name_prefix="in turn")

    def start(self, story: Story, side: Side = "before", cut: str = "") -> Future[EndedStory]:
        """Have it told in its turn."""
        case = (story, side, cut)
        if case not in self._told:
            pool = self._one_by_one if story in _IN_TURN else self._side_by_side
            self._told[case] = pool.submit(self.tell, *case)
        return self._told[case]

    def of(self, story: Story, side: Side = "before", cut: str = "") -> EndedStory:
        """A story cut off there; the whole story when nothing is said. Raises what went wrong in
        it.
        """
        return self.start(story, side, cut).result()

    def tell(self, story: Story, side: Side = "before", cut: str = "") -> EndedStory:
        """Tell it now, here.

        Once more where a neighbour did not do as it was asked, which happens on a busy machine.
        What a story itself brings about happens in the second telling too, and is among the bot's
        errors then.
        """
        told = self._once(story, side, cut)
        if told.scene.bot.errors:
            log.warning("told again: %s, %s %s: %s", story, side, cut, told.scene.bot.errors)
            told = self._once(story, side, cut)
        return told

    def _once(self, story: Story, side: Side, cut: str) -> EndedStory:
        name = f"cut_{next(self._numbers)}_x"
        scene = Scene(
            KillableBot(self._world, self._folder(name), CallInterrupter(side, cut)), name
        )
        told = EndedStory(scene, story(scene))
        scene.leave()
        return told

    def wait(self) -> None:
        """Let all be told that is under way or foreseen."""
        wait(self._told.values())

    def close(self) -> None:
        """Tell no more."""
        for pool in (self._side_by_side, self._one_by_one):
            pool.shutdown(cancel_futures=True)
