"""Promotions: a job that is pointed at the version or left, and a pull request that is told
once.
"""

import re
from typing import Any, Literal

from tests.controllers import visible_state
from tests.controllers.cut_points import StoryKind
from tests.controllers.scene import SCORING, Scene
from tests.controllers.story_runner import in_turn

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


PROMOTIONS = StoryKind(
    "promotion",
    {
        by_stage: (POINTED,),
        by_alias_to_another_version: (POINTED,),
        tried_first: (
            "make_experiment 1, start 1, write 1, submit 1, tag 1",
            f"end 1, tag 2, {POINTED}",
        ),
        refused: ("tag_version 1, reply 1, tag_version 2, tag_version 3",),
    },
)
