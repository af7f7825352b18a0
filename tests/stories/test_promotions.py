"""A promotion from outside: move a version, read the job and the pull request."""

from collections.abc import Mapping
from typing import Any

from tests.bot_in_process import Bot, PullRequest
from tests.stories.test_pull_requests import in_mode, opened


def job(bot: Bot) -> Mapping[str, Any]:
    (found,) = (one for one in bot.world.databricks.jobs() if one["settings"]["name"] == "nightly")
    settings: Mapping[str, Any] = found["settings"]
    return settings


def points_at(bot: Bot) -> tuple[str, str]:
    found = {one["name"]: one["default"] for one in job(bot)["parameters"]}
    return found["model_name"], found["model_version"]


def trained(bot: Bot, branch: str, times: int = 1) -> PullRequest:
    pr = opened(bot, branch, in_mode(bot, "fine"))
    bot.settle()
    for number in range(1, times):
        bot.world.azure.push(branch, {"projects/quick/note.md": str(number)}, "Train again")
        bot.settle()
    assert pr.status == "succeeded"
    return pr


def test_a_version_that_reaches_production_is_what_the_job_scores_with(bot: Bot) -> None:
    pr = trained(bot, "promoted_by_stage")

    bot.world.databricks.transition("promoted_by_stage_model", 1, "Production")
    bot.settle()

    tags = job(bot)["tags"]
    assert points_at(bot) == ("promoted_by_stage_model", "1")
    assert (tags["signalman_model"], tags["signalman_version"]) == ("promoted_by_stage_model", "1")
    assert tags["signalman_commit"] == bot.world.azure.tip("promoted_by_stage")
    assert {one["name"] for one in job(bot)["parameters"]} == {
        "data",
        "project",
        "model_name",
        "model_version",
    }
    (told,) = pr.replies
    assert "`promoted_by_stage_model` **v1**" in told
    assert "job `nightly`" in told


def test_the_alias_champion_moves_the_job_at_once_and_back(bot: Bot) -> None:
    pr = trained(bot, "promoted_by_alias", times=2)
    alias = {"name": "promoted_by_alias_model", "alias": "champion"}

    bot.world.mlflow.call(
        "POST", "/api/2.0/mlflow/registered-models/alias", {**alias, "version": "2"}
    )
    bot.hear_of("promoted_by_alias_model", 2)
    after = points_at(bot)
    bot.world.mlflow.call(
        "POST", "/api/2.0/mlflow/registered-models/alias", {**alias, "version": "1"}
    )
    bot.hear_of("promoted_by_alias_model", 1)

    assert after == ("promoted_by_alias_model", "2")
    assert points_at(bot) == ("promoted_by_alias_model", "1")
    assert ["**v2**" in reply for reply in pr.replies] == [True, False]


def test_a_promotion_that_nobody_told_is_found_by_the_sweep(bot: Bot) -> None:
    pr = trained(bot, "promoted_silently")
    # Past the webhooks: what was changed directly on the server of a registry that sends none.
    for name, version in (("promoted_by_alias_model", None),):
        bot.world.mlflow.call(
            "DELETE", "/api/2.0/mlflow/registered-models/alias", {"name": name, "alias": "champion"}
        )
        assert version is None
    bot.world.mlflow.call(
        "POST",
        "/api/2.0/mlflow/model-versions/transition-stage",
        {
            "name": "promoted_silently_model",
            "version": "1",
            "stage": "Production",
            "archive_existing_versions": False,
        },
    )
    bot.sweep()
    bot.sweep()

    assert points_at(bot) == ("promoted_silently_model", "1")
    assert len(pr.replies) == 1


def test_a_version_that_is_not_promoted_moves_nothing(bot: Bot) -> None:
    before = points_at(bot)

    bot.world.databricks.transition(trained_model(bot), 1, "Staging")
    bot.settle()

    assert points_at(bot) == before


def trained_model(bot: Bot) -> str:
    trained(bot, "only_staged")
    return "only_staged_model"
