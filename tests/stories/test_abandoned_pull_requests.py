"""What becomes of what an abandoned pull request made, from outside."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from urllib.parse import quote

import pytest

from bot import sweep
from bot.config.deployment import Cleanup, Policies
from bot.rules.pull_request import checks
from bot.services.mlflow import Mlflow
from tests.bot_in_process import Bot, PullRequest
from tests.stories.test_pull_requests import QUICK, opened


@pytest.fixture
def policy(bot: Bot) -> Iterator[Callable[[Cleanup], None]]:
    """Sets what the deployment's policy is, for one story."""
    before = bot.services
    yield lambda word: bot.be_with(replace(before, policies=Policies(abandoned=word)))
    bot.be_with(before)


def passed(bot: Bot, branch: str) -> PullRequest:
    pr = opened(bot, branch, {f"{QUICK}/{branch}.md": "a note"})
    bot.settle()
    assert pr.status == "succeeded"
    return pr


def versions(bot: Bot, branch: str) -> list[tuple[str, str]]:
    """Version and stage of all of the branch's model."""
    wanted = quote(f"name='{branch}_model'")
    found = bot.world.mlflow.call("GET", f"/api/2.0/mlflow/model-versions/search?filter={wanted}")
    return sorted((one["version"], one["current_stage"]) for one in found.get("model_versions", ()))


def experiment(bot: Bot, branch: str) -> dict[str, str] | None:
    """The tags of the branch's experiment; None when it is gone."""
    found = bot.world.mlflow.call(
        "POST", "/api/2.0/mlflow/experiments/search", {"max_results": 1000}
    )["experiments"]
    for one in found:
        if one["name"].endswith(f"/{branch}_expr"):
            return {tag["key"]: tag["value"] for tag in one.get("tags", ())}
    return None


def state(bot: Bot, branch: str) -> str | None:
    return (experiment(bot, branch) or {}).get("signalman.state")


def test_its_model_versions_are_archived_and_its_experiment_says_so(bot: Bot) -> None:
    pr = passed(bot, "given_up")
    before = versions(bot, "given_up"), state(bot, "given_up")
    bot.world.azure.abandon(pr.number)
    bot.settle()

    assert before == ([("1", "None")], "open")
    assert (versions(bot, "given_up"), state(bot, "given_up")) == ([("1", "Archived")], "archived")
    assert bot.ends(pr) == {"FINISHED"}


def test_it_is_tidied_in_the_next_sweep_if_nobody_told_that_it_was_abandoned(bot: Bot) -> None:
    pr = passed(bot, "given_up_untold")
    with bot.world.azure.silent("git.pullrequest.updated"):
        bot.world.azure.abandon(pr.number)
        bot.settle()
    untold = state(bot, "given_up_untold")
    bot.sweep()

    assert (untold, state(bot, "given_up_untold")) == ("open", "archived")


def test_a_merged_one_keeps_its_versions_for_their_promotion(bot: Bot) -> None:
    pr = passed(bot, "kept_for_later")
    bot.world.azure.complete(pr.number)
    bot.settle()

    assert (versions(bot, "kept_for_later"), state(bot, "kept_for_later")) == (
        [("1", "None")],
        "archived",
    )


def test_a_version_that_serves_is_left_alone(bot: Bot) -> None:
    pr = passed(bot, "given_up_but_live")
    bot.world.databricks.transition("given_up_but_live_model", 1, "Production")
    bot.settle()
    bot.world.azure.abandon(pr.number)
    bot.settle()

    assert versions(bot, "given_up_but_live") == [("1", "Production")]


def test_nothing_is_touched_where_the_policy_is_to_keep_all(
    bot: Bot, policy: Callable[[Cleanup], None]
) -> None:
    policy("keep")
    pr = passed(bot, "given_up_kept")
    bot.world.azure.abandon(pr.number)
    bot.settle()

    assert (versions(bot, "given_up_kept"), state(bot, "given_up_kept")) == (
        [("1", "None")],
        "open",
    )


def test_all_of_it_is_gone_where_the_policy_is_to_delete(
    bot: Bot, policy: Callable[[Cleanup], None]
) -> None:
    policy("delete")
    pr = passed(bot, "given_up_deleted")
    bot.world.azure.abandon(pr.number)
    bot.settle()

    assert versions(bot, "given_up_deleted") == []
    assert experiment(bot, "given_up_deleted") is None
    assert bot.mlflow_runs(pr) == []


def test_a_branch_whose_experiment_was_deleted_is_validated_like_any_other(
    bot: Bot, policy: Callable[[Cleanup], None]
) -> None:
    policy("delete")
    pr = passed(bot, "given_up_for_a_while")
    bot.world.azure.abandon(pr.number)
    bot.settle()
    bot.world.azure.reactivate(pr.number)
    bot.world.azure.push("given_up_for_a_while", {"projects/quick/note.md": "back"}, "Back")
    bot.settle()

    assert pr.status == "succeeded"
    assert state(bot, "given_up_for_a_while") == "open"


def test_a_verdict_stands_though_mlflow_was_away_when_the_pull_request_was_closed_and_opened_again(
    bot: Bot,
) -> None:
    pr, well = passed(bot, "verdict_stands"), bot.services
    away = Mlflow("http://127.0.0.1:9", sign_in=lambda: None, workspace=False)
    bot.be_with(replace(well, validation=replace(well.validation, runs=away)))
    bot.world.azure.abandon(pr.number)
    bot.world.azure.drain(10)
    for _ in range(checks.PATIENCE + 1):
        bot.worker.step(ahead=60)
    bot.world.azure.reactivate(pr.number)
    bot.world.azure.drain(10)
    bot.worker.step(ahead=60)
    bot.be_with(well)
    bot.settle()

    assert [one["state"] for one in pr.statuses] == ["pending", "succeeded"]
    assert pr.report.startswith("### ✅")


def test_tidying_twice_changes_nothing_more(bot: Bot) -> None:
    pr = passed(bot, "given_up_twice")
    bot.world.azure.abandon(pr.number)
    bot.settle()
    bot.forget(pr)
    before = len(bot.queue.passes(limit=1000))
    bot.settle()

    assert len(bot.queue.passes(limit=1000)) == before


def test_a_sweep_goes_on_while_mlflow_cannot_tell_what_is_left(bot: Bot) -> None:
    away = Mlflow("http://127.0.0.1:9", sign_in=lambda: None, workspace=False)
    world = replace(bot.services, validation=replace(bot.services.validation, runs=away))

    assert list(sweep.due(world)) != []
