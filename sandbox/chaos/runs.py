"""What must be seen of runs, at Databricks and in MLflow: none twice, none left running, each ended
as it did.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.chaos.changes import Change
from sandbox.chaos.findings import Finding
from sandbox.world import World

_NAME = re.compile(r"signalman \S+ !(\d+) \S+ [0-9a-f]{7}")
_OVER = ("TERMINATED", "SKIPPED", "INTERNAL_ERROR")
_ENDS = {"SUCCESS": "FINISHED", "CANCELED": "KILLED"}
LOST_CLUSTER = "CLOUD_FAILURE"


@dataclass(frozen=True)
class MlflowRun:
    """A run of the bot's as the tracking server shows it."""

    id: str
    status: str
    tags: dict[str, str]


def findings(world: World, changes: Sequence[Change]) -> list[Finding]:
    """All that is wrong with the runs."""
    on_clusters = world.databricks.runs()
    return _on_clusters(on_clusters, changes) + _in_mlflow(mlflow_runs(world), on_clusters)


def mlflow_runs(world: World) -> list[MlflowRun]:
    """Every MLflow run that carries the bot's token."""
    experiments = _pages(world, "experiments/search", {"max_results": 1000}, "experiments")
    found: list[MlflowRun] = []
    for start in range(0, len(experiments), 100):
        wanted = [one["experiment_id"] for one in experiments[start : start + 100]]
        for run in _pages(
            world, "runs/search", {"experiment_ids": wanted, "max_results": 1000}, "runs"
        ):
            tags = {one["key"]: one["value"] for one in run["data"].get("tags", ())}
            if "signalman.token" in tags:
                found.append(MlflowRun(run["info"]["run_id"], run["info"]["status"], tags))
    return found


def _on_clusters(runs: Sequence[dict[str, Any]], changes: Sequence[Change]) -> list[Finding]:
    found: list[Finding] = []
    abandoned = {change.number: change.times_abandoned for change in changes}
    by_name: dict[str, list[str]] = {}
    for run in runs:
        state, name = run["state"], run["run_name"]
        if state["life_cycle_state"] not in _OVER:
            found.append(
                Finding(
                    "leaked",
                    f"Databricks run {run['run_id']} ({name}) is {state['life_cycle_state']}.",
                )
            )
        code = run["status"].get("termination_details", {}).get("code", "")
        if _NAME.fullmatch(name) and code != LOST_CLUSTER:
            by_name.setdefault(name, []).append(state.get("result_state", "running"))
    for name, ends in by_name.items():
        number = int(_NAME.fullmatch(name)[1])  # type: ignore[index]
        # Who abandons a pull request stops its run, and who takes that back asks for another.
        if len(ends) > 1 + abandoned.get(number, 0) or sum(end != "CANCELED" for end in ends) > 1:
            found.append(Finding("doubled", f"Databricks ran {name} {len(ends)} times: {ends}."))
    return found


def _in_mlflow(runs: Sequence[MlflowRun], on_clusters: Sequence[dict[str, Any]]) -> list[Finding]:
    found: list[Finding] = []
    results = {str(run["run_id"]): run["state"].get("result_state") for run in on_clusters}
    for run in runs:
        name = f"MLflow run {run.id} (pull request {run.tags.get('signalman.pull_request')})"
        cluster_run = run.tags.get("signalman.cluster_run", "")
        if run.status in ("RUNNING", "SCHEDULED"):
            found.append(
                Finding(
                    "leaked",
                    f"{name} is {run.status}; its Databricks run: {cluster_run or 'none'}.",
                )
            )
        elif cluster_run in results:
            result = results[cluster_run]
            right = _ENDS.get(str(result), "FAILED")
            if run.status != right:
                found.append(
                    Finding(
                        "wrong", f"{name} is {run.status}; its Databricks run ended with {result}."
                    )
                )
        elif run.status == "FINISHED":
            found.append(
                Finding("wrong", f"{name} is FINISHED, but no Databricks run is noted there.")
            )
    tokens = Counter(run.tags["signalman.token"] for run in runs)
    for token, times in tokens.items():
        if times > 1:
            same = [(run.id, run.status) for run in runs if run.tags["signalman.token"] == token]
            number = next(
                run.tags.get("signalman.pull_request")
                for run in runs
                if run.tags["signalman.token"] == token
            )
            found.append(
                Finding(
                    "doubled", f"Pull request {number}: one order has {times} MLflow runs: {same}."
                )
            )
    return found


def _pages(world: World, path: str, body: dict[str, Any], key: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        page = world.mlflow.call("POST", f"/api/2.0/mlflow/{path}", body)
        found += page.get(key, [])
        token = page.get("next_page_token")
        if not token:
            return found
        body = {**body, "page_token": token}
