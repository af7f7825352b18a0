"""What must be seen in production: the workspace holds what main holds, one job, pointed at the
version that serves.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sandbox.chaos import repository_content as content
from sandbox.chaos import verdicts
from sandbox.chaos.findings import Finding
from sandbox.world import World


@dataclass(frozen=True)
class Serving:
    """The version that the scoring job has to load, and the run that registered it."""

    name: str
    version: str
    run: str


def findings(world: World) -> list[Finding]:
    """All that is wrong in the workspace, with the job, and with what is told of promotions."""
    return [*_workspace(world), *_job(world)]


def wanted_objects(world: World) -> dict[str, bytes]:
    """Path and content of every object that main says the workspace holds."""
    git, found = world.azure.world.git, {}
    tip = world.azure.tip(content.TARGET)
    for folder, place in content.FOLDERS.items():
        for entry in git.tree(tip, folder, recursive=True):
            if entry.kind != "blob":
                continue
            text = git.blob(entry.object_id) or b""
            path = f"{place}/{entry.path.removeprefix(folder + '/')}"
            notebook = path.endswith(".py") and text.startswith(b"# Databricks notebook source")
            found[path.removesuffix(".py") if notebook else path] = text
    return found


def serving(world: World) -> Serving | None:
    """The version that serves: one with the alias before one in the stage, then the one changed
    last.
    """
    found: list[tuple[tuple[bool, int, str, int], Serving]] = []
    for model in _models(world):
        by_alias = {one["alias"]: str(one["version"]) for one in model.get("aliases", ())}.get(
            content.ALIAS
        )
        staged = [
            one for one in model.get("latest_versions", ()) if one["current_stage"] == content.STAGE
        ]
        if by_alias:
            path = f"model-versions/get?name={quote(model['name'])}&version={by_alias}"
            one = world.mlflow.call("GET", f"/api/2.0/mlflow/{path}")["model_version"]
        elif staged:
            one = max(staged, key=lambda version: int(version["version"]))
        else:
            continue
        changed = int(one.get("last_updated_timestamp") or one["creation_timestamp"])
        rank = (bool(by_alias), changed, one["name"], int(one["version"]))
        found.append((rank, Serving(one["name"], str(one["version"]), one.get("run_id", ""))))
    return max(found, key=lambda one: one[0])[1] if found else None


def _workspace(world: World) -> list[Finding]:
    wanted = wanted_objects(world)
    there: dict[str, bytes] = {}
    for place in content.FOLDERS.values():
        there |= world.databricks.tree(place)
    missing = sorted(wanted.keys() - there.keys())
    stray = sorted(there.keys() - wanted.keys())
    old = sorted(
        path for path in wanted.keys() & there.keys() if wanted[path].strip() != there[path].strip()
    )
    return [
        *(Finding("lost", f"{path} is on main and not in the workspace.") for path in missing),
        *(Finding("lost", f"{path} in the workspace is not what main holds.") for path in old),
        *(Finding("wrong", f"{path} is in the workspace and not on main.") for path in stray),
    ]


def _job(world: World) -> list[Finding]:
    jobs = [job for job in world.databricks.jobs() if job["settings"]["name"] == content.JOB]
    if not jobs:
        return [Finding("lost", f"There is no job {content.JOB}.")]
    if len(jobs) > 1:
        return [Finding("doubled", f"There are {len(jobs)} jobs {content.JOB}.")]
    right = serving(world)
    if right is None:
        return []
    settings = jobs[0]["settings"]
    parameters = {one["name"]: one["default"] for one in settings.get("parameters", ())}
    tags = settings.get("tags") or {}
    loads = (parameters.get("model_name"), parameters.get("model_version"))
    signed = (tags.get("signalman_model"), tags.get("signalman_version"))
    if loads != (right.name, right.version) or signed != loads:
        told = (
            f"The job scores with {loads} and is tagged {signed}; what serves is {right.name} "
            f"v{right.version}."
        )
        return [Finding("lost", told)]
    return _told(world, right)


def _told(world: World, live: Serving) -> list[Finding]:
    run = world.mlflow.call("GET", f"/api/2.0/mlflow/runs/get?run_id={live.run}")["run"]
    tags = {one["key"]: one["value"] for one in run["data"].get("tags", ())}
    number = int(tags["signalman.pull_request"])
    said = [text for thread in verdicts.comments(world.azure, number) for text in thread]
    if not any(live.name in text and f"**v{live.version}**" in text for text in said):
        told = f"Pull request {number} was not told that {live.name} v{live.version} is live."
        return [Finding("lost", told)]
    return []


def _models(world: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    token = ""
    while True:
        path = (
            f"registered-models/search?max_results=500&filter=name%20LIKE%20'%25{content.MODELS}'"
        )
        path += f"&page_token={quote(token)}" if token else ""
        page = world.mlflow.call("GET", f"/api/2.0/mlflow/{path}")
        found += page.get("registered_models", [])
        token = page.get("next_page_token", "")
        if not token:
            return [model for model in found if model["name"].endswith(content.MODELS)]
