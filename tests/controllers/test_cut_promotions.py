"""Promotions whose passes are cut off, wherever one may be: the same job, and each pull request told once."""

from typing import Any

import pytest

from tests.controllers import people_see
from tests.controllers.cuts import changes, everywhere
from tests.controllers.knife import Side
from tests.controllers.scene import Scene
from tests.controllers.tellings import Story, Tellings, in_turn

CHANGES = ("update_job 1, reply 1, update_job 2",)


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


def begun(scene: Scene) -> str:
    """A pull request whose model nobody promoted yet, and the job that would score with it; gives the model's name."""
    scene.bot.knife.rest()
    scene.open({"README.md": scene.name})
    scene.bot.neighbours.repositories[scene.bot.repository].azure.open_thread(scene.number, "Passed.", "closed")
    scene.push({"config/mlops.yml": scene.with_a_job_of_its_own()}, "main")
    scene.bot.hear_of_branch()
    scene.bot.finish()
    scene.registered()
    return f"{scene.name}_model"


def champion(scene: Scene, version: int) -> None:
    body = {"name": f"{scene.name}_model", "alias": "champion", "version": str(version)}
    scene.world.mlflow.call("POST", "/api/2.0/mlflow/registered-models/alias", body)


def ended(scene: Scene) -> dict[str, Any]:
    scene.bot.knife.cut_from_here()
    scene.bot.hear_of_model(f"{scene.name}_model")
    scene.bot.finish()
    return {"jobs": people_see.jobs(scene), "threads": people_see.threads(scene)}


STORIES: list[Story] = [by_stage, by_alias_to_another_version]
CASES = [
    pytest.param(story, *place.values, id=f"{story.__name__}, {place.id}")
    for story in STORIES
    for place in everywhere(CHANGES)
]


@pytest.mark.parametrize(("story", "version"), [(by_stage, "1"), (by_alias_to_another_version, "2")])
def test_the_changes_that_are_cut_are_all_that_a_promotion_makes(
    tellings: Tellings, story: Story, version: str
) -> None:
    told = tellings.of(story)
    (job,) = told.seen["jobs"]

    assert changes(told.scene.bot.knife.passes) == list(CHANGES)
    assert f"'default': '{version}', 'name': 'model_version'" in job["parameters"]
    assert f"'signalman_version': '{version}'" in job["tags"]
    assert f"**v{version}**" in told.seen["threads"][0][1][-1]
    assert told.scene.bot.errors == []


@pytest.mark.parametrize(("story", "side", "cut"), CASES)
def test_a_promotion_ends_the_same_wherever_a_pass_is_cut_off(
    tellings: Tellings, story: Story, side: Side, cut: str
) -> None:
    whole, told = tellings.of(story), tellings.of(story, side, cut)

    assert told.scene.bot.deaths == 1
    assert told.seen == whole.seen
    assert told.scene.bot.errors == []
