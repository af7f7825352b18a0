"""An outage of the neighbours while the bot runs as real processes, and people who work on as if
there were none.

Everything is judged from outside: by the webhooks' answers, and by what the
neighbours hold in the end.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event
from typing import Literal

from sandbox.chaos.bot_processes import BotProcesses
from sandbox.chaos.calls import Call, CutError, Listener, Reply, ask
from sandbox.chaos.diary import Diary
from sandbox.mlflow_server import MlflowServer
from sandbox.ports import free_port
from sandbox.world import World

Kind = Literal["503", "hangs", "hangs for good"]
"""`hangs`: calls are taken, and cut off when the outage ends. `hangs for good`: those that were
taken are not answered afterwards either, so that their callers have to lose patience.
"""

Neighbour = Literal["Azure DevOps", "Databricks"]
ALL: Sequence[Neighbour] = ("Azure DevOps", "Databricks")

QUICK = "projects/quick"
MODEL, JOB = "wine_model", "nightly"
FINAL = ("succeeded", "failed", "error", "notApplicable")


class Switch:
    """Stands before the neighbours, and takes some of them away."""

    def __init__(self) -> None:
        self._kind: Kind | None = None
        self._away: Sequence[Neighbour] = ()
        self._over, self._closed = Event(), Event()
        self._doors: list[Listener] = []
        self.refused = 0

    def door(self, neighbour: Neighbour, address: str) -> str:
        """Where to find a neighbour, when it is there."""

        def answer(call: Call) -> Reply:
            if neighbour not in self._away:
                return ask(address, call)
            self.refused += 1
            if self._kind == "503":
                return Reply(503, (("Content-Type", "text/plain"),), b"The service is unavailable.")
            (self._closed if self._kind == "hangs for good" else self._over).wait()
            raise CutError

        self._doors.append(Listener(answer))
        return self._doors[-1].url

    def off(self, kind: Kind, away: Sequence[Neighbour] = ALL) -> None:
        """Let the outage of some begin."""
        self._over.clear()
        self._kind, self._away = kind, away

    def on(self) -> None:
        """End it."""
        self._away = ()
        self._over.set()

    def close(self) -> None:
        """Let go of all who wait, and close all doors."""
        self._over.set()
        self._closed.set()
        for door in self._doors:
            door.close()


class Intake:
    """Stands before web and notes how each webhook was answered, and how many seconds that took."""

    def __init__(self, web: str) -> None:
        self.answers: list[tuple[int, float]] = []
        self._web = web
        self._listener = Listener(self._answer)
        self.url = self._listener.url
        self.close = self._listener.close

    def _answer(self, call: Call) -> Reply:
        began = time.monotonic()
        try:
            reply = ask(self._web, call)
        except OSError:
            reply = Reply(502)
        self.answers.append((reply.status, time.monotonic() - began))
        return reply


class People:
    """Who opens pull requests, pushes to them and promotes versions; knows what the world must be
    like in the end.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._branches: dict[int, str] = {}
        self._pushed = 0
        self._version = 0
        call = world.mlflow.call
        run = call("POST", "/api/2.0/mlflow/runs/create", {"experiment_id": "0"})["run"]["info"]
        call("POST", "/api/2.0/mlflow/registered-models/create", {"name": MODEL})
        self._new_version = {"name": MODEL, "source": run["artifact_uri"], "run_id": run["run_id"]}

    def open(self) -> None:
        """Open another pull request."""
        branch = f"topic_{len(self._branches) + 1}"
        self._push_to(branch)
        self._branches[self._world.azure.open_pull_request(branch, title=branch)] = branch

    def push(self) -> None:
        """Push to the pull request whose turn it is."""
        self._push_to(list(self._branches.values())[self._pushed % len(self._branches)])

    def promote(self) -> None:
        """Register another version and have it serve."""
        self._version += 1
        self._world.mlflow.call("POST", "/api/2.0/mlflow/model-versions/create", self._new_version)
        # Nobody validated it; somebody has accepted it.
        tag = {
            "name": MODEL,
            "version": str(self._version),
            "key": "signalman_accepted",
            "value": "Ada: it is known",
        }
        self._world.mlflow.call("POST", "/api/2.0/mlflow/model-versions/set-tag", tag)
        self._world.databricks.transition(MODEL, self._version, "Production", archive=True)

    def work(self, seconds: float, pace: float, pull_requests: int) -> int:
        """Do something every `pace` seconds for so long, with so many pull requests in the end; how
        often it was.
        """
        end, done, pause = time.monotonic() + seconds, 0, Event()
        while time.monotonic() < end:
            turn: Callable[[], None] = (self.push, self.promote, self.push, self.open)[done % 4]
            if turn == self.open and len(self._branches) >= pull_requests:
                turn = self.push
            turn()
            done += 1
            pause.wait(pace)
        return done

    def missing(self) -> list[str]:
        """A sentence for everything that is not as it must be."""
        found = [told for number in self._branches for told in self._about(number)]
        jobs = [
            job["settings"]
            for job in self._world.databricks.jobs()
            if job["settings"]["name"] == JOB
        ]
        serves = [
            {one["name"]: one["default"] for one in job.get("parameters", ())} for job in jobs
        ]
        if [one.get("model_version") for one in serves] != [str(self._version)]:
            found.append(f"the job loads {serves} and not v{self._version}")
        return found

    def wait_until_right(self, within: float) -> float | None:
        """Seconds until nothing is missing; None when that takes longer than `within`."""
        began, pause = time.monotonic(), Event()
        while self.missing():
            if time.monotonic() - began > within:
                return None
            pause.wait(0.25)
        return time.monotonic() - began

    def _push_to(self, branch: str) -> None:
        self._pushed += 1
        self._world.azure.push(
            branch, {f"{QUICK}/note.md": f"{branch} {self._pushed}"}, f"Change {branch}"
        )

    def _about(self, number: int) -> list[str]:
        statuses = [
            one
            for one in self._world.azure.statuses(number)
            if one["context"]["name"] == "validate"
        ]
        newest = len(self._world.azure.world.pull_request(number).iterations)
        finals = [
            one["state"]
            for one in statuses
            if one["iterationId"] == newest and one["state"] in FINAL
        ]
        threads = [
            one
            for one in self._world.azure.threads(number)
            if "signalman.thread" in one["properties"]
        ]
        found = (
            []
            if finals == ["succeeded"]
            else [f"!{number} was told {finals} of its iteration {newest}"]
        )
        return found + ([] if len(threads) == 1 else [f"!{number} has {len(threads)} threads"])


