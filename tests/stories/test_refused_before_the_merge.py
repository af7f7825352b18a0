"""What a merge could not bring to the workspace is refused before it, also where no project is
changed.
"""

import re

from bot.controllers.pull_request import controller as pull_request
from bot.passes import Look
from bot.subjects import Branch
from bot.subjects import PullRequest as PullRequestSubject
from tests.bot_in_process import Bot, PullRequest
from tests.stories.test_commands_from_a_pull_request import BEN, led
from tests.stories.test_pull_requests import opened

__all__ = ["led"]

NOTEBOOK = "# Databricks notebook source\nprint(1)\n"


def said(pr: PullRequest) -> str:
    """The state and the line of the newest status."""
    newest = pr.statuses[-1]
    return f"{newest['state']}: {newest['description']}"


def test_two_names_that_differ_by_case_only_fail_until_one_is_another(bot: Bot) -> None:
    two = {"mlflow_hooks/refused_case.txt": "1", "mlflow_hooks/Refused_Case.txt": "2"}
    pr = opened(bot, "two_cases", two)
    bot.settle()

    status, report = said(pr), pr.report
    bot.world.azure.push("two_cases", {"mlflow_hooks/Refused_Case.txt": None}, "Mend it")
    bot.settle()

    assert status.startswith("failed: would be refused on merge: mlflow_hooks/")
    assert report.startswith("### ⛔ What this would bring to the workspace cannot be brought")
    assert "two names that differ by case only" in report
    assert said(pr).startswith("notApplicable")
    assert "On merge (dry run): 0 changed, 1 new, 0 removed" in pr.report


def test_a_mistake_in_a_job_definition_fails_with_file_and_key(bot: Bot) -> None:
    wrong = {"config/jobs/refused.yml": "resources: {jobs: {a: {name: a, taks: []}}}\n"}
    pr = opened(bot, "wrong_definition", wrong)
    bot.settle()

    assert said(pr).startswith("failed: would be refused on merge: config/jobs/refused.yml")
    assert "resources.jobs.a.taks" in pr.report


def test_a_pull_request_that_brings_nothing_is_not_spoken_to(bot: Bot) -> None:
    pr = opened(bot, "only_words", {"NOTES.md": "1"})
    bot.settle()

    assert said(pr).startswith("notApplicable")
    assert pr.threads == []


def test_a_merge_that_removes_much_waits_until_somebody_agrees(led: Bot) -> None:
    bot = led
    hooks = {f"mlflow_hooks/much_{number}.py": NOTEBOOK for number in range(30)}
    bot.world.azure.complete(opened(bot, "brings_much", hooks).number)
    bot.settle()
    pr = opened(bot, "removes_much", dict.fromkeys(hooks))
    bot.settle()
    before = pr.report
    bot.world.azure.complete(pr.number)
    bot.settle()
    held = bot.world.databricks.tree("/Shared/mlflow_hooks").keys()

    assert re.search(r"⚠️ \*\*On merge:\*\* 30 of \d\d objects would be removed", before)
    assert {f"/Shared/mlflow_hooks/much_{number}" for number in range(30)} <= held
    assert any("say `/mlops confirm sync` here" in reply for reply in pr.replies)

    thread = bot.world.azure.comment(pr.number, "/mlops confirm sync", author=BEN)
    bot.settle()

    (answer,) = (
        one["comments"][1]["content"]
        for one in bot.world.azure.threads(pr.number)
        if one["id"] == thread
    )
    head = bot.world.azure.pull_request(pr.number)["lastMergeSourceCommit"]["commitId"]
    assert answer.startswith(f"`/mlops confirm sync` ✅ for `{head}`:")
    assert not [
        path for path in bot.world.databricks.tree("/Shared/mlflow_hooks") if "much_" in path
    ]

    subject = PullRequestSubject(next(iter(bot.services.repositories)), pr.number)
    again = pull_request.pass_over(
        subject, Look(subject, {}, news=False, resumed=True), bot.services
    )
    assert (
        Branch(subject.repository) in again.wake
    )  # a pass that was cut off after its answer has woken nobody
