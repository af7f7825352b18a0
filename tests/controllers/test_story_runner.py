"""What the stories that are cut off rely on: a neighbour that stumbled is told apart from a fault
of the bot's.
"""

from collections.abc import Callable
from typing import Any

import pytest

from tests.controllers import visible_state
from tests.controllers.scene import Scene
from tests.controllers.story_runner import StoryRunner

pytestmark = pytest.mark.slow


def badly_named(stumbles: Callable[[], bool]) -> Callable[[Scene], dict[str, Any]]:
    """A story in whose middle Azure DevOps may be away for a call."""

    def story(scene: Scene) -> dict[str, Any]:
        scene.open({"README.md": scene.name}, f"bad/{scene.name}")
        if stumbles():
            scene.world.azure.trip(
                503, method="POST", path=f"/pullRequests/{scene.number}/statuses"
            )
        scene.bot.hear_of(scene.number)
        scene.bot.finish()
        return visible_state.pull_request(scene)

    return story


def test_a_story_in_which_a_neighbour_stumbled_once_is_told_again(stories: StoryRunner) -> None:
    turns = iter((True, False))

    told = stories.tell(badly_named(lambda: next(turns)))

    assert list(turns) == []
    assert told.scene.bot.errors == []
    assert told.seen == stories.tell(badly_named(lambda: False)).seen


def test_a_bot_goes_on_after_a_neighbour_that_stumbles_and_tells_of_one_that_does_each_time(
    stories: StoryRunner,
) -> None:
    told = stories.tell(badly_named(lambda: True))

    (error,) = told.scene.bot.errors
    assert "503" in error
    assert told.seen == stories.tell(badly_named(lambda: False)).seen
