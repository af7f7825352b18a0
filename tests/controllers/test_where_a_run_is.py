"""A run is in the workspace it was found in, whatever its tags say: project code writes those."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bot import run_tags
from bot.config.repository import Mlops
from bot.controllers.runs import lifecycle
from bot.controllers.services import Repository, Services
from bot.facts.pull_request import PullRequestHead
from bot.services.mlflow import MlflowRun

HEAD = PullRequestHead(7, "t", "u", True, False, "wine", "main", "ada", "c1", 1)
REPOSITORY = cast(Repository, SimpleNamespace(served=SimpleNamespace(key="o/p/r")))


class Tracking:
    """A tracking server with one run, which notes what is asked of it."""

    def __init__(self, name: str, tags: dict[str, str]) -> None:
        self.name = name
        self.asked: list[str] = []
        started = datetime(2026, 3, 2, tzinfo=UTC)
        self._run = MlflowRun("r1", "e1", "RUNNING", started, {}, tags)

    def experiment(self, name: str) -> Any:
        return SimpleNamespace(id="e1")

    def runs(self, experiment: str, tags: dict[str, str]) -> list[MlflowRun]:
        return [self._run]

    def run_page(self, experiment: str, run: str) -> str:
        return f"{self.name}/{run}"

    def end(self, run: str, status: str, at: datetime) -> None:
        self.asked.append(f"end {run}")

    def tag(self, run: str, tags: dict[str, str]) -> None:
        self.asked.append(f"tag {run}")


@pytest.mark.parametrize("kind", ["", run_tags.RETRAINING, run_tags.SMOKE])
def test_a_run_of_a_pull_request_that_says_it_is_of_production_is_not(kind: str) -> None:
    tags = {
        run_tags.TOKEN: "t1",
        run_tags.REPOSITORY: "o/p/r",
        run_tags.PULL_REQUEST: "7",
        run_tags.ITERATION: "1",
        run_tags.COMMAND: "retraining/o%2Fp%2Fr/7/1/1/wine",
        run_tags.KIND: kind,
    }
    validation, production = Tracking("validation", tags), Tracking("production", tags)
    workspaces = {
        "validation": SimpleNamespace(runs=validation),
        "production": SimpleNamespace(runs=production),
    }
    services = cast(
        Services,
        SimpleNamespace(
            validation=workspaces["validation"],
            workspace=workspaces.__getitem__,
            now=lambda: datetime(2026, 3, 2, tzinfo=UTC),
        ),
    )

    (run,) = lifecycle.find(REPOSITORY, services, HEAD, Mlops())
    lifecycle.close(run, services)
    lifecycle.withdraw(run, services)

    assert run.where == "validation"
    assert run.mlflow_page == "validation/r1"
    assert validation.asked == ["end r1", "tag r1", "tag r1"]
    assert production.asked == []
