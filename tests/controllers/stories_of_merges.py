"""Merges: a workspace that is brought to the merged commit, one job, one reply."""

import json
from typing import Any

from bot.controllers.branch import manifest as manifest_file
from tests.controllers import visible_state
from tests.controllers.cut_points import StoryKind
from tests.controllers.scene import NOTEBOOK, Scene
from tests.controllers.story_runner import in_turn

HOOKS = "/Shared/mlflow_hooks"


@in_turn
def brought_to_the_workspace(scene: Scene) -> dict[str, Any]:
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


MERGES = StoryKind(
    "merge",
    {
        brought_to_the_workspace: (
            "write 1, write 2, write 3, create_job 1, remove 1, open_thread 1, write 4",
        )
    },
)
