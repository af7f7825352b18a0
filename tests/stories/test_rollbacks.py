"""A rollback from outside: a worse version was promoted, and somebody wants the one before back."""

from collections.abc import Iterator

import pytest

from bot.controllers import target_config
from bot.controllers.model import rollback
from bot.passes import Look
from bot.subjects import PullRequest as Subject
from tests.bot_in_process import Bot
from tests.stories.test_promotions import job, points_at, trained

MODEL = "rolled_back_model"


@pytest.fixture(scope="module")
def promoted_twice(bot: Bot) -> Iterator[Bot]:
    bot.retire_all()
    trained(bot, "rolled_back", times=3)
    for number in (1, 2):
        promote(bot, number)
    assert points_at(bot) == (MODEL, "2")
    yield bot
    bot.retire_all()


def promote(bot: Bot, number: int) -> None:
    bot.world.databricks.transition(MODEL, number, "Production", archive=True)
    bot.settle()


def rolled_back(bot: Bot, named: str = "nightly") -> str:
    (repository,) = bot.services.repositories.values()
    look = Look(Subject(repository.served.key, 1), {}, news=True)
    return rollback.roll_back(
        named, target_config.read(repository)[1], look, repository, bot.services
    )[0]


def test_the_job_goes_back_and_stays_there_until_something_else_is_promoted(
    promoted_twice: Bot,
) -> None:
    bot = promoted_twice

    told = rolled_back(bot)
    after = points_at(bot)
    bot.sweep()
    bot.sweep()

    assert (
        f"Job `nightly` scores with `{MODEL}` **v1** again (was v2), from its next run on: " in told
    )
    assert after == points_at(bot) == (MODEL, "1")
    assert job(bot)["tags"]["signalman_held"] == f"{MODEL}/2"
    assert job(bot)["tags"]["signalman_version"] == "1"
    assert job(bot)["tags"]["signalman_commit"] not in ("", "unknown")
    assert rolled_back(bot) == told

    promote(bot, 3)

    assert points_at(bot) == (MODEL, "3")
    assert "signalman_held" not in job(bot)["tags"]
    assert job(bot)["tags"]["signalman_before"] == f"{MODEL}/1"


def test_the_only_job_needs_no_name_and_an_unknown_one_is_refused(promoted_twice: Bot) -> None:
    assert (
        "There is no job `daily`. Say which job to roll back: `/mlops rollback model nightly`."
        in rolled_back(promoted_twice, "daily")
    )
    assert "scores with" in rolled_back(promoted_twice, "")


def test_a_version_that_is_gone_is_not_gone_back_to(promoted_twice: Bot) -> None:
    promote(promoted_twice, 1)
    promote(promoted_twice, 3)
    body = {"name": MODEL, "version": "1"}
    promoted_twice.world.mlflow.call("DELETE", "/api/2.0/mlflow/model-versions/delete", body)

    told = rolled_back(promoted_twice)

    assert "was not rolled back: the version before is not in the registry any more." in told
    assert points_at(promoted_twice) == (MODEL, "3")
