"""What people see at the end of a story, without what differs from one telling to the next.

What counts as doubled, said once, here: a second thread of the bot's; a second
reply of the same words, or of other words to the same end; a second final status
on an iteration (`pending` may be posted again: it is one status to every reader,
and decides nothing); a second run for a commit and project, at Databricks or in
MLflow; a second version of the model; a second job. All of these are listed below
one by one, not counted, so that one too many makes a difference.
"""

import re
from collections.abc import Mapping
from itertools import groupby
from typing import Any

from tests.controllers.scene import Scene

FINAL = ("succeeded", "failed", "error", "notApplicable")


def pull_request(scene: Scene) -> dict[str, Any]:
    """The newest iteration's statuses, the threads, and the runs for the newest commit."""
    newest = len(scene.commits)
    return {
        "statuses": statuses(scene, newest),
        "threads": threads(scene),
        "cluster runs": sorted(
            (run["run_name"].split()[3], run["state"].get("result_state", "none yet"))
            for run in scene.cluster_runs()
            if scene.commits[-1][:7] in run["run_name"]
        ),
        "MLflow runs": sorted(
            (_tags(run)["signalman.project"], run["info"]["status"])
            for run in scene.mlflow_runs()
            if _tags(run)["signalman.iteration"] == str(newest)
        ),
        "versions": scene.versions(f"{scene.name}_model"),
    }


def unfinished(scene: Scene, iteration: int) -> list[str]:
    """Sentences about what is wrong with an iteration that nobody waited for: it may have begun,
    and must be over.
    """
    commit = scene.commits[iteration - 1][:7]
    wrong = [f"status {state}" for state in statuses(scene, iteration) if state[0] in FINAL]
    names = [run["run_name"] for run in scene.cluster_runs() if commit in run["run_name"]]
    wrong += [
        f"{name} was run {names.count(name)} times" for name in set(names) if names.count(name) > 1
    ]
    wrong += [
        f"{run['run_name']} is {run['state']}"
        for run in scene.cluster_runs()
        if commit in run["run_name"] and run["state"].get("result_state") != "CANCELED"
    ]
    wrong += [
        f"the MLflow run is {run['info']['status']}"
        for run in scene.mlflow_runs()
        if _tags(run)["signalman.iteration"] == str(iteration) and run["info"]["status"] != "KILLED"
    ]
    tokens = [_tags(run)["signalman.token"] for run in scene.mlflow_runs()]
    wrong += [
        f"{token} has more than one MLflow run" for token in set(tokens) if tokens.count(token) > 1
    ]
    return wrong


def statuses(scene: Scene, iteration: int) -> list[tuple[str, str]]:
    """State and words of each status of the bot's on an iteration, `pending` once however often it
    was posted.
    """
    found = [
        (one["state"], masked(one["description"], scene))
        for one in sorted(scene.world.azure.statuses(scene.number), key=lambda one: int(one["id"]))
        if one["context"] == {"genre": "signalman", "name": "validate"}
        and one["iterationId"] == iteration
    ]
    return [
        status
        for status, same in groupby(found)
        for _ in range(1 if status[0] == "pending" else len(list(same)))
    ]


def threads(scene: Scene) -> list[tuple[str, list[str]]]:
    """Status and comments of each thread of the bot's."""
    return [
        (
            str(thread.get("status")),
            [masked(str(one.get("content")), scene) for one in thread["comments"]],
        )
        for thread in scene.world.azure.threads(scene.number)
        if "signalman.thread" in (thread.get("properties") or {})
    ]


def records(scene: Scene) -> list[tuple[str, str, list[tuple[str, float]]]]:
    """What is recorded of a merge: whether it is whole, how it ended, and its metrics."""
    call = scene.world.mlflow.call
    name = "/Shared/signalman/main_expr"
    there = call("GET", f"/api/2.0/mlflow/experiments/get-by-name?experiment_name={name}")[
        "experiment"
    ]
    wanted = {
        "experiment_ids": [there["experiment_id"]],
        "filter": f"tags.`signalman.pull_request` = '{scene.number}'",
    }
    return [
        (
            _tags(run).get("signalman.kind", ""),
            run["info"]["status"],
            sorted((one["key"], one["value"]) for one in run["data"].get("metrics", ())),
        )
        for run in call("POST", "/api/2.0/mlflow/runs/search", wanted).get("runs", [])
    ]


def workspace(scene: Scene, below: str) -> Mapping[str, bytes]:
    """What lies below a folder whose name begins like the story's."""
    found = scene.world.databricks.tree(below)
    return {masked(path, scene): content for path, content in found.items() if scene.name in path}


def jobs(scene: Scene) -> list[dict[str, Any]]:
    """The jobs that the story made: name, tasks, parameters, tags."""
    return [
        {
            key: masked(repr(job["settings"].get(key)), scene)
            for key in ("name", "tasks", "parameters", "tags")
        }
        for job in scene.world.databricks.jobs()
        if scene.name in job["settings"]["name"]
    ]


def masked(text: str, scene: Scene) -> str:
    """A text without the names, ids and times that no two tellings share."""
    for number, commit in enumerate(scene.commits, start=1):
        text = text.replace(commit, f"(commit {number})").replace(commit[:7], f"(commit {number})")
    text = re.sub(r"\b[0-9a-f]{40}\b", "(another commit)", text.replace(scene.name, "(name)"))
    text = re.sub(rf"\bpull request {scene.number}\b", "pull request (number)", text)
    text = text.replace(
        f"'signalman_pull_request': '{scene.number}'", "'signalman_pull_request': '(number)'"
    )
    text = re.sub(r"next run \d{4}-\d\d-\d\d \d\d:\d\d \w+", "next run (moment)", text)
    text = re.sub(r"\(http\S*\)", "(address)", text)
    text = re.sub(r"/runs/\d+/project-\w+/", "/(folder of the run)/", text)
    return re.sub(r"\b\d+(\.\d+)? (ms|s)\b", "(time)", _alone(text))


def _alone(text: str) -> str:
    """A text without the target branch, which other stories merge to meanwhile: what it measured,
    what a merge does.
    """
    text = re.sub(r"⚠️ \*\*On merge:.*", "", text)
    text = re.sub(r"<details><summary>On merge.*?</details>", "", text, flags=re.DOTALL)
    text = re.sub(r" \([^()]* vs \w+\)", "", text)
    text = re.sub(r"\*\*(As good as|Better than|Worse than)[^*]*\*\*[^.]*\. ?", "", text)
    rows = r"\| (Project|Metric|`rmse`|`\w+` \| `\w+` [↓↑]) "
    ours = re.compile(rf"!\[|{rows}|\|---\|(---\|)?---:\|(---:\|)*(:-:\|)?$")
    return re.sub(
        r"\n{2,}", "\n", "\n".join(line for line in text.splitlines() if not ours.match(line))
    )


def _tags(run: Mapping[str, Any]) -> dict[str, str]:
    return {one["key"]: one["value"] for one in run["data"].get("tags", ())}
