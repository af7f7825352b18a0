"""A merge whose passes are cut off, wherever one may be: the same workspace, one job, one reply."""

import json
from typing import Any

import pytest

from bot.controllers.branch import manifest as manifest_file
from tests.controllers import visible_state
from tests.controllers.call_interrupter import Side
from tests.controllers.cut_points import changes, cut_points
from tests.controllers.scene import NOTEBOOK, Scene
from tests.controllers.story_runner import Story, StoryRunner, in_turn

HOOKS = "/Shared/mlflow_hooks"
CHANGES = (
    "write 1, write 2, write 3, create_job 1, remove 1, open_thread 1, write 4",
)  # fmt: skip


@in_turn
def merged(scene: Scene) -> dict[str, Any]:
    hooks = f"mlflow_hooks/{scene.name}"
    scene.push(
        {f"{hooks}_stays.py": NOTEBOOK.format(1), f"{hooks}_changes.py": NOTEBOOK.format(1)}, "main"
    )
    scene.push({"config/mlops.yml": scene.without_jobs()}, "main")
    scene.push({f"{hooks}_goes.txt": "1"}, "main")
    scene.bot.interrupter.pause()
    scene.bot.hear_of_branch()
    scene.bot.finish()
    scene.commits.clear()

    config = scene.with_a_job_of_its_own()
    scene.open(
        {
            f"{hooks}_changes.py": NOTEBOOK.format(2),
            f"{hooks}_goes.txt": None,
            f"{hooks}_comes.py": NOTEBOOK.format(1),
        }
        | {"config/mlops.yml": config}
    )
    scene.commits.append(scene.world.azure.complete(scene.number))
    scene.bot.interrupter.count_from_here()
    scene.bot.hear_of_branch()
    scene.bot.finish()
    return {
        "threads": visible_state.threads(scene),
        "workspace": visible_state.workspace(scene, HOOKS),
        "jobs": visible_state.jobs(scene),
        "manifest": manifest(scene),
    }


def manifest(scene: Scene) -> dict[str, Any]:
    """What the workspace is said to hold of the story's files, and whether of the newest commit."""
    content = scene.bot.services.production.databricks.read(
        manifest_file.path(scene.bot.repository)
    )
    found = json.loads(content or b"{}")
    files = {
        visible_state.masked(path, scene): digest
        for path, digest in found["files"].items()
        if scene.name in path
    }
    return {"commit": visible_state.masked(found["commit"], scene), "files": files}


def test_the_changes_that_are_cut_are_all_that_a_merge_makes(stories: StoryRunner) -> None:
    told = stories.of(merged)

    assert changes(told.scene.bot.interrupter.passes) == list(CHANGES)
    assert set(told.seen["workspace"]) == {
        f"{HOOKS}/(name)_{which}" for which in ("stays", "changes", "comes")
    }
    assert told.seen["manifest"]["commit"] == "(commit 2)"
    assert len(told.seen["jobs"]) == 1
    assert told.scene.bot.errors == []


@pytest.mark.parametrize(
    ("story", "side", "cut"),
    [pytest.param(merged, *place.values, id=place.id) for place in cut_points(CHANGES)],
)
def test_a_merge_ends_the_same_wherever_a_pass_is_cut_off(
    stories: StoryRunner, story: Story, side: Side, cut: str
) -> None:
    whole, told = stories.of(story), stories.of(story, side, cut)

    assert told.seen == whole.seen
    assert told.scene.bot.errors == []
    assert told.scene.bot.deaths == 1
