"""The bot in this process, in a world of stand-ins: what stories, and the tests of the controllers,
look at.
"""

import threading
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from werkzeug.serving import make_server

from bot import app, subjects, sweep
from bot.config.environment import Settings
from bot.config.environment import read as read_settings
from bot.controllers.services import Services
from bot.passes import Outcome
from bot.queue import Queue, migrate
from bot.web import create_app
from bot.worker import Worker
from sandbox.ports import free_port
from sandbox.world import World

CONTENT = Path(__file__).parent / "content"
"""The repository of a made-up team."""


@dataclass
class Bot:
    """The bot in this process: a real door on a real port, and a worker that works when it is told
    to.
    """

    world: World
    settings: Settings
    queue: Queue
    url: str
    heard: set[str] = field(default_factory=set)
    ahead: timedelta = timedelta()

    def __post_init__(self) -> None:
        self.be_with(
            replace(
                app.services_of(self.settings, self.queue),
                now=lambda: datetime.now(UTC) + self.ahead,
            )
        )
        self.worker = Worker(
            self.queue,
            lambda look: app.pass_over(look, self.services),
            sweep=lambda: sweep.due(
                self.services, lambda key: self.queue.delivery(key) is not None
            ),
            lease=60.0,
        )

    def be_with(self, services: Services) -> None:
        """Let these be its neighbours from now on."""
        self.services = services

    def settle(self, deadline: float = 60.0) -> None:
        """Let every webhook arrive, and make passes until nothing is left to do."""
        while True:
            self.world.azure.drain(10)
            self.world.databricks.drain(10)
            if not self.worker.settle(horizon=60.0, deadline=deadline):
                return

    def settle_failing(self) -> None:
        """Make passes over what is due now, some of which may fail and be put off."""
        self.world.azure.drain(10)
        while self.worker.step():
            self.world.azure.drain(10)

    def forget(self, pr: "PullRequest") -> None:
        """Lose what the pull request's row remembers, as a restored database would."""
        self.lose(subjects.PullRequest(self.settings.served[0].key, pr.number))

    def lose(self, subject: subjects.Subject, *, for_good: bool = False) -> None:
        """Lose what a subject's row remembers and look at it again, unless it is lost for good."""
        self.queue.wake([subject])
        (lease,) = (
            one for one in self.queue.take(100, lease=60, worker="test") if one.subject == subject
        )
        self.queue.settle(lease, Outcome(look_again=None if for_good else 0.0))
        if not for_good:
            self.queue.wake([subject])

    def mlflow_runs(self, pr: "PullRequest") -> list[dict[str, Any]]:
        """The MLflow runs that carry the pull request's number; metrics as a mapping."""
        call = self.world.mlflow.call
        every = call("POST", "/api/2.0/mlflow/experiments/search", {"max_results": 1000})[
            "experiments"
        ]
        wanted = {
            "experiment_ids": [one["experiment_id"] for one in every],
            "filter": f"tags.`signalman.pull_request` = '{pr.number}'",
        }
        runs: list[dict[str, Any]] = call("POST", "/api/2.0/mlflow/runs/search", wanted).get(
            "runs", []
        )
        for run in runs:
            run["data"]["metrics"] = {
                one["key"]: one["value"] for one in run["data"].get("metrics", ())
            }
        return runs

    def ends(self, pr: "PullRequest", *, every: bool = False) -> Any:
        """How the pull request's MLflow runs ended."""
        found = [run["info"]["status"] for run in self.mlflow_runs(pr)]
        return found if every else set(found)

    def hear_of(self, model: str, version: int) -> None:
        """Settle, once the MLflow server has told of an alias that was set on a version of
        a model.
        """
        subject = subjects.Model(model)
        deadline = time.monotonic() + 20
        while not any(
            one.subject == subject and one.key not in self.heard for one in self.queue.deliveries()
        ):
            assert time.monotonic() < deadline, f"MLflow told nothing of {model} v{version}."
            threading.Event().wait(0.02)
        self.heard |= {one.key for one in self.queue.deliveries()}
        self.settle()

    def retire_all(self) -> None:
        """Let no version of any model serve, whatever other stories promoted."""
        call = self.world.mlflow.call
        for model in call("GET", "/api/2.0/mlflow/registered-models/search?max_results=1000").get(
            "registered_models", ()
        ):
            for alias in model.get("aliases", ()):
                body = {"name": model["name"], "alias": alias["alias"]}
                call("DELETE", "/api/2.0/mlflow/registered-models/alias", body)
            for version in model.get("latest_versions", ()):
                if version["current_stage"] == "Production":
                    self.world.databricks.transition(model["name"], version["version"], "Archived")
        self.settle()

    def sweep(self) -> None:
        """Let the clock ask."""
        self.worker.sweep()
        self.settle()


@dataclass
class PullRequest:
    """A pull request, as somebody sees it who looks at it."""

    bot: Bot
    number: int

    @property
    def statuses(self) -> list[dict[str, Any]]:
        """All statuses `signalman/validate`, the oldest first."""
        return self.statuses_of("validate")

    def statuses_of(self, name: str) -> list[dict[str, Any]]:
        """All statuses of the bot's under a name, the oldest first."""
        found = self.bot.world.azure.statuses(self.number)
        ours = {"genre": "signalman", "name": name}
        return sorted((one for one in found if one["context"] == ours), key=lambda one: one["id"])

    @property
    def status(self) -> str:
        """The state that a branch policy would see."""
        return str(self.statuses[-1]["state"]) if self.statuses else ""

    @property
    def threads(self) -> list[list[str]]:
        """What the comments of the bot's threads say."""
        return [
            [str(comment.get("content")) for comment in thread["comments"]]
            for thread in self.bot.world.azure.threads(self.number)
            if "signalman.thread" in (thread.get("properties") or {})
        ]

    @property
    def thread_status(self) -> str:
        """Whether the bot's thread is open or resolved."""
        (thread,) = (
            one
            for one in self.bot.world.azure.threads(self.number)
            if "signalman.thread" in one["properties"]
        )
        return str(thread.get("status"))

    @property
    def report(self) -> str:
        """The bot's one comment. Fails when there is not exactly one thread."""
        (thread,) = self.threads
        return thread[0]

    @property
    def replies(self) -> list[str]:
        """What was said below the report."""
        (thread,) = self.threads
        return thread[1:]


def start_bot(
    world: World, var: Path, *, mlflow: str | None = None, deployment: str = "config/bot.yml"
) -> tuple[Bot, Any]:
    """A bot with a database of its own, and the server of its door."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {"BOT_CONFIG": deployment, **world.environment(url, var, mlflow=mlflow)}
    found = read_settings(environment)
    var.mkdir(parents=True, exist_ok=True)
    migrate(found.database_url)
    queue = Queue(found.database_url)
    server = make_server("127.0.0.1", port, create_app(app.door(found)), threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return Bot(world, found, queue, url), server