class Place:
    """A world, the switch before Azure DevOps and Databricks, and the bot's real processes: web,
    and a worker. An `mlflow` that is given runs already, and goes on: it is never away.
    """

    def __init__(self, root: Path, content: Path, *, mlflow: MlflowServer | None = None) -> None:
        self.switch = Switch()
        self._world = World(root / "world", content, slots=4, mlflow=mlflow)
        self._root = root

    def __enter__(self) -> "Place":
        world = self._world.start()
        port = free_port()
        self.intake = Intake(f"http://127.0.0.1:{port}")
        web = world.environment(self.intake.url, self._root / "var")
        azure = self.switch.door("Azure DevOps", world.azure.url)
        databricks = self.switch.door("Databricks", world.databricks.url)
        doors = {
            "AZURE_DEVOPS_ORG_URL": f"{azure}/{world.azure.world.organization}",
            "DATABRICKS_HOST": databricks,
            "DATABRICKS_VALIDATION_HOST": databricks,
        }
        self._bot = BotProcesses(
            port, web, [{**web, **doors}], self._root / "logs", Diary(self._root / "diary")
        )
        self._bot.start()
        world.subscribe(self.intake.url)
        self.people = People(world)
        return self

    def __exit__(self, *_: object) -> None:
        self.switch.close()
        self._bot.stop()
        self.intake.close()
        self._world.stop()
