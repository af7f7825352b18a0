"""Commands on a pull request, heard and answered in the stand-in Azure DevOps; what production says
of itself.
"""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from bot.config.deployment import Commands
from bot.config.repository import Job, Project
from bot.controllers.branch import live
from bot.controllers.permissions import Rights
from bot.controllers.pull_request import answers
from bot.controllers.services import Repository, Services
from bot.facts.branch import Live
from bot.facts.pull_request import PullRequestHead, Situation, Step
from bot.facts.runs import ProjectRun, RunFault
from bot.rules.pull_request import commands
from bot.rules.pull_request.commands import Given
from tests.bot_in_process import Bot

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TRAIN = Project(path="projects/quick")


@pytest.fixture
def number(bot: Bot) -> int:
    """A pull request that nobody tells the bot of."""
    bot.world.azure.team("ML leads", "Kim")
    branch = f"talk_{uuid4().hex[:8]}"
    bot.world.azure.push("elsewhere", {"a.txt": "a"}, "Elsewhere")
    bot.world.azure.push(branch, {"a.txt": branch}, "Change it")
    return bot.world.azure.open_pull_request(branch, "elsewhere", author="Ada Bergström")


def repository(bot: Bot) -> Repository:
    return bot.services.repositories[bot.settings.served[0].key]


def heard(bot: Bot, number: int) -> list[Given]:
    return commands.open(repository(bot).azure.discussion(number))


def head(bot: Bot, number: int) -> PullRequestHead:
    return repository(bot).azure.pull_request(number)


def test_a_command_is_liked_once_answered_once_and_its_thread_resolved(
    bot: Bot, number: int
) -> None:
    azure = repository(bot).azure
    thread = bot.world.azure.comment(number, "/mlops rerty", author="Bo Okafor")
    given = heard(bot, number)

    answers.acknowledge(azure, number, given, azure.me())
    before = len(bot.world.azure.calls)
    answers.acknowledge(azure, number, heard(bot, number), azure.me())
    assert [one.method for one in bot.world.azure.calls[before:]] == ["GET"]
    (one,) = given
    answers.answer(azure, number, one, "`/mlops rerty` ❓ Did you mean `/mlops retry`?")

    assert heard(bot, number) == []
    (found,) = (one for one in bot.world.azure.threads(number) if one["id"] == thread)
    assert found["status"] == "closed"
    assert [like["displayName"] for like in found["comments"][0]["usersLiked"]] == ["Signalman"]
    assert found["comments"][1]["parentCommentId"] == 1


def test_a_thread_that_people_opened_for_something_else_stays_open(bot: Bot, number: int) -> None:
    thread = bot.world.azure.comment(number, "Is this right?", author="Ada Bergström")
    bot.world.azure.comment(number, "/mlops status", thread, author="Bo Okafor")
    (given,) = heard(bot, number)

    answers.answer(repository(bot).azure, number, given, "`/mlops status` ℹ️ nothing")

    (found,) = (one for one in bot.world.azure.threads(number) if one["id"] == thread)
    assert found["status"] == "active"
    assert heard(bot, number) == []


def test_a_command_that_was_taken_back_meanwhile_troubles_nobody(bot: Bot, number: int) -> None:
    bot.world.azure.comment(number, "/mlops status", author="Bo Okafor")
    (given,) = heard(bot, number)
    gone = replace(given, comment=replace(given.comment, thread=4711))

    answers.acknowledge(repository(bot).azure, number, [gone], "me")
    answers.answer(repository(bot).azure, number, gone, "words")


def test_who_may_not_is_told_who_may_and_who_may_is_not(bot: Bot, number: int) -> None:
    world = replace(bot.services, rights=Rights(Commands(model_owners=("ML leads",))))
    line = '/mlops override gate reason="fine"'
    for author in ("Bo Okafor", "Kim"):
        bot.world.azure.comment(number, line, author=author)
    bo, kim = heard(bot, number)

    told = answers.refused(bo, head(bot, number), repository(bot), world)

    assert told.startswith("`/mlops override gate")
    assert "`ML leads`" in told
    assert answers.refused(kim, head(bot, number), repository(bot), world) == ""
    own = replace(head(bot, number), author_id=kim.comment.author_id)
    assert "You opened this pull request" in answers.refused(kim, own, repository(bot), world)


def situation(bot: Bot, number: int) -> Situation:
    run = ProjectRun("t", TRAIN.path, "c", 1, "local", outcome="failed", log="one\ntwo\nthree\n")
    return Situation(
        head(bot, number), (Step(TRAIN, "failed", run, RunFault("reported", "it broke")),), NOW
    )


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("/mlops rerty", "Did you mean `/mlops retry`?"),
        ("/mlops help", "| `/mlops retry` |"),
        ("/mlops status", "| `quick` | ❌ failed |"),
        ("/mlops diff", "not known yet"),
        ("/mlops explain", "`it broke`"),
        ("/mlops logs quick 2", "```text\ntwo\nthree\n```"),
        ("/mlops logs projects/Quick/ 1", "```text\nthree\n```"),
        ("/mlops logs slow", "There are `quick`."),
    ],
)
def test_what_only_asks_is_told(bot: Bot, number: int, line: str, told: str) -> None:
    asked = commands.read(line)
    assert asked is not None

    found = answers.told(asked, situation(bot, number), repository(bot), bot.services)

    assert found is not None
    assert told in found


@pytest.mark.parametrize("name", [*commands.ORDERS, "retrain", "rollback"])
def test_what_changes_something_is_not_answered_by_telling(
    bot: Bot, number: int, name: str
) -> None:
    (verb,) = (one for one in commands.VERBS if one.name == name)
    asked = commands.read(verb.examples[0])
    assert asked is not None

    assert answers.told(asked, situation(bot, number), repository(bot), bot.services) is None


def test_what_serves_is_told_with_its_commit_and_since_when(bot: Bot) -> None:
    call, world = bot.world.mlflow.call, bot.services
    call("POST", "/api/2.0/mlflow/registered-models/create", {"name": "told_live"})
    call(
        "POST",
        "/api/2.0/mlflow/model-versions/create",
        {"name": "told_live", "source": "s3://models/told"},
    )
    call(
        "POST",
        "/api/2.0/mlflow/registered-models/alias",
        {"name": "told_live", "alias": "champion", "version": "1"},
    )
    job(world, "told-live", {"model_name": "told_live", "model_version": "1"}, {
        "signalman_model": "told_live", "signalman_version": "1", "signalman_commit": "c" * 40,
    })  # fmt: skip
    job(world, "told-idle", {}, {})
    names = ("told-live", "told-idle", "told-missing")
    wanted = [Job(name=name, notebook="/Shared/x", model="told_live") for name in names]

    serving, idle, missing = live.loaded(wanted, world)

    assert (serving.model, serving.version, serving.commit) == ("told_live", "1", "c" * 40)
    assert serving.since is not None
    assert abs((datetime.now(UTC) - serving.since).total_seconds()) < 3600
    assert idle == Live("told-idle", problem="no version of told_live was promoted yet")
    assert "no such job" in missing.problem


def job(world: Services, name: str, parameters: dict[str, str], tags: dict[str, str]) -> None:
    world.production.databricks.create_job(
        {
            "name": name,
            "tasks": [{"task_key": "score", "notebook_task": {"notebook_path": "/Shared/x"}}],
            "parameters": [{"name": key, "default": value} for key, value in parameters.items()],
            "tags": tags,
        }
    )
