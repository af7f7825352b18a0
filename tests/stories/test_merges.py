"""A merge from outside: complete the pull request, read the workspace."""

from tests.bot_in_process import Bot
from tests.stories.test_pull_requests import opened

HOOKS = "/Shared/mlflow_hooks"
NOTEBOOK = "# Databricks notebook source\nprint({!r})\n"


def test_a_merge_makes_the_workspace_hold_what_the_branch_holds(bot: Bot) -> None:
    pr = opened(
        bot,
        "adds_hook",
        {"mlflow_hooks/fresh.py": NOTEBOOK.format(1), "mlflow_hooks/table.csv": "a\n1\n"},
    )
    bot.settle()
    merged = bot.world.azure.complete(pr.number)
    bot.settle()

    tree = bot.world.databricks.tree(HOOKS)
    (told,) = [reply for thread in pr.threads for reply in thread if "Merged as" in reply]

    assert {
        f"{HOOKS}/fresh",
        f"{HOOKS}/table.csv",
        f"{HOOKS}/score",
        f"{HOOKS}/settings.py",
    } <= tree.keys()
    assert f"Merged as `{merged[:7]}`" in told
    assert f"`{HOOKS}` 0 updated, 2 new, 0 removed" in told


def test_only_what_changed_is_written_and_before_anything_is_removed(bot: Bot) -> None:
    files = {f"mlflow_hooks/many_{number}.py": NOTEBOOK.format(number) for number in range(5)}
    bot.world.azure.complete(opened(bot, "adds_many", files).number)
    bot.settle()
    bot.world.databricks.calls.clear()

    changes = {"mlflow_hooks/many_0.py": NOTEBOOK.format("new"), "mlflow_hooks/many_1.py": None}
    bot.world.azure.complete(opened(bot, "changes_two", changes).number)
    bot.settle()

    calls = [
        call.path
        for call in bot.world.databricks.calls
        if call.method == "POST" and "/workspace/" in call.path
    ]
    written = [c.request["path"] for c in bot.world.databricks.calls if c.path.endswith("/import")]
    assert [path for path in written if ".signalman" not in path] == [f"{HOOKS}/many_0.py"]
    assert calls.index("/api/2.0/workspace/import") < calls.index("/api/2.0/workspace/delete")
    tree = bot.world.databricks.tree(HOOKS)
    assert f"{HOOKS}/many_1" not in tree
    assert f"{HOOKS}/many_2" in tree


def test_what_somebody_else_put_there_stays(bot: Bot) -> None:
    bot.services.production.databricks.write(f"{HOOKS}/mine.txt", b"by hand")

    bot.world.azure.complete(
        opened(bot, "another_merge", {"mlflow_hooks/x.py": NOTEBOOK.format("x")}).number
    )
    bot.settle()

    assert f"{HOOKS}/mine.txt" in bot.world.databricks.tree(HOOKS)


def test_folders_go_with_their_last_file_unless_somebody_keeps_something_there(bot: Bot) -> None:
    files = {f"mlflow_hooks/{folder}/inner/one.txt": "1" for folder in ("left", "shared")}
    bot.world.azure.complete(opened(bot, "adds_folders", files).number)
    bot.settle()
    bot.services.production.databricks.write(f"{HOOKS}/shared/mine.txt", b"by hand")

    bot.world.azure.complete(opened(bot, "removes_folders", dict.fromkeys(files)).number)
    bot.settle()

    there = {
        path: bot.world.databricks.tree_on_disk.kind(f"{HOOKS}/{path}")
        for path in ("left", "shared/inner")
    }
    assert there == {"left": None, "shared/inner": None}
    assert bot.world.databricks.tree(f"{HOOKS}/shared") == {f"{HOOKS}/shared/mine.txt": b"by hand"}


def test_the_job_is_created_once_and_its_pause_is_left_alone(bot: Bot) -> None:
    (job,) = (job for job in bot.world.databricks.jobs() if job["settings"]["name"] == "nightly")
    schedule = job["settings"]["schedule"]
    assert (schedule["quartz_cron_expression"], schedule["timezone_id"]) == (
        "0 0 2 * * ?",
        "Europe/Zurich",
    )
    bot.world.databricks.pause(job["job_id"])

    bot.world.azure.complete(
        opened(bot, "third_merge", {"mlflow_hooks/y.py": NOTEBOOK.format("y")}).number
    )
    bot.settle()
    bot.sweep()

    (after,) = (job for job in bot.world.databricks.jobs() if job["settings"]["name"] == "nightly")
    assert after["job_id"] == job["job_id"]
    assert after["settings"]["schedule"]["pause_status"] == "PAUSED"
    bot.world.databricks.pause(job["job_id"], paused=False)


def test_a_direct_push_is_synced_like_a_merge(bot: Bot) -> None:
    bot.world.azure.push(
        "main", {"mlflow_hooks/direct.py": NOTEBOOK.format("direct")}, "Push it", base="main"
    )
    bot.settle()

    assert f"{HOOKS}/direct" in bot.world.databricks.tree(HOOKS)


def test_a_merge_that_changes_nothing_of_ours_is_not_commented(bot: Bot) -> None:
    pr = opened(bot, "readme_only", {"README.md": "Other words."})
    bot.world.azure.complete(pr.number)
    bot.settle()

    assert pr.threads == []


def test_a_second_look_finds_nothing_to_do(bot: Bot) -> None:
    bot.settle()
    bot.world.databricks.calls.clear()
    bot.sweep()

    assert {call.method for call in bot.world.databricks.calls} <= {"GET"}


def test_all_who_merged_before_the_bot_looked_are_told(bot: Bot) -> None:
    bot.settle()
    merged = [
        opened(bot, f"together_{n}", {f"mlflow_hooks/together_{n}.py": NOTEBOOK.format(n)})
        for n in (1, 2, 3)
    ]
    commits = [bot.world.azure.complete(pr.number) for pr in merged]
    bot.settle()

    told = [[line for line in thread if "Merged" in line] for pr in merged for thread in pr.threads]

    assert [[line.split(":")[0] for line in lines] for lines in told] == [
        [f"🔁 Merged as `{commits[0][:7]}`, live with `{commits[2][:7]}`"],
        [f"🔁 Merged as `{commits[1][:7]}`, live with `{commits[2][:7]}`"],
        [f"🔁 Merged as `{commits[2][:7]}`"],
    ]


def test_a_merge_is_synced_even_if_no_push_is_told(bot: Bot) -> None:
    pr = opened(bot, "push_untold", {"mlflow_hooks/untold.py": NOTEBOOK.format("untold")})
    bot.settle()
    with bot.world.azure.silent("git.push"):
        bot.world.azure.complete(pr.number)
        bot.settle()

    assert f"{HOOKS}/untold" in bot.world.databricks.tree(HOOKS)
