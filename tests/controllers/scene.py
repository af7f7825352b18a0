"""Where a story takes place: a killable bot, a branch of its own, and projects that wait for a sign
to end.
"""

import json
import re
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.world import World
from tests.bot_in_process import CONTENT
from tests.controllers.killable_bot import KillableBot

CONFIG = CONTENT / "config/mlops.yml"

QUICK, SCORING = "projects/quick", "projects/quick_scoring"
NOTEBOOK = "# Databricks notebook source\nprint({!r})\n"
PATIENT = """
import pathlib
while not pathlib.Path({gate!r}).exists():
    time.sleep(0.005)
"""


@dataclass
class Scene:
    """One telling of a story; `name` is in the names of all that it makes."""

    bot: KillableBot
    name: str
    number: int = 0
    commits: list[str] = field(default_factory=list)

    @property
    def world(self) -> World:
        """The neighbours."""
        return self.bot.world

    def trains(self, mode: str) -> dict[str, str]:
        """A change to the training: it behaves in that way, once the gate is open."""
        return {
            f"{QUICK}/train.py": self._patient(
                f"{QUICK}/train.py", "mode = given.mode", f'mode = "{mode}"'
            )
        }

    def scores(self) -> dict[str, str]:
        """A change to the scoring: it waits for the gate."""
        return {
            f"{SCORING}/score.py": self._patient(
                f"{SCORING}/score.py", "import mlflow_rest", "import time"
            )
        }

    def _patient(self, path: str, line: str, instead: str) -> str:
        text = (CONTENT / path).read_text()  # not as it is on main by now
        more = "import mlflow_rest" if line.startswith("import") else ""
        return text.replace(
            line,
            f"{instead}\n{more}{PATIENT.format(gate=str(self._gate(path, len(self.commits))))}",
        )

    def _gate(self, path: str, commit: int) -> Path:
        return self.bot.folder / f"{path.replace('/', '_')} {commit}"

    def push(self, changes: dict[str, Any], branch: str = "") -> None:
        """Push to the story's branch."""
        self.commits.append(
            self.world.azure.push(branch or self.name, changes, f"Change {self.name}")
        )

    def open(self, changes: dict[str, Any], branch: str = "") -> None:
        """Push, and open a pull request."""
        self.push(changes, branch)
        self.number = self.world.azure.open_pull_request(
            branch or self.name, title=f"Change {self.name}"
        )

    def with_a_job_of_its_own(self) -> str:
        """The configuration with one job, which no other story has and which follows this story's
        model.
        """
        projects, jobs = CONFIG.read_text().split("jobs:")
        jobs = re.sub(r"- name: nightly\w*", f"- name: nightly_{self.name}", jobs)
        # Two jobs that differ by name only are one that was renamed.
        second, minute = divmod(zlib.crc32(self.name.encode()) % 3600, 60)
        jobs = re.sub(r'cron: "0 0 ', f'cron: "{second} {minute} ', jobs)
        jobs = re.sub(r"    model: .*", f'    model: "{self.name}_model"', jobs)
        return f"{projects}jobs:{jobs}"

    def without_jobs(self) -> str:
        """The configuration with no job at all."""
        return f"{CONFIG.read_text().split('jobs:')[0]}jobs: []\n"

    def registered(self) -> None:
        """A run of the pull request's newest commit has registered a version of the story's
        model.
        """
        call = self.world.mlflow.call
        tags = {
            "signalman.repository": self.bot.repository,
            "signalman.pull_request": str(self.number),
            "signalman.iteration": "1",
            "signalman.commit": self.commits[0],
        }
        body = {
            "experiment_id": "0",
            "tags": [{"key": key, "value": value} for key, value in tags.items()],
        }
        run = call("POST", "/api/2.0/mlflow/runs/create", body)["run"]["info"]
        model = f"{self.name}_model"
        if not self.versions(model):
            call("POST", "/api/2.0/mlflow/registered-models/create", {"name": model})
        version = {"name": model, "source": run["artifact_uri"], "run_id": run["run_id"]}
        call("POST", "/api/2.0/mlflow/model-versions/create", version)
        Path(run["artifact_uri"]).mkdir(parents=True, exist_ok=True)
        signature = {"inputs": json.dumps([{"name": "acidity", "type": "double"}])}
        Path(run["artifact_uri"], "MLmodel").write_text(json.dumps({"signature": signature}))

    def told_on(self, model: str) -> list[dict[str, str]]:
        """What the versions of a model carry, the oldest version first."""
        path = f"/api/2.0/mlflow/model-versions/search?filter=name%3D'{model}'"
        found = self.world.mlflow.call("GET", path).get("model_versions", ())
        return [
            {one["key"]: one["value"] for one in version.get("tags", ())}
            for version in sorted(found, key=lambda version: int(version["version"]))
        ]

    def leave(self) -> None:
        """Close the pull request: each push to main would have the stand-in merge it on trial,
        story after story.
        """
        if self.number and self.world.azure.pull_request(self.number)["status"] == "active":
            self.world.azure.abandon(self.number)

    def let_end(self, project: str) -> None:
        """Open the gate of a project that runs for the newest commit, and wait until its run is
        over.
        """
        for gate in self._gates_of(project):
            gate.touch()
        for run in self.cluster_runs():
            if run["run_name"].split()[3:] == [project.split("/")[-1], self.commits[-1][:7]]:
                self.world.databricks.wait(run["run_id"])

    def hold(self, project: str) -> None:
        """Close that gate again: what is run for the newest commit from now on waits for it once
        more.
        """
        for gate in self._gates_of(project):
            gate.unlink()

    def _gates_of(self, project: str) -> list[Path]:
        newest = len(self.commits) - 1
        return [self._gate(f"{project}/{file}", newest) for file in ("train.py", "score.py")]

    def cluster_runs(self) -> list[dict[str, Any]]:
        """The runs on Databricks that were made for the pull request's commits."""
        found = self.world.databricks.runs()
        return [
            run for run in found if any(commit[:7] in run["run_name"] for commit in self.commits)
        ]

    def mlflow_runs(self) -> list[dict[str, Any]]:
        """The MLflow runs that carry the pull request's number."""
        call = self.world.mlflow.call
        found = call(
            "POST",
            "/api/2.0/mlflow/experiments/search",
            {"max_results": 100, "filter": f"name LIKE '%{self.name}%'"},
        ).get("experiments", [])
        wanted = {
            "experiment_ids": [one["experiment_id"] for one in found],
            "filter": f"tags.`signalman.pull_request` = '{self.number}'",
        }
        if not found:
            return []
        runs: list[dict[str, Any]] = call("POST", "/api/2.0/mlflow/runs/search", wanted).get(
            "runs", []
        )
        return runs

    def versions(self, model: str) -> int:
        """How many versions a model has."""
        path = f"/api/2.0/mlflow/model-versions/search?filter=name%3D'{model}'"
        return len(self.world.mlflow.call("GET", path).get("model_versions", ()))
