"""Every story also proves that what was said between the bot and Azure DevOps is as Microsoft
documents it.
"""

from collections.abc import Iterator

import pytest

from sandbox.world import World
from tests.openapi import MISSING, OpenApi, Watch


@pytest.fixture(scope="module")
def watch(world: World) -> Watch | None:
    """Validates every request of the bot's and every answer; None where the documents are not at
    hand.
    """
    if MISSING is not None:
        return None
    found = Watch(OpenApi.load())
    world.azure.observers.append(found)
    return found


@pytest.fixture(autouse=True)
def _as_documented(watch: Watch | None) -> Iterator[None]:
    yield
    if watch is not None:
        problems, watch.problems[:] = list(watch.problems), []
        assert problems == []
