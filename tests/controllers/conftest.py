"""A world of its own, because here the target branch, the jobs and the models are changed a hundred
times.
"""

from collections.abc import Callable, Iterator

import pytest

from sandbox.mlflow_server import MlflowServer
from sandbox.world import World
from tests.bot_in_process import CONTENT
from tests.controllers.cut_points import StoryKind
from tests.controllers.scene import QUICK, Scene
from tests.controllers.story_runner import StoryRunner


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the tests of one kind of story follow each other: each kind has a world of its own."""
    places = [place for place, item in enumerate(items) if _kind(item) is not None]
    kinds = list(dict.fromkeys(_kind(items[place]) for place in places))
    in_order = sorted((items[place] for place in places), key=lambda item: kinds.index(_kind(item)))
    for place, item in zip(places, in_order, strict=True):
        items[place] = item


@pytest.fixture(scope="module")
def kind(request: pytest.FixtureRequest) -> StoryKind | None:
    """The stories that are told in this world, where a test says which."""
    return getattr(request, "param", None)


@pytest.fixture(scope="module")
def mlflow_server(
    kind: StoryKind | None, forgetful_mlflow: Callable[[], MlflowServer]
) -> MlflowServer:
    """An MLflow server that has forgotten what other stories told it."""
    return forgetful_mlflow()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, mlflow_server: MlflowServer) -> Iterator[World]:
    """The neighbours of the bots that are killed."""
    with World(
        tmp_path_factory.mktemp("cut_world"), CONTENT, slots=8, mlflow=mlflow_server
    ) as started:
        yield started


@pytest.fixture(scope="module")
def stories(
    request: pytest.FixtureRequest,
    world: World,
    kind: StoryKind | None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[StoryRunner]:
    """Stories; those of all tests of the file and kind that were chosen are told ahead of them."""
    found = StoryRunner(world, tmp_path_factory.mktemp)
    for story in (first_of_all, *(kind.prologue if kind else ())):
        found.tell(story)
    for item in request.session.items:
        chosen = (
            isinstance(item, pytest.Function) and item.path == request.path and _kind(item) is kind
        )
        if chosen and "story" in item.fixturenames:
            given = item.callspec.params
            found.start(given["story"])
            found.start(given["story"], given.get("side", "before"), given.get("cut", ""))
    yield found
    found.close()


def _kind(item: pytest.Item) -> StoryKind | None:
    """The kind of story that a test is about."""
    given = (
        item.callspec.params
        if isinstance(item, pytest.Function) and hasattr(item, "callspec")
        else {}
    )
    found = given.get("kind")
    return found if isinstance(found, StoryKind) else None


def first_of_all(scene: Scene) -> dict[str, object]:
    """Have the launcher uploaded, which the first run of all does."""
    scene.open(scene.trains("exits"))
    scene.bot.hear_of(scene.number)
    scene.bot.work()
    scene.let_end(QUICK)
    return {}
