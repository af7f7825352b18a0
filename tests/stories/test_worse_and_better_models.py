"""A model is compared with what is there: a worse one is refused with the number that says so, a
better one passes.
"""

from tests.bot_in_process import Bot
from tests.stories.test_commands_from_a_pull_request import ADA, BEN, asked, led
from tests.stories.test_pull_requests import QUICK, in_mode, opened

__all__ = ["led"]


def merged(bot: Bot, branch: str) -> None:
    """The target branch has measured an rmse of 0.5."""
    pr = opened(bot, branch, {f"{QUICK}/{branch}.md": "x"})
    bot.settle()
    assert pr.status == "succeeded"
    bot.world.azure.complete(pr.number)
    bot.settle()


def test_a_worse_model_is_refused_with_its_number_and_a_better_one_passes(bot: Bot) -> None:
    merged(bot, "measures_first")

    pr = opened(bot, "compared", in_mode(bot, "worse"))
    bot.settle()
    refused, state, tone = pr.report, pr.status, pr.thread_status
    bot.world.azure.push("compared", in_mode(bot, "better"), "Better")
    bot.settle()

    assert (state, tone) == ("failed", "active")
    assert "rmse 0.8 > 0.6" in refused.splitlines()[0]
    assert "rmse 0.8 > 0.6" in pr.statuses[1]["description"]
    assert "| `rmse` ↓ | **0.8** | 0.5 (+0.3)" in refused
    assert (pr.status, pr.thread_status) == ("succeeded", "closed")
    assert "| `rmse` ↓ | **0.4** | 0.5 (−0.1)" in pr.report
    assert "rmse 0.8 > 0.6" in pr.report, "what became of the earlier commit"
    assert len(pr.replies) == 1
    assert "0.4" in pr.replies[0]


def test_a_merge_is_recorded_once_for_those_that_come_after(bot: Bot) -> None:
    merged(bot, "measured")
    bot.sweep()
    call = bot.world.mlflow.call
    found = call(
        "GET", "/api/2.0/mlflow/experiments/get-by-name?experiment_name=/Shared/signalman/main_expr"
    )["experiment"]
    wanted = {
        "experiment_ids": [found["experiment_id"]],
        "filter": "tags.`signalman.kind` = 'merged' and tags.`signalman.commit` = '"
        + bot.world.azure.tip("main")
        + "'",
    }

    (record,) = call("POST", "/api/2.0/mlflow/runs/search", wanted)["runs"]

    assert record["info"]["status"] == "FINISHED"
    assert {one["key"]: one["value"] for one in record["data"]["metrics"]} == {"rmse": 0.5}


def test_a_gate_that_a_model_owner_accepts_lets_the_change_pass(led: Bot) -> None:
    merged(led, "measured_before")
    pr = opened(led, "accepted_though_worse", in_mode(led, "worse"))
    led.settle()

    refused = asked(pr, '/mlops override gate reason="because I say so"', author=ADA)
    before = pr.status
    accepted = asked(pr, '/mlops override gate reason="the old test set had leaked"', author=BEN)

    assert "model owner" in refused
    assert before == "failed"
    assert "✅ for" in accepted
    assert pr.status == "succeeded"
    assert "the old test set had leaked" in pr.report
    assert "rmse 0.8 > 0.6" in pr.report


def test_a_metric_that_is_not_logged_fails_the_gate_and_says_so(bot: Bot) -> None:
    pr = opened(bot, "unmeasured", in_mode(bot, "silent"))
    bot.settle()

    assert pr.status == "failed"
    assert "ended without logging the metric rmse" in pr.report.splitlines()[0]
    assert pr.statuses_of("gate")[-1]["state"] == "failed"
    assert pr.statuses_of("quick")[-1]["state"] == "succeeded"
