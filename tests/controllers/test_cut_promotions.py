"""Promotions whose passes are cut off, wherever one may be: the same job, and each pull request
told once.
"""

import re
from typing import Any, Literal

import pytest

from tests.controllers import visible_state
from tests.controllers.call_interrupter import Side
from tests.controllers.cut_points import changes, cut_points
from tests.controllers.scene import SCORING, Scene
from tests.controllers.story_runner import Story, StoryRunner, in_turn

POINTED = "update_job 1, reply 1, tag_version 1, tag_version 2, update_job 2"


@in_turn
def by_stage(scene: Scene) -> dict[str, Any]:
    model = begun(scene)
    scene.world.databricks.transition(model, 1, "Production")
    return ended(scene)


@in_turn
def by_alias_to_another_version(scene: Scene) -> dict[str, Any]:
    model = begun(scene)
    champion(scene, 1)
    scene.bot.hear_of_model(model)
    scene.bot.finish()
    scene.registered()
    champion(scene, 2)
    return ended(scene)


@in_turn
def tried_first(scene: Scene) -> dict[str, Any]:
    model = begun(scene, smoke=True)
    scene.world.databricks.transition(model, 1, "Production")
    return ended(scene)


@in_turn
def refused(scene: Scene) -> dict[str, Any]:
    model = begun(scene, verdict="failed")
    scene.world.databricks.transition(model, 1, "Production")
    return ended(scene)


CHANGES = {
    by_stage: (POINTED,),
    by_alias_to_another_version: (POINTED,),
    tried_first: (
        "make_experiment 1, start 1, write 1, submit 1, tag 1",
        f"end 1, tag 2, {POINTED}",
    ),
    refused: ("tag_version 1, reply 1, tag_version 2, tag_version 3",),
}


def begun(
    scene: Scene, verdict: Literal["succeeded", "failed"] = "succeeded", *, smoke: bool = False
) -> str:
    """A pull request whose model nobody promoted yet, and the job that would score with it; gives
    the model's name.
    """
    scene.bot.interrupter.pause()
    scene.open({"README.md": scene.name})
    azure = scene.bot.services.repositories[scene.bot.repository].azure
    azure.open_thread(scene.number, "Passed.", "closed")
    azure.set_status(scene.number, 1, verdict, "judged", "")
    config = scene.with_a_job_of_its_own()
    assert "smoke: false" in config
    own = config.replace("smoke: false", "smoke: true") if smoke else config
    scene.push({"config/mlops.yml": own, f"{SCORING}/note.md": scene.name}, "main")
    scene.bot.hear_of_branch()
    scene.bot.finish()
    scene.registered()
    return f"{scene.name}_model"


def champion(scene: Scene, version: int) -> None:
    body = {"name": f"{scene.name}_model", "alias": "champion", "version": str(version)}
    scene.world.mlflow.call("POST", "/api/2.0/mlflow/registered-models/alias", body)


def ended(scene: Scene) -> dict[str, Any]:
    model = f"{scene.name}_model"
    scene.bot.interrupter.count_from_here()
    scene.bot.hear_of_model(model)
    scene.bot.finish()
    told = [
        {
            key: re.sub(r":[0-9a-f]{12}", ":(digest)", visible_state.masked(tag, scene))
            for key, tag in tags.items()
        }
        for tags in scene.told_on(model)
    ]
    tried = [run["info"]["status"] for run in smoke_runs(scene)]
    shared = (
        scene.world.azure.read("config/mlops.yml").decode().replace("smoke: true", "smoke: false")
    )
    scene.push({"config/mlops.yml": shared, f"{SCORING}/note.md": f"{scene.name} is over"}, "main")
    return {
        "jobs": visible_state.jobs(scene),
        "threads": visible_state.threads(scene),
        "versions": told,
        "tried": tried,
    }


def smoke_runs(scene: Scene) -> list[dict[str, Any]]:
    """What the model was tried with."""
    call = scene.world.mlflow.call
    wanted = {"filter": "name = '/Shared/signalman/smoke'", "max_results": 10}
    there = call("POST", "/api/2.0/mlflow/experiments/search", wanted).get("experiments", [])
    asked = {
        "experiment_ids": [one["experiment_id"] for one in there],
        "filter": f"tags.`signalman.model` = '{scene.name}_model'",
    }
    found: list[dict[str, Any]] = (
        call("POST", "/api/2.0/mlflow/runs/search", asked).get("runs", []) if there else []
    )
    return found


STORIES: list[Story] = list(CHANGES)
CASES = [
    pytest.param(story, *place.values, id=f"{story.__name__}, {place.id}")
    for story in STORIES
    for place in cut_points(CHANGES[story])
]


@pytest.mark.parametrize("story", STORIES)
def test_the_changes_that_are_cut_are_all_that_a_promotion_makes(
    stories: StoryRunner, story: Story
) -> None:
    told = stories.of(story)

    assert changes(told.scene.bot.interrupter.passes) == list(CHANGES[story])
    assert told.scene.bot.errors == []


@pytest.mark.parametrize(
    ("story", "version"), [(by_stage, "1"), (by_alias_to_another_version, "2"), (tried_first, "1")]
)
def test_a_promotion_ends_in_a_job_that_is_pointed_and_told_of(
    stories: StoryRunner, story: Story, version: str
) -> None:
    told = stories.of(story)
    (job,) = told.seen["jobs"]

    assert f"'name': 'model_version', 'default': '{version}'" in job["parameters"]
    assert f"'signalman_version': '{version}'" in job["tags"]
    assert f"**v{version}**" in told.seen["threads"][0][1][-1]
    assert "scores with this version" in told.seen["versions"][int(version) - 1]["signalman"]
    assert told.seen["tried"] == (["FINISHED"] if story is tried_first else [])


def test_a_refused_one_leaves_the_job_and_is_told_of(stories: StoryRunner) -> None:
    told = stories.of(refused)
    (job,) = told.seen["jobs"]

    assert "'name': 'model_version', 'default': ''" in job["parameters"]
    assert [comment.startswith("🛑") for comment in told.seen["threads"][0][1]] == [False, True]
    assert "does not score with this version" in told.seen["versions"][0]["signalman"]


@pytest.mark.parametrize(("story", "side", "cut"), CASES)
def test_a_promotion_ends_the_same_wherever_a_pass_is_cut_off(
    stories: StoryRunner, story: Story, side: Side, cut: str
) -> None:
    whole, told = stories.of(story), stories.of(story, side, cut)

    assert told.seen == whole.seen
    assert told.scene.bot.errors == []
    assert told.scene.bot.deaths == 1
