"""Jobs as code from outside: a definition is merged, changed, renamed and removed; what people set
by hand stays.
"""

from typing import Any

from tests.bot_in_process import Bot
from tests.stories.test_pull_requests import opened

FILE = "config/jobs/told.yml"
DEFINITION = """\
resources:
  jobs:
    told:
      name: {name}
      timeout_seconds: {timeout}
      schedule: {{quartz_cron_expression: '0 30 4 * * ?', timezone_id: UTC, pause_status: PAUSED}}
      permissions: [{{level: CAN_VIEW, group_name: users}}]
      tasks:
        - task_key: only
          notebook_task: {{notebook_path: ../../mlflow_hooks/score.py}}
"""


def merged(bot: Bot, branch: str, content: str | None) -> str:
    """What is said below the report when a definition was merged."""
    pr = opened(bot, branch, {FILE: content})
    bot.settle()
    bot.world.azure.complete(pr.number)
    bot.settle()
    return next(reply for thread in pr.threads for reply in thread if "Merged as" in reply)


def jobs(bot: Bot) -> list[dict[str, Any]]:
    return [
        job for job in bot.world.databricks.jobs() if job["settings"]["name"].startswith("coded-")
    ]


def test_a_definition_becomes_a_job_is_changed_renamed_and_removed(bot: Bot) -> None:
    told = merged(bot, "told_comes", DEFINITION.format(name="coded-one", timeout=600))
    (made,) = jobs(bot)
    assert "Job `coded-one` created." in told
    assert (
        made["settings"]["tasks"][0]["notebook_task"]["notebook_path"]
        == "/Shared/mlflow_hooks/score"
    )
    assert made["settings"]["schedule"]["pause_status"] == "PAUSED"
    assert made["settings"]["tags"]["signalman_job"] == "told"

    bot.world.databricks.pause(made["job_id"], paused=False)
    bot.services.production.databricks.update_job(made["job_id"], {"max_concurrent_runs": 3})
    told = merged(bot, "told_changes", DEFINITION.format(name="coded-one", timeout=900))
    (changed,) = jobs(bot)
    assert "Job `coded-one` changed." in told
    assert changed["settings"]["timeout_seconds"] == 900
    assert changed["settings"]["max_concurrent_runs"] == 3
    assert changed["settings"]["schedule"]["pause_status"] == "UNPAUSED"

    merged(bot, "told_renamed", DEFINITION.format(name="coded-two", timeout=900))
    (renamed,) = jobs(bot)
    assert (renamed["job_id"], renamed["settings"]["name"]) == (made["job_id"], "coded-two")

    bot.world.databricks.calls.clear()
    told = merged(bot, "told_goes", None)
    assert "Job `coded-two` removed." in told
    assert jobs(bot) == []


def test_a_merge_elsewhere_does_not_ask_for_jobs(bot: Bot) -> None:
    bot.sweep()
    bot.world.databricks.calls.clear()
    pr = opened(bot, "told_elsewhere", {"mlflow_hooks/elsewhere.txt": "1"})
    bot.settle()
    bot.world.databricks.calls.clear()
    bot.world.azure.complete(pr.number)
    bot.settle()

    asked = [
        call.path.rpartition("/")[2]
        for call in bot.world.databricks.calls
        if "/workspace/" in call.path
    ]
    assert asked.count("import") == 3  # what is about to change, the file, what is there
