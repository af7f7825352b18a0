"""A retraining from outside: ask for it in a comment, read the answer and the registry."""

from typing import Any

import pytest

from bot.subjects import Retraining
from tests.bot_in_process import Bot, PullRequest
from tests.stories.test_pull_requests import opened

QUICK = "projects/quick"


def asked_for(bot: Bot, pr: PullRequest, project: str = "quick") -> int:
    thread = bot.world.azure.comment(pr.number, f"/mlops retrain {project}")
    bot.queue.wake([Retraining(bot.settings.served[0].key, pr.number, thread, 1, project)])
    return thread


def answers(bot: Bot, pr: PullRequest, thread: int) -> list[str]:
    (found,) = (one for one in bot.world.azure.threads(pr.number) if one["id"] == thread)
    return [
        str(one["content"]) for one in found["comments"][1:] if str(one["content"]).startswith("🏁")
    ]


def versions(bot: Bot, model: str = "quick_wine") -> list[dict[str, Any]]:
    found = bot.world.mlflow.call(
        "GET", f"/api/2.0/mlflow/model-versions/search?filter=name%3D'{model}'"
    )
    return sorted(found.get("model_versions", ()), key=lambda one: int(one["version"]))


def mlflow_runs(bot: Bot, thread: int, pr: PullRequest) -> list[dict[str, Any]]:
    return [
        run
        for run in bot.mlflow_runs(pr)
        for tag in run["data"]["tags"]
        if tag["key"] == "signalman.command" and f"/{pr.number}/{thread}/1/" in tag["value"]
    ]


@pytest.fixture(scope="module")
def pr(bot: Bot) -> PullRequest:
    found = opened(bot, "asks_to_retrain", {"README.md": "retrain"})
    bot.settle()
    return found


def test_a_version_for_production_is_trained_from_the_target_branch(
    bot: Bot, pr: PullRequest
) -> None:
    tip = bot.world.azure.tip("main")
    before = len(versions(bot))

    thread = asked_for(bot, pr)
    bot.settle()

    (told,) = answers(bot, pr, thread)
    version = versions(bot)[-1]
    (run,) = mlflow_runs(bot, thread, pr)
    tags = {one["key"]: one["value"] for one in run["data"]["tags"]}
    assert len(versions(bot)) == before + 1
    assert f"`quick_wine` **v{version['version']}** is registered, trained from `{tip[:7]}`" in told
    assert "nothing is promoted by this" in told
    assert "`rmse` 0.5" in told
    assert f"[MLflow run]({bot.world.mlflow.url}/#/experiments/" in told
    assert version["run_id"] == run["info"]["run_id"]
    assert run["info"]["status"] == "FINISHED"
    assert (tags["signalman.kind"], tags["signalman.commit"]) == ("retraining", tip)
    assert tags["signalman.repository"] == bot.settings.served[0].key


def test_a_training_that_fails_is_told_with_its_log(bot: Bot, pr: PullRequest) -> None:
    good = bot.world.azure.read(f"{QUICK}/train.py")
    broken = good.decode().replace("mode = given.mode", 'mode = "raises"')
    bot.world.azure.push("main", {f"{QUICK}/train.py": broken}, "Break it", base="main")

    thread = asked_for(bot, pr)
    bot.settle()
    bot.world.azure.push("main", {f"{QUICK}/train.py": good}, "Repair it", base="main")

    (told,) = answers(bot, pr, thread)
    (run,) = mlflow_runs(bot, thread, pr)
    assert "`quick` was not retrained: `KeyError: 'alcohol' (exit code 1)`" in told
    assert "```text\n" in told
    assert run["info"]["status"] == "FAILED"


def test_what_is_not_to_be_retrained_is_refused_without_a_run(bot: Bot, pr: PullRequest) -> None:
    thread = asked_for(bot, pr, "other")
    bot.settle()

    (told,) = answers(bot, pr, thread)
    assert "it has one for: quick" in told
    assert mlflow_runs(bot, thread, pr) == []


def test_a_memo_that_is_lost_gives_no_second_run_and_no_second_answer(
    bot: Bot, pr: PullRequest
) -> None:
    thread = asked_for(bot, pr)
    subject = Retraining(bot.settings.served[0].key, pr.number, thread, 1, "quick")
    while not mlflow_runs(bot, thread, pr):
        bot.worker.step(ahead=60)
    bot.lose(subject)
    bot.settle()
    bot.lose(subject)
    bot.settle()

    assert len(mlflow_runs(bot, thread, pr)) == 1
    assert len(answers(bot, pr, thread)) == 1


def test_a_retraining_that_a_lost_database_forgot_is_found_by_the_sweep(
    bot: Bot, pr: PullRequest
) -> None:
    thread = asked_for(bot, pr)
    subject = Retraining(bot.settings.served[0].key, pr.number, thread, 1, "quick")
    while not mlflow_runs(bot, thread, pr):
        bot.worker.step(ahead=60)
    bot.lose(subject, for_good=True)
    assert answers(bot, pr, thread) == []

    bot.sweep()

    assert len(answers(bot, pr, thread)) == 1
    assert [run["info"]["status"] for run in mlflow_runs(bot, thread, pr)] == ["FINISHED"]


def test_the_target_branch_may_move_on_while_it_is_trained(bot: Bot, pr: PullRequest) -> None:
    tip = bot.world.azure.tip("main")
    thread = asked_for(bot, pr)
    while not mlflow_runs(bot, thread, pr):
        bot.worker.step(ahead=60)
    bot.world.azure.push("main", {"README.md": "moved on"}, "Move on", base="main")
    bot.settle()

    (told,) = answers(bot, pr, thread)
    assert f"trained from `{tip[:7]}`" in told
