"""Events that come late, twice, in the wrong order or never: the same world as if they had come as
they should.

A few of each; `make shuffles` tells a thousand.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import pytest

from bot.subjects import Branch, Delivery, Model, PullRequest
from sandbox.world import World
from tests.controllers import life_of_a_change
from tests.controllers.life_of_a_change import ReliableChannel, UnreliableChannel
from tests.controllers.scene import Scene
from tests.controllers.story_runner import Story, StoryRunner, in_turn

SEEDS = range(60)
LIVE_SEEDS = range(2)

in_order: Story = in_turn(partial(life_of_a_change.tell, channel=ReliableChannel()))
UNRELIABLE: list[Story] = [
    in_turn(partial(life_of_a_change.tell, channel=UnreliableChannel(seed))) for seed in LIVE_SEEDS
]


@pytest.mark.parametrize("story", UNRELIABLE, ids=[f"seed {seed}" for seed in LIVE_SEEDS])
def test_a_change_ends_the_same_however_unreliably_it_is_told_of(
    stories: StoryRunner, story: Story
) -> None:
    straight, told = stories.of(in_order), stories.of(story)

    assert told.seen == straight.seen
    assert told.scene.bot.errors == []


@pytest.fixture(scope="module")
def recorded(
    stories: StoryRunner, world: World, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Scene, list[Delivery]]:
    """When all stories are told: what came to the door in a life of which nothing was lost."""
    stories.wait()
    return life_of_a_change.recorded(world, tmp_path_factory.mktemp("recorded"))


def test_what_is_recorded_tells_of_all_three_kinds(recorded: tuple[Scene, list[Delivery]]) -> None:
    _, came = recorded

    assert {type(one.subject) for one in came} == {PullRequest, Branch, Model}
    assert len(came) >= 6


@pytest.fixture(scope="module")
def replayed(
    recorded: tuple[Scene, list[Delivery]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Future[Scene]]]:
    """The same life again and again. They change nothing, so that they may go on side by side."""
    folder = tmp_path_factory.mktemp("replayed")
    with ThreadPoolExecutor(6) as pool:
        yield [pool.submit(life_of_a_change.replayed, *recorded, folder, seed) for seed in SEEDS]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_events_once_more_in_any_order_change_nothing(
    recorded: tuple[Scene, list[Delivery]], replayed: list[Future[Scene]], seed: int
) -> None:
    scene = replayed[seed].result()

    assert [call for calls in scene.bot.interrupter.passes for call in calls] == []
    assert scene.bot.errors == []


def test_after_all_of_them_people_see_what_they_saw_before(
    recorded: tuple[Scene, list[Delivery]], replayed: list[Future[Scene]], stories: StoryRunner
) -> None:
    for one in replayed:
        one.result()

    assert life_of_a_change.seen(recorded[0]) == stories.of(in_order).seen
