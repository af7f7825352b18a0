"""Before a job scores with a promoted version, the scoring project of the target branch scores toy
data with it.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from bot.subjects import Model
from tests.bot_in_process import Bot
from tests.stories.test_promotions import job, points_at, trained
from tests.stories.test_refused_promotions import nothing_serves, promote, tags

__all__ = ["nothing_serves"]
SCORE = "projects/quick_scoring/score.py"


@pytest.fixture
def tries(bot: Bot) -> Iterator[Bot]:
    """The bot, where the job tries what it is to score with."""
    azure = bot.world.azure
    before = azure.read("config/mlops.yml").decode()
    assert "smoke: false" in before
    azure.push(
        "main",
        {"config/mlops.yml": before.replace("smoke: false", "smoke: {timeout: 3m}")},
        "Try",
        base="main",
    )
    bot.settle()
    yield bot
    azure.push("main", {"config/mlops.yml": before}, "Try no more", base="main")
    bot.settle()


def smoke_runs(bot: Bot, version: tuple[str, str]) -> list[dict[str, Any]]:
    call = bot.world.mlflow.call
    there = call(
        "GET", "/api/2.0/mlflow/experiments/get-by-name?experiment_name=/Shared/signalman/smoke"
    )["experiment"]
    wanted = {
        "experiment_ids": [there["experiment_id"]],
        "filter": f"tags.`signalman.model` = '{version[0]}'",
    }
    found: list[dict[str, Any]] = call("POST", "/api/2.0/mlflow/runs/search", wanted).get(
        "runs", []
    )
    return [run for run in found if marks(run)["signalman.version"] == version[1]]


def marks(run: dict[str, Any]) -> dict[str, str]:
    return {one["key"]: one["value"] for one in run["data"]["tags"]}


def test_a_version_scores_toy_data_before_the_job_is_pointed_at_it(tries: Bot) -> None:
    pr = trained(tries, "tried_out")

    promote(tries, "tried_out_model", 1)

    (run,) = smoke_runs(tries, ("tried_out_model", "1"))
    assert run["info"]["status"] == "FINISHED"
    assert marks(run)["signalman.commit"] == tries.world.azure.tip("main")
    assert marks(run)["signalman.job"] == "nightly"
    assert "signalman.pull_request" not in marks(run)
    assert points_at(tries) == ("tried_out_model", "1")
    assert "smoke run passed: `rows` 120 in " in pr.replies[-1]
    assert "· [smoke run](" in pr.replies[-1]
    assert (
        "A smoke run scored toy data with it: rows 120."
        in tags(tries, "tried_out_model", 1)["signalman"]
    )


def test_a_version_that_cannot_be_scored_with_is_refused_with_the_end_of_the_log_and_tried_again_when_mended(  # noqa: E501 a table, or a text as it is sent
    tries: Bot,
) -> None:
    azure = tries.world.azure
    pr = trained(tries, "cannot_score")
    promote(tries, "cannot_score_model", 1)
    good = azure.read(SCORE).decode()
    azure.push(
        "main",
        {SCORE: f"{good}\nraise SystemExit('no such column: sugar')\n"},
        "Break it",
        base="main",
    )
    azure.push("cannot_score", {"projects/quick/note.md": "again"}, "Train again")
    tries.settle()
    said = len(pr.replies)

    promote(tries, "cannot_score_model", 2)
    tries.sweep()
    refused, stays = pr.replies[said:], points_at(tries)
    azure.push("main", {SCORE: good}, "Mend it", base="main")
    tries.settle()
    tries.sweep()

    assert stays == ("cannot_score_model", "1")
    assert len(refused) == 1
    assert "its smoke run on toy data says `no such column: sugar" in refused[0]
    assert "no such column: sugar" in refused[0].split("```text")[1]
    assert [run["info"]["status"] for run in smoke_runs(tries, ("cannot_score_model", "2"))] == [
        "FINISHED",
        "FAILED",
    ]
    assert points_at(tries) == ("cannot_score_model", "2")
    assert job(tries)["tags"]["signalman_before"] == "cannot_score_model/1"


def test_a_row_that_was_lost_doubles_no_smoke_run(tries: Bot) -> None:
    trained(tries, "tried_once")
    tries.world.databricks.transition("tried_once_model", 1, "Production")
    tries.world.databricks.drain(10)
    for _ in range(4):
        tries.worker.step(ahead=60)
        tries.lose(Model("*_model"))
    tries.settle()

    assert len(smoke_runs(tries, ("tried_once_model", "1"))) == 1
    assert points_at(tries) == ("tried_once_model", "1")
