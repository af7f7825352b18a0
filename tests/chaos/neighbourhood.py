"""A world without the bot, and somebody who does in it what the bot would do, well or badly."""

import base64
import itertools
import json
from dataclasses import dataclass
from typing import Any

import requests

from sandbox.chaos.changes import Change
from sandbox.world import ORGANIZATION, PROJECT, REPOSITORY, World

NAP = "# Databricks notebook source\nimport time\ntime.sleep({})\n"
_NUMBERS = itertools.count(1)


@dataclass
class Neighbourhood:
    """The world, asked over REST with the bot's own tokens."""

    world: World

    def opened(self, *, verdict: str = "succeeded") -> Change:
        """A pull request of which everything is still to be said; `verdict` is what must be said in
        the end.
        """
        name = f"story{next(_NUMBERS)}"
        modes = {
            "succeeded": {"projects/quick": "fine"},
            "failed": {"projects/quick": "raises"},
        }.get(verdict, {})
        commit = self.world.azure.push(name, {f"{name}.md": name}, name)
        change = Change(self.world.azure.open_pull_request(name, title=name), name, modes=modes)
        change.pushed.append((commit, change.verdict))
        return change

    def answered(self, change: Change) -> None:
        """All that a pull request is owed, rightly."""
        sign = "✅" if change.verdict == "succeeded" else "❌"
        self.say_status(change, "pending")
        self.open_thread(change, f"### {sign} ML validation — `{change.pushed[-1][0][:7]}`")
        self.say_status(change, change.verdict)

    def say_status(self, change: Change, state: str, iteration: int = 0) -> None:
        """Post a status on an iteration, the newest unless it is said."""
        context = {"genre": "signalman", "name": "validate"}
        body = {
            "state": state,
            "description": state,
            "context": context,
            "iterationId": iteration or len(change.pushed),
        }
        self._azure(f"pullRequests/{change.number}/statuses", body)

    def open_thread(self, change: Change, text: str) -> int:
        """Open a thread that carries the bot's mark; gives its id."""
        mark = {"signalman.thread": {"$type": "System.String", "$value": "report"}}
        comment = {"parentCommentId": 0, "content": text, "commentType": "text"}
        return int(
            self._azure(
                f"pullRequests/{change.number}/threads", {"comments": [comment], "properties": mark}
            )["id"]
        )

    def reply(self, change: Change, text: str) -> None:
        """Add a comment to the first thread that carries the mark."""
        threads = self.world.azure.threads(change.number)
        thread = next(
            one["id"] for one in threads if "signalman.thread" in (one["properties"] or {})
        )
        body = {"content": text, "parentCommentId": 1, "commentType": "text"}
        self._azure(f"pullRequests/{change.number}/threads/{thread}/comments", body)

    def on_a_cluster(self, change: Change, seconds: float = 0.0, *, wait: bool = True) -> int:
        """Run something for a change as the bot names its runs; gives the run's id."""
        path = f"/Shared/nap_{next(_NUMBERS)}"
        code = base64.b64encode(NAP.format(seconds).encode()).decode()
        self._databricks(
            "/api/2.0/workspace/import",
            {"path": path, "content": code, "format": "SOURCE", "language": "PYTHON"},
        )
        task = {
            "task_key": "project",
            "notebook_task": {"notebook_path": path},
            "new_cluster": {
                "spark_version": "17.3.x-cpu-ml-scala2.13",
                "node_type_id": "x",
                "num_workers": 0,
            },
        }
        place = f"{ORGANIZATION}/{PROJECT}/{REPOSITORY}"
        name = f"signalman {place} !{change.number} quick {change.pushed[-1][0][:7]}"
        run = int(
            self._databricks("/api/2.2/jobs/runs/submit", {"run_name": name, "tasks": [task]})[
                "run_id"
            ]
        )
        if wait:
            self.world.databricks.wait(run)
        return run

    def in_mlflow(
        self, change: Change, status: str, *, token: str = "", cluster_run: int = 0
    ) -> None:
        """A run of the bot's for a change, in that status."""
        tags = {
            "signalman.token": token or f"token {next(_NUMBERS)}",
            "signalman.pull_request": str(change.number),
            **({"signalman.cluster_run": str(cluster_run)} if cluster_run else {}),
        }
        body = {
            "experiment_id": "0",
            "tags": [{"key": key, "value": value} for key, value in tags.items()],
        }
        run = self.world.mlflow.call("POST", "/api/2.0/mlflow/runs/create", body)["run"]["info"][
            "run_id"
        ]
        self.world.mlflow.call(
            "POST", "/api/2.0/mlflow/runs/update", {"run_id": run, "status": status}
        )

    def served(self, change: Change, version_of: str) -> None:
        """The first version of a model, made by a run for a change, with the alias that lets it
        serve.
        """
        call = self.world.mlflow.call
        tags = [{"key": "signalman.pull_request", "value": str(change.number)}]
        run = call("POST", "/api/2.0/mlflow/runs/create", {"experiment_id": "0", "tags": tags})[
            "run"
        ]["info"]
        call("POST", "/api/2.0/mlflow/registered-models/create", {"name": version_of})
        body = {"name": version_of, "source": run["artifact_uri"], "run_id": run["run_id"]}
        call("POST", "/api/2.0/mlflow/model-versions/create", body)
        self.champion("POST", version_of)

    def champion(self, method: str, model: str) -> None:
        """Give a model's version 1 the alias (POST), or take it away (DELETE)."""
        body = {"name": model, "alias": "champion"} | ({"version": "1"} if method == "POST" else {})
        self.world.mlflow.call(method, "/api/2.0/mlflow/registered-models/alias", body)

    def job(self, model: str) -> int:
        """A scoring job that loads version 1 of a model, and says so; gives its id."""
        parameters = [
            {"name": "model_name", "default": model},
            {"name": "model_version", "default": "1"},
        ]
        tags = {"signalman_model": model, "signalman_version": "1"}
        task = {
            "task_key": "score",
            "notebook_task": {"notebook_path": "/Shared/mlflow_hooks/score"},
        }
        body = {"name": "nightly", "tasks": [task], "parameters": parameters, "tags": tags}
        return int(self._databricks("/api/2.2/jobs/create", body)["job_id"])

    def no_job(self, job: int) -> None:
        """Remove it."""
        self._databricks("/api/2.2/jobs/delete", {"job_id": job})

    def put(self, path: str, content: bytes) -> None:
        """Write a file or notebook into the workspace."""
        code = base64.b64encode(content).decode()
        self._databricks("/api/2.0/workspace/mkdirs", {"path": path.rpartition("/")[0]})
        notebook = content.startswith(b"# Databricks notebook source")
        name = f"{path}.py" if notebook else path
        self._databricks(
            "/api/2.0/workspace/import",
            {"path": name, "content": code, "format": "AUTO", "overwrite": True},
        )

    def _azure(self, path: str, body: object) -> dict[str, Any]:
        url = f"{self.world.azure.organization_url}/{PROJECT}/_apis/git/repositories/{REPOSITORY}/{path}"  # noqa: E501 a table, or a text as it is sent
        return _answer(
            requests.post(
                f"{url}?api-version=7.1", json=body, auth=("", self.world.keys.azure), timeout=30
            )
        )

    def _databricks(self, path: str, body: object) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.world.keys.databricks}"}
        return _answer(
            requests.post(
                f"{self.world.databricks.url}{path}", json=body, headers=headers, timeout=30
            )
        )


def _answer(response: requests.Response) -> dict[str, Any]:
    assert response.ok, response.text
    return dict(json.loads(response.text or "{}"))
