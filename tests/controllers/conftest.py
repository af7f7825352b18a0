"""A world of its own, because here the target branch, the jobs and the models are changed a hundred
times.
"""

from collections.abc import Iterator

import pytest

from sandbox.mlflow_server import MlflowServer
from sandbox.world import World
from tests.bot_in_process import CONTENT
from tests.controllers.scene import QUICK, Scene
from tests.controllers.story_runner import Story, StoryRunner


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, mlflow_server: MlflowServer) -> Iterator[World]:
    """The neighbours of the bots that are killed."""
    with World(
        tmp_path_factory.mktemp("cut_world"), CONTENT, slots=8, mlflow=mlflow_server
    ) as started:
        yield started


@pytest.fixture(scope="module")
def prologue() -> tuple[Story, ...]:
    """What happened before all stories of the file: they find the same world, whichever is told
    first.
    """
    return (first_of_all,)


@pytest.fixture(scope="module")
def stories(
    request: pytest.FixtureRequest,
    world: World,
    prologue: tuple[Story, ...],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[StoryRunner]:
    """Stories; those of all tests of the file that were chosen are told ahead of them."""
    found = StoryRunner(world, tmp_path_factory.mktemp)
    for story in prologue:
        found.tell(story)
    for item in request.session.items:
        chosen = isinstance(item, pytest.Function) and item.path == request.path
        if chosen and "story" in item.fixturenames:
            given = item.callspec.params
            found.start(given["story"])
            found.start(given["story"], given.get("side", "before"), given.get("cut", ""))
    yield found
    found.close()


def first_of_all(scene: Scene) -> dict[str, object]:
    """Have the launcher uploaded, which the first run of all does."""
    scene.open(scene.trains("exits"))
    scene.bot.hear_of(scene.number)
    scene.bot.work()
    scene.let_end(QUICK)
    return {}
