"""Retrainings: one run, one version, one answer."""

from typing import Any

from bot.subjects import Retraining
from tests.controllers import visible_state
from tests.controllers.cut_points import StoryKind
from tests.controllers.scene import QUICK, Scene
from tests.controllers.story_runner import in_turn


@in_turn
def retrained(scene: Scene) -> dict[str, Any]:
    scene.bot.interrupter.pause()
    scene.open({"README.md": scene.name})
    config = scene.world.azure.read("config/mlops.yml").decode()
    assert "model: quick_wine" in config
    own = config.replace("model: quick_wine", f"model: {scene.name}_wine")
    scene.push({"config/mlops.yml": own, f"{QUICK}/note.md": scene.name}, "main")
    thread = scene.world.azure.comment(scene.number, "/mlops retrain quick")
    scene.bot.interrupter.count_from_here()

    scene.bot.hear(Retraining(scene.bot.repository, scene.number, thread, 1, "quick"))
    scene.bot.finish()

    scene.push({"config/mlops.yml": config}, "main")
    (said,) = (
        one["comments"] for one in scene.world.azure.threads(scene.number) if one["id"] == thread
    )
    return {
        "answers": [visible_state.masked(str(one["content"]), scene) for one in said],
        "cluster runs": [run["state"].get("result_state") for run in scene.cluster_runs()],
        "MLflow runs": [run["info"]["status"] for run in of_the_command(scene, thread)],
        "versions": scene.versions(f"{scene.name}_wine"),
    }


def of_the_command(scene: Scene, thread: int) -> list[dict[str, Any]]:
    call = scene.world.mlflow.call
    wanted = {"filter": "tags.`signalman.kind` = 'retraining'"}
    every = call("POST", "/api/2.0/mlflow/experiments/search", {"max_results": 100, **wanted}).get(
        "experiments", []
    )
    asked = {"experiment_ids": [one["experiment_id"] for one in every], **wanted}
    return [
        run
        for run in call("POST", "/api/2.0/mlflow/runs/search", asked).get("runs", [])
        for tag in run["data"]["tags"]
        if tag["key"] == "signalman.command" and f"/{scene.number}/{thread}/1/" in tag["value"]
    ]


RETRAININGS = StoryKind(
    "retraining",
    {retrained: ("make_experiment 1, start 1, write 1, submit 1, tag 1", "answer 1, end 1, tag 2")},
)
