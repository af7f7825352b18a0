"""How soon after a promotion its job is pointed, read back and told of; and how soon a rollback
takes that back.

Run by hand: `make bench-promotions`. Web and worker are real processes, and every call of theirs to
Azure DevOps and to Databricks, which is registry and tracking server too, takes 50 ms at least. A
promotion is measured from the moment a version is moved to its stage, to the moment the job is
signed, which comes after its pull request was told; a rollback of a model from the comment to its
answer, which comes after the job was read back; one of a merge from the comment to the moment the
workspace holds what it held before, and the pull request was told.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Event
from typing import Any

import click

from sandbox.bot_process import HERE, BotProcess
from sandbox.ports import free_port
from sandbox.world import World
from tests.bot_in_process import CONTENT

LATENCY = 0.05
PROMOTED, TAKEN_BACK = 2.0, 3.0
"""Seconds: the limits, of the 95th percentile of the one and of every one of the other."""

BRANCH = MODEL = "promoted_model"
JOB, MANAGER = "nightly", "Ben Okafor"
NOTEBOOK, FOLDER = "mlflow_hooks/benched.py", "/Shared/mlflow_hooks"
COLUMNS = [{"name": "acidity", "type": "double"}]


def main(times: int) -> int:
    """Promote so often, take back a fourth as often, print a line for each; returns how many limits
    were not kept.
    """
    with (
        tempfile.TemporaryDirectory(prefix="signalman-") as folder,
        World(Path(folder, "world"), CONTENT, latency=LATENCY) as world,
    ):
        bot = BotProcess(free_port(), Path(folder, "bot.log"))
        try:
            environment = world.environment(bot.url, Path(folder, "var"), mlflow="databricks")
            bot.start({**environment, "BOT_CONFIG": str(_with_a_release_manager(Path(folder)))})
            world.subscribe(bot.url)
            bench = _Bench(world)
            promoted = [bench.promote() for _ in range(times)]
            # A version that was taken back is not told of again: each rollback is of a new one.
            taken_back = [bench.take_back() for _ in range(max(1, times // 4))]
            undone = [bench.undo_a_merge(number) for number in range(max(1, times // 4))]
        finally:
            bot.stop()
    return sum(
        (
            _told("promotions to job and reply", promoted, PROMOTED),
            _told(
                "rollbacks of a model to job and answer", taken_back, TAKEN_BACK, all_of_them=True
            ),
            _told(
                "rollbacks of a merge to workspace and reply", undone, TAKEN_BACK, all_of_them=True
            ),
        )
    )


class _Bench:
    def __init__(self, world: World) -> None:
        self._world = world
        azure = world.azure
        azure.team("Release managers", MANAGER)
        self._commit = azure.push(BRANCH, {"projects/quick/note.md": "x"}, "Train")
        self._number = azure.open_pull_request(BRANCH, title="Train")
        _wait(lambda: self._validated() and self._job() is not None, 120)
        self._version = 0

    def promote(self) -> float:
        """Seconds until a new version is what the job scores with, and its pull request is told."""
        version = self._registered()
        begun = time.monotonic()
        self._world.databricks.transition(MODEL, version, "Production", archive=True)
        _wait(lambda: self._signed() == (str(version), str(version)), 30)
        took = time.monotonic() - begun
        if not any(f"**v{version}**" in comment for comment in self._comments("signalman.thread")):
            raise RuntimeError(f"v{version} is signed, and its pull request was not told.")
        return took

    def take_back(self) -> float:
        """Seconds until a new version is taken back, and whoever wanted that is answered."""
        self.promote()
        begun = time.monotonic()
        thread = self._world.azure.comment(self._number, "/mlops rollback model", author=MANAGER)
        _wait(lambda: len(self._comments(thread)) > 1, 30)
        took = time.monotonic() - begun
        if self._signed()[0] == str(self._version):
            raise RuntimeError(f"v{self._version} was not taken back: {self._comments(thread)}")
        return took

    def undo_a_merge(self, number: int) -> float:
        """Seconds until a merge is out of the workspace again, and whoever wanted that is
        told so.
        """
        azure, before = self._world.azure, self._notebook()
        azure.push(
            f"merge_{number}",
            {NOTEBOOK: f"# Databricks notebook source\nprint({number})\n"},
            "Change",
        )
        merged = azure.open_pull_request(f"merge_{number}", title="Change a notebook")
        azure.complete(merged)
        _wait(lambda: self._notebook() != before and "Merged" in self._said(merged), 60)
        before, held = self._notebook(), before
        begun = time.monotonic()
        azure.comment(merged, "/mlops rollback sync", author=MANAGER)
        _wait(lambda: self._notebook() == held and "Took" in self._said(merged), 30)
        return time.monotonic() - begun

    def _notebook(self) -> bytes | None:
        return self._world.databricks.tree(FOLDER).get(f"{FOLDER}/benched")

    def _said(self, number: int) -> str:
        return "\n".join(self._comments("signalman.thread", number))

    def _registered(self) -> int:
        """A version that the validated commit trained; gives its number."""
        call = self._world.mlflow.call
        tags = {
            "signalman.repository": "contoso/ml/models",
            "signalman.pull_request": str(self._number),
            "signalman.iteration": "1",
            "signalman.commit": self._commit,
        }
        body = {
            "experiment_id": "0",
            "tags": [{"key": key, "value": value} for key, value in tags.items()],
        }
        run = call("POST", "/api/2.0/mlflow/runs/create", body)["run"]["info"]
        files = Path(run["artifact_uri"])
        files.mkdir(parents=True)
        (files / "MLmodel").write_text(json.dumps({"signature": {"inputs": json.dumps(COLUMNS)}}))
        if not self._version:
            call("POST", "/api/2.0/mlflow/registered-models/create", {"name": MODEL})
        version = {"name": MODEL, "source": str(files), "run_id": run["run_id"]}
        made = call("POST", "/api/2.0/mlflow/model-versions/create", version)["model_version"][
            "version"
        ]
        self._version = int(made)
        return self._version

    def _validated(self) -> bool:
        wanted = {"genre": "signalman", "name": "validate"}
        states = [
            one["state"]
            for one in self._world.azure.statuses(self._number)
            if one["context"] == wanted
        ]
        return "succeeded" in states

    def _job(self) -> Mapping[str, Any] | None:
        found = [
            job["settings"]
            for job in self._world.databricks.jobs()
            if job["settings"]["name"] == JOB
        ]
        return found[0] if found else None

    def _signed(self) -> tuple[str, str]:
        """The version that the job scores with, and the one that its tags name."""
        job = self._job() or {}
        given = {one["name"]: one["default"] for one in job.get("parameters", ())}
        return given.get("model_version", ""), job.get("tags", {}).get("signalman_version", "")

    def _comments(self, thread: int | str, number: int = 0) -> list[str]:
        """What a thread says, by its id or a property of its, of a pull request or else of the one
        that trained.
        """
        threads = self._world.azure.threads(number or self._number)
        found = [one for one in threads if thread in (one["id"], *(one["properties"] or {}))]
        return [comment["content"] for one in found for comment in one["comments"]]


def _with_a_release_manager(folder: Path) -> Path:
    """The deployment's file, where somebody may take a version back."""
    text = (HERE / "config" / "bot.yml").read_text(encoding="utf-8")
    own = text.replace("release_managers: []", 'release_managers: ["Release managers"]')
    file = folder / "bot.yml"
    file.write_text(own, encoding="utf-8")
    return file


def _wait(there: Callable[[], bool], most: float) -> None:
    end, pause = time.monotonic() + most, Event()
    while not there():
        if time.monotonic() > end:
            raise RuntimeError(f"It did not come true within {most:.0f} s.")
        pause.wait(0.01)


def _told(what: str, seconds: Sequence[float], limit: float, *, all_of_them: bool = False) -> bool:
    """Print a line; whether the limit was not kept."""
    ordered = sorted(seconds)
    p50, p95 = (ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.95))
    click.echo(
        f"{len(seconds)} {what} at {LATENCY * 1000:.0f} ms a call: p50 {p50:.2f} s, p95 {p95:.2f} "
        "s, "
        f"slowest {ordered[-1]:.2f} s (limit {limit:g} s)."
    )
    return (ordered[-1] if all_of_them else p95) > limit


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else 40))
