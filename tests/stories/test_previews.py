"""What a merge would do, read from a stand-in Azure DevOps and a stand-in Databricks, and compared
with the merge.
"""

import pytest

from bot.controllers.pull_request import preview
from bot.facts.branch import MergeFault, Preview
from bot.words.branch import merge_faults
from tests.bot_in_process import Bot, PullRequest
from tests.stories.test_pull_requests import opened

NOTEBOOK = "# Databricks notebook source\nprint({!r})\n"


def previewed(bot: Bot, pr: PullRequest) -> Preview:
    (repository,) = bot.services.repositories.values()
    head = repository.azure.pull_request(pr.number)
    return preview.gather(head, repository, bot.services, bot.services.now())


@pytest.fixture(scope="module")
def content(bot: Bot) -> Bot:
    files = {
        "mlflow_hooks/preview.py": NOTEBOOK.format(1),
        "mlflow_hooks/preview_old.py": "x = 1\n",
    }
    bot.world.azure.push("main", files, "Begin", base="main")
    bot.settle()
    return bot


def said(faults: tuple[MergeFault, ...]) -> str:
    """Why a merge cannot be brought, as people read it."""
    return "\n".join(merge_faults(faults))


def test_a_merge_does_what_was_told_before(content: Bot) -> None:
    changes = {
        "mlflow_hooks/preview.py": NOTEBOOK.format(2),
        "mlflow_hooks/preview_table.csv": "a\n1\n",
    }
    pr = opened(content, "previewed", {**changes, "mlflow_hooks/preview_old.py": None})
    content.world.azure.push(
        "main", {"mlflow_hooks/others.py": NOTEBOOK.format("others")}, "Go on", base="main"
    )

    told = previewed(content, pr)
    before = content.world.databricks.tree("/Shared/mlflow_hooks").keys()
    content.world.azure.complete(pr.number)
    content.settle()
    after = content.world.databricks.tree("/Shared/mlflow_hooks").keys()

    assert told.added == ("/Shared/mlflow_hooks/preview_table.csv",)
    assert told.changed == ("/Shared/mlflow_hooks/preview",)
    assert told.removed == ("/Shared/mlflow_hooks/preview_old.py",)
    assert [(job.name, job.created, job.schedule) for job in told.jobs] == [
        ("nightly", False, "at 02:00 Europe/Zurich")
    ]
    assert told.jobs[0].next_run is not None
    assert set(told.added) == after - before - {"/Shared/mlflow_hooks/others"}
    assert set(told.removed) == before - after


def test_a_conflict_is_told_instead(content: Bot) -> None:
    pr = opened(content, "conflicting", {"mlflow_hooks/preview.py": NOTEBOOK.format("here")})
    content.world.azure.push(
        "main", {"mlflow_hooks/preview.py": NOTEBOOK.format("there")}, "Disagree", base="main"
    )
    content.world.azure.push(
        "conflicting", {"mlflow_hooks/preview.py": NOTEBOOK.format("still")}, "Insist"
    )

    told = previewed(content, pr)

    assert told == Preview(problem=told.problem)
    assert told.problem.startswith("Azure DevOps has not merged ")
    assert "it conflicts with it" in told.problem


def test_a_configuration_that_the_merge_would_break_is_told(content: Bot) -> None:
    pr = opened(content, "breaks_config", {"config/mlops.yml": "targets: main\n"})

    assert "config/mlops.yml: targets is not a key" in said(previewed(content, pr).refused)


def test_a_merge_that_repairs_the_target_branch_brings_what_the_workspace_does_not_hold(
    content: Bot,
) -> None:
    azure = content.world.azure
    good = azure.read("config/mlops.yml")
    azure.push("main", {"config/mlops.yml": "targets: main\n"}, "Break it", base="main")
    pr = opened(
        content, "repairs", {"config/mlops.yml": good, "mlflow_hooks/repair.py": NOTEBOOK.format(1)}
    )

    told = previewed(content, pr)
    azure.push("main", {"config/mlops.yml": good}, "Repair it", base="main")

    assert "/Shared/mlflow_hooks/repair" in told.added
    assert "/Shared/mlflow_hooks/preview" not in told.added
    assert told.removed == ()
    assert told.problem == ""


def test_what_the_target_branch_has_wrong_already_is_held_against_nobody_else(content: Bot) -> None:
    azure, wrong = content.world.azure, "resources: {jobs: {%s: {name: %s, taks: []}}}\n"
    azure.push(
        "main", {"config/jobs/old_mistake.yml": wrong % ("a", "a")}, "Break a job", base="main"
    )
    other = opened(content, "unrelated", {"mlflow_hooks/unrelated.py": NOTEBOOK.format(1)})
    worse = opened(content, "worse", {"config/jobs/new_mistake.yml": wrong % ("b", "b")})

    told, held = previewed(content, other), previewed(content, worse)
    azure.push("main", {"config/jobs/old_mistake.yml": None}, "Mend it", base="main")

    assert said(told.already).startswith("config/jobs/old_mistake.yml: resources.jobs.a")
    assert (told.refused, told.added) == ((), ("/Shared/mlflow_hooks/unrelated",))
    assert said(held.refused).startswith("config/jobs/new_mistake.yml: resources.jobs.b")
    assert held.already == told.already


def test_a_databricks_that_is_away_is_told_in_a_sentence_and_holds_up_nothing(content: Bot) -> None:
    pr = opened(content, "while_away", {"mlflow_hooks/table.csv": "a\n3\n"})
    content.world.databricks.fail_next("GET", "/api/2.2/jobs/get", 503)

    told = previewed(content, pr)

    assert told == Preview(problem=told.problem)
    assert told.problem.startswith("Databricks could not show job ")


JOB = """
resources:
  jobs:
    previewed:
      name: previewed-training
      run_as: {user_name: somebody@contoso.com}
      tasks: [{task_key: train, notebook_task: {notebook_path: ../../mlflow_hooks/%s.py}}]
      schedule: {quartz_cron_expression: "0 0 4 ? * SUN", timezone_id: Europe/Zurich}
"""


def test_a_job_that_a_merge_brings_is_told_with_its_next_runs(content: Bot) -> None:
    pr = opened(content, "brings_a_job", {"config/jobs/previewed.yml": JOB % "preview"})

    (job,) = previewed(content, pr).jobs

    assert (job.name, job.created, job.left) == ("previewed-training", True, ("run_as",))
    assert job.schedule == "at 04:00, only on Sunday Europe/Zurich"
    assert [when.strftime("%a %H:%M") for when in (job.next_run, *job.later) if when] == [
        "Sun 04:00"
    ] * 3


def test_mistakes_in_job_definitions_are_refused_before_the_merge(content: Bot) -> None:
    pr = opened(
        content, "brings_a_mistake", {"config/jobs/previewed.yml": JOB % "gone" + "targets: {}\n"}
    )
    missing = opened(content, "brings_no_notebook", {"config/jobs/previewed.yml": JOB % "gone"})

    told, without = previewed(content, pr), previewed(content, missing)

    assert said(told.refused).startswith(
        "config/jobs/previewed.yml: targets says where a bundle is deployed to"
    )
    assert said(without.refused).startswith(
        "config/jobs/previewed.yml: task train of job previewed runs /Shared/mlflow_hooks/gone, "
        "but the repository"
    )
    assert (told.problem, told.jobs, without.jobs) == ("", (), ())
