"""A thousand orders in which events may come, and how many of them end in another world than the
straight one.

Run by hand: `make shuffles`, or `make shuffles REPLAYS=200 LIVES=50`. A life is told live over an
unreliable channel; a replay brings all events of a whole life once more, to a bot that knows
nothing, and has to change nothing. Both are told by the real controllers in worlds of stand-ins,
several side by side. A seed that ends differently is named.
"""

import logging
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import click

from sandbox.world import World
from tests.bot_in_process import CONTENT
from tests.controllers import life_of_a_change
from tests.controllers.life_of_a_change import ReliableChannel, UnreliableChannel

SIDE_BY_SIDE = 3
IN_ONE_WORLD = 40
"""Each life leaves its notebook, job and model behind, and a full world is a slow one."""


def main(replays: int, told_live: int) -> int:
    """Tell all, print a line; returns how many went wrong."""
    began = time.monotonic()
    wrong_live = _all(_lives, told_live)
    between = time.monotonic()
    wrong_replays = _all(_replays, replays)
    ended = time.monotonic()
    for sentence in (*wrong_live, *wrong_replays):
        click.echo(sentence, err=True)
    click.echo(
        f"{told_live} lives told live in shuffled order: {len(wrong_live)} different ends, "
        f"{between - began:.0f} s; "
        f"{replays} shuffled replays: {len(wrong_replays)} different ends, {ended - between:.0f} s."
    )
    return len(wrong_live) + len(wrong_replays)


def _all(tell: Callable[[Sequence[int]], list[str]], seeds: int) -> list[str]:
    shares = [
        range(start, min(start + IN_ONE_WORLD, seeds)) for start in range(0, seeds, IN_ONE_WORLD)
    ]
    with ProcessPoolExecutor(
        SIDE_BY_SIDE, multiprocessing.get_context("spawn"), max_tasks_per_child=1
    ) as pool:
        return [sentence for found in pool.map(tell, shares) for sentence in found]


def _lives(seeds: Sequence[int]) -> list[str]:
    """What went wrong with lives in a world of their own, a sentence for each."""
    wrong = []
    with (
        tempfile.TemporaryDirectory(prefix="signalman-") as place,
        World(Path(place, "world"), CONTENT) as world,
    ):
        straight = life_of_a_change.tell(
            life_of_a_change.scene_in(world, Path(place), "in_order_x"), ReliableChannel()
        )
        for seed in seeds:
            scene = life_of_a_change.scene_in(world, Path(place), f"unreliable_{seed}_x")
            try:
                end = life_of_a_change.tell(scene, UnreliableChannel(seed))
            except Exception as error:
                wrong.append(f"Live, seed {seed}: {error!r}; {scene.bot.errors}")
                continue
            if end != straight or scene.bot.errors:
                differing = {key: end[key] for key in end if end[key] != straight[key]}
                wrong.append(f"Live, seed {seed}: {differing}; {scene.bot.errors}")
    return wrong


def _replays(seeds: Sequence[int]) -> list[str]:
    """The same of replays."""
    wrong = []
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with (
        tempfile.TemporaryDirectory(prefix="signalman-") as place,
        World(Path(place, "world"), CONTENT) as world,
    ):
        life, came = life_of_a_change.recorded(world, Path(place))
        before = life_of_a_change.seen(life)
        for seed in seeds:
            scene = life_of_a_change.replayed(life, came, Path(place), seed)
            changes = [call for calls in scene.bot.interrupter.passes for call in calls]
            if changes or scene.bot.errors or life_of_a_change.seen(scene) != before:
                wrong.append(f"Replayed, seed {seed}: {changes}; {scene.bot.errors}")
    return wrong


if __name__ == "__main__":
    given = [int(number) for number in sys.argv[1:]]
    sys.exit(1 if main(*(given or (1000, 200))) else 0)
