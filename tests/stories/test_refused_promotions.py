"""A version that is promoted and not good enough to be scored with: people are told why, and the
job stays as it is.
"""

import shutil
from collections.abc import Iterator

import pytest

from tests.bot_in_process import Bot, PullRequest
from tests.stories.test_commands_from_a_pull_request import ADA, BEN, asked, led
from tests.stories.test_promotions import points_at, trained
from tests.stories.test_pull_requests import in_mode, opened

__all__ = ["led"]


@pytest.fixture(autouse=True)
def nothing_serves(bot: Bot) -> Iterator[None]:
    bot.retire_all()
    yield
    bot.retire_all()


def promote(bot: Bot, model: str, version: int) -> None:
    bot.world.databricks.transition(model, version, "Production", archive=True)
    bot.settle()


def tags(bot: Bot, model: str, version: int) -> dict[str, str]:
    path = f"/api/2.0/mlflow/model-versions/get?name={model}&version={version}"
    found = bot.world.mlflow.call("GET", path)["model_version"].get("tags", ())
    return {one["key"]: one["value"] for one in found}


def judged_worse(bot: Bot, branch: str) -> PullRequest:
    """A pull request whose second version is not good enough; the first is promoted."""
    pr = trained(bot, branch)
    promote(bot, f"{branch}_model", 1)
    bot.world.azure.push(branch, in_mode(bot, "worse"), "Worse")
    bot.settle()
    assert pr.status == "failed"
    return pr


def test_a_version_whose_commit_was_not_good_enough_is_refused_once(bot: Bot) -> None:
    pr = judged_worse(bot, "never_validated")
    before, said = points_at(bot), len(pr.replies)

    promote(bot, "never_validated_model", 2)
    bot.sweep()
    bot.sweep()

    assert points_at(bot) == before == ("never_validated_model", "1")
    (told,) = pr.replies[said:]
    assert told.startswith(
        "🛑 `never_validated_model` **v2** is promoted by `stage Production`, but job `nightly`"
    )
    assert (
        "Signalman never validated the commit it comes from: signalman/validate is `failed`" in told
    )
    assert '`/mlops override promotion reason="…"`' in told
    assert "does not score with this version" in tags(bot, "never_validated_model", 2)["signalman"]


def test_a_model_owner_accepts_it_on_the_pull_request_and_the_job_follows(led: Bot) -> None:
    pr = judged_worse(led, "accepted_version")
    promote(led, "accepted_version_model", 2)

    by_its_author = asked(pr, '/mlops override promotion reason="I like it"', author=ADA)
    before = points_at(led)
    answer = asked(pr, '/mlops override promotion reason="measured by hand"', author=BEN)

    assert "model owner" in by_its_author
    assert before == ("accepted_version_model", "1")
    assert "`accepted_version_model` **v2** may be scored with" in answer
    assert points_at(led) == ("accepted_version_model", "2")
    assert (
        tags(led, "accepted_version_model", 2)["signalman_accepted"] == f"{BEN}: measured by hand"
    )
    assert f"accepted by `{BEN}: measured by hand`" in pr.replies[-1]
    assert pr.status == "failed", "what was judged of the commit stays"


def test_where_nothing_of_it_is_promoted_there_is_nothing_to_accept(led: Bot) -> None:
    pr = opened(led, "not_promoted_at_all", {"README.md": "nothing"})
    led.settle()

    answer = asked(pr, '/mlops override promotion reason="why not"', author=BEN)

    assert "there is none to accept" in answer


def registered_by_hand(bot: Bot, model: str) -> int:
    """A version of a run that carries no tags, with the files of version 1; gives its number."""
    call = bot.world.mlflow.call
    known = call("GET", f"/api/2.0/mlflow/model-versions/get?name={model}&version=1")[
        "model_version"
    ]
    run = call("POST", "/api/2.0/mlflow/runs/create", {"experiment_id": "0"})["run"]["info"]
    shutil.copytree(known["source"], run["artifact_uri"])
    body = {"name": model, "source": run["artifact_uri"], "run_id": run["run_id"]}
    return int(
        call("POST", "/api/2.0/mlflow/model-versions/create", body)["model_version"]["version"]
    )


def test_a_version_of_unknown_code_waits_until_somebody_accepts_it_in_the_registry(
    bot: Bot,
) -> None:
    trained(bot, "by_hand")
    number = registered_by_hand(bot, "by_hand_model")
    promote(bot, "by_hand_model", number)
    refused = tags(bot, "by_hand_model", number)["signalman"]
    bot.heard |= {one.key for one in bot.queue.deliveries()}

    body = {
        "name": "by_hand_model",
        "version": str(number),
        "key": "signalman_accepted",
        "value": "Ben: I know it",
    }
    bot.world.mlflow.call("POST", "/api/2.0/mlflow/model-versions/set-tag", body)
    bot.hear_of("by_hand_model", number)

    assert "its MLflow run names no commit" in refused
    assert points_at(bot) == ("by_hand_model", str(number))


def test_a_version_that_needs_a_column_which_the_one_before_was_not_given_is_refused(
    bot: Bot,
) -> None:
    pr = trained(bot, "more_columns")
    promote(bot, "more_columns_model", 1)
    path = "projects/quick/mlflow_rest.py"
    more = bot.world.azure.read(path).decode().replace('("acidity", "sugar")', '("a", "sugar")')
    bot.world.azure.push("more_columns", {path: more}, "Take another column")
    bot.settle()
    assert pr.status == "succeeded"

    promote(bot, "more_columns_model", 2)

    assert points_at(bot) == ("more_columns_model", "1")
    assert (
        "does not score with it: it needs a column `a`, which `v1` is not given." in pr.replies[-1]
    )
