"""A pull request from outside: push, let the bot work, read what it says."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.rules.pull_request import checks
from tests.bot_in_process import Bot, PullRequest

QUICK = "projects/quick"


def opened(
    bot: Bot, branch: str, changes: dict[str, str | bytes | None], **more: Any
) -> PullRequest:
    bot.world.azure.push(branch, changes, f"Change {branch}")
    return PullRequest(
        bot, bot.world.azure.open_pull_request(branch, title=f"Change {branch}", **more)
    )


def in_mode(bot: Bot, mode: str, project: str = QUICK) -> dict[str, str | bytes | None]:
    text = bot.world.azure.read(f"{project}/train.py").decode()
    assert "mode = given.mode" in text, "a story has merged a mode into main"
    return {f"{project}/train.py": text.replace("mode = given.mode", f'mode = "{mode}"')}


def test_a_good_pull_request_is_trained_scored_and_passed(bot: Bot) -> None:
    changes = in_mode(bot, "fine") | {
        f"{QUICK}/note.md": "x",
        "projects/quick_scoring/note.md": "x",
    }

    pr = opened(bot, "good", changes)
    bot.settle()

    assert pr.status == "succeeded"
    assert [one["state"] for one in pr.statuses] == ["pending", "succeeded"]
    assert all(one["iterationId"] == 1 for one in pr.statuses)
    assert "good_model" in pr.report
    assert pr.report.count("[run page](") == 2
    assert pr.report.count("[MLflow run](") == 2
    assert len(pr.threads) == 1


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("raises", "KeyError: 'alcohol'"),
        ("exits", "exit code 3"),
        ("silent", "ended without logging the metric rmse"),
        ("no model", "ended without registering the model"),
    ],
)
def test_a_project_that_fails_is_told_so_with_its_reason(bot: Bot, mode: str, reason: str) -> None:
    branch = f"fails_{mode.replace(' ', '_')}"

    pr = opened(bot, branch, in_mode(bot, mode))
    bot.settle()

    assert pr.status == "failed"
    assert reason in "\n".join(pr.report.splitlines()[:3])
    assert f"mode {mode}" in pr.report
    assert pr.thread_status == "active"


def test_a_run_past_its_limit_is_stopped_and_told(bot: Bot) -> None:
    limited = (
        bot.world.azure.read("config/mlops.yml").decode().replace("timeout: 3m", "timeout: 2s", 1)
    )
    bot.world.azure.push("main", {"config/mlops.yml": limited}, "Shorten the limit", base="main")

    pr = opened(bot, "endless", in_mode(bot, "for ever"))
    bot.settle()
    restored = limited.replace("timeout: 2s", "timeout: 3m", 1)
    bot.world.azure.push("main", {"config/mlops.yml": restored}, "Lengthen it again", base="main")

    assert pr.status == "failed"
    assert "ran past its limit of 2.0 s" in pr.report.splitlines()[2]
    assert bot.ends(pr) == {"FAILED"}


def test_the_mlflow_run_shows_how_the_project_ended_even_if_the_project_said_otherwise(
    bot: Bot,
) -> None:
    pr = opened(bot, "abrupt", in_mode(bot, "exits"))
    bot.settle()

    assert bot.ends(pr) == {"FAILED"}


def test_a_bad_branch_name_is_told_with_a_free_one_and_runs_nothing(bot: Bot) -> None:
    bot.world.azure.push("feature_one", {"README.md": "taken"}, "Take the name")
    before = len(bot.world.databricks.runs())

    pr = opened(bot, "feature/one", in_mode(bot, "fine"))
    bot.settle()

    assert pr.status == "failed"
    assert pr.report.startswith("### 🚫 Branch name `feature/one` can't be used")
    assert "**Suggested:** `feature_one_2`" in pr.report
    assert len(bot.world.databricks.runs()) == before


def test_a_pull_request_that_touches_no_project_is_not_applicable_and_not_commented(
    bot: Bot,
) -> None:
    pr = opened(bot, "words_only", {"README.md": "Only words."})
    bot.settle()

    assert pr.status == "notApplicable"
    assert pr.threads == []


def test_a_renamed_file_counts_on_both_sides(bot: Bot) -> None:
    text = bot.world.azure.read(f"{QUICK}/train.py")

    pr = opened(bot, "moves_out", {f"{QUICK}/train.py": None, "elsewhere/train.py": text})
    bot.settle()

    assert pr.status == "failed"
    assert "`quick`" in pr.report


def test_a_newer_commit_is_judged_in_the_same_thread(bot: Bot) -> None:
    pr = opened(bot, "second_try", in_mode(bot, "raises"))
    bot.settle()
    bot.world.azure.push("second_try", in_mode(bot, "fine"), "Mend it")
    bot.settle()

    assert [one["state"] for one in pr.statuses] == ["pending", "failed", "pending", "succeeded"]
    assert pr.statuses[-1]["iterationId"] == 2
    assert pr.report.startswith("### ✅")
    assert pr.thread_status == "closed"


def test_a_newer_commit_stops_the_older_run(bot: Bot) -> None:
    pr = opened(bot, "superseded", in_mode(bot, "for ever"))
    bot.world.azure.drain(10)
    while pr.status != "pending":
        bot.worker.step(ahead=60)
    bot.world.azure.push("superseded", in_mode(bot, "fine"), "Do not wait")
    bot.settle()

    assert pr.status == "succeeded"
    assert sorted(bot.ends(pr, every=True)) == ["FINISHED", "KILLED"]


def test_a_closed_pull_request_runs_nothing_more(bot: Bot) -> None:
    pr = opened(bot, "given_up", in_mode(bot, "for ever"))
    bot.world.azure.drain(10)
    while pr.status != "pending":
        bot.worker.step(ahead=60)
    bot.world.azure.abandon(pr.number)
    bot.settle()

    assert bot.ends(pr) == {"KILLED"}
    assert pr.status == "pending"


@pytest.mark.parametrize("forgetful", [False, True])
def test_a_pull_request_that_is_opened_again_is_run_again(
    bot: Bot, tmp_path: Path, forgetful: bool
) -> None:
    gate = tmp_path / "gate"
    pr = opened(bot, f"second_thoughts_{forgetful}", in_mode(bot, f"until {gate}"))
    bot.world.azure.drain(10)
    while not (pr.threads and "running" in pr.report):
        bot.worker.step(ahead=60)
    bot.world.azure.abandon(pr.number)
    bot.settle()
    gate.touch()
    bot.world.azure.reactivate(pr.number)
    if forgetful:
        bot.forget(pr)
    bot.settle()

    assert [one["state"] for one in pr.statuses] == ["pending", "succeeded"]
    assert sorted(bot.ends(pr, every=True)) == ["FINISHED", "KILLED"]


def test_scoring_uses_the_version_that_this_pull_request_registered(bot: Bot) -> None:
    changes = in_mode(bot, "fine") | {"projects/quick_scoring/note.md": "x"}
    pr = opened(bot, "own_version", changes)
    bot.settle()
    bot.world.azure.push("own_version", {f"{QUICK}/note.md": "again"}, "Once more")
    bot.settle()

    versions = {run["data"]["metrics"].get("version") for run in bot.mlflow_runs(pr)} - {None}

    assert pr.status == "succeeded"
    assert versions == {1.0, 2.0}


def test_scoring_alone_brings_the_training_along_while_nothing_serves(bot: Bot) -> None:
    bot.retire_all()
    pr = opened(bot, "scoring_only", {"projects/quick_scoring/note.md": "x"})
    bot.settle()

    assert pr.status == "succeeded"
    assert "`quick`" in pr.report


def test_two_projects_that_do_not_depend_on_each_other_run_at_the_same_time(
    bot: Bot, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    changes = in_mode(bot, f"until {gate}") | in_mode(bot, f"until {gate}", "projects/other")
    pr = opened(bot, "side_by_side", changes)
    bot.world.azure.drain(10)
    while sum(f"!{pr.number} " in run["run_name"] for run in bot.world.databricks.runs()) < 2:
        bot.worker.step(ahead=60)
    gate.touch()
    bot.settle()

    one, other = (run["info"] for run in bot.mlflow_runs(pr))

    assert pr.status == "succeeded"
    assert max(one["start_time"], other["start_time"]) < min(one["end_time"], other["end_time"])


def test_a_pull_request_cannot_lower_the_bar_it_is_judged_by(bot: Bot) -> None:
    lenient = (
        bot.world.azure.read("config/mlops.yml")
        .decode()
        .replace("metrics: [{name: rmse, goal: lower, tolerance: 0.1}]", "")
    )

    pr = opened(bot, "lenient", in_mode(bot, "silent") | {"config/mlops.yml": lenient})
    bot.settle()

    assert pr.status == "failed"
    assert "without logging the metric rmse" in pr.report


def test_no_secret_of_the_bot_reaches_the_code_of_a_pull_request(bot: Bot) -> None:
    pr = opened(bot, "curious", in_mode(bot, "tells all"))
    bot.settle()

    (run,) = (run for run in bot.world.databricks.runs() if f"!{pr.number} " in run["run_name"])
    told = bot.world.databricks.output(run["run_id"])

    assert "variable MLFLOW_RUN_ID" in told
    for secret in vars(bot.world.keys).values():
        assert secret not in told


def test_a_pull_request_to_another_branch_is_left_alone(bot: Bot) -> None:
    bot.world.azure.push("release_1", {"README.md": "A release."}, "Release")

    pr = opened(bot, "hot_fix", in_mode(bot, "fine"), target="release_1")
    bot.settle()
    bot.sweep()

    assert pr.statuses == []
    assert pr.threads == []


def test_a_broken_configuration_is_nobodys_fault_on_the_pull_request(bot: Bot) -> None:
    good = bot.world.azure.read("config/mlops.yml").decode()
    bot.world.azure.push(
        "main", {"config/mlops.yml": good + "colour: green\n"}, "Break it", base="main"
    )

    pr = opened(bot, "innocent", in_mode(bot, "fine"))
    bot.settle_failing()
    told, report = pr.status, pr.report
    bot.world.azure.push("main", {"config/mlops.yml": good}, "Mend it", base="main")
    bot.settle_failing()
    bot.sweep()

    assert told == "error"
    assert "colour is not a key that Signalman knows" in report
    assert [one["state"] for one in pr.statuses] == ["error", "pending", "succeeded"]


def test_a_memo_that_is_lost_doubles_nothing(bot: Bot) -> None:
    pr = opened(bot, "forgetful", in_mode(bot, "fine"))
    bot.world.azure.drain(10)
    while pr.status != "pending":
        bot.worker.step(ahead=60)
    bot.forget(pr)
    bot.settle()
    bot.forget(pr)
    bot.sweep()

    assert [one["state"] for one in pr.statuses] == ["pending", "succeeded"]
    assert len(bot.mlflow_runs(pr)) == 1
    assert len(pr.threads) == 1
    assert pr.replies == []


def test_a_run_is_stopped_though_its_project_has_ended_its_mlflow_run_and_the_memo_is_lost(
    bot: Bot,
) -> None:
    pr = opened(bot, "ended_early", in_mode(bot, "for ever"))
    bot.world.azure.drain(10)
    while not (pr.threads and "running" in pr.report):
        bot.worker.step(ahead=60)
    (run,) = bot.mlflow_runs(pr)
    bot.world.mlflow.call(
        "POST",
        "/api/2.0/mlflow/runs/update",
        {"run_id": run["info"]["run_id"], "status": "FINISHED"},
    )
    bot.world.azure.push("ended_early", in_mode(bot, "fine"), "Once more")
    bot.forget(pr)
    bot.settle()

    assert sorted(bot.ends(pr, every=True)) == ["FINISHED", "KILLED"]
    assert pr.status == "succeeded"


def test_a_second_mlflow_run_of_one_order_is_closed(bot: Bot, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    pr = opened(bot, "seen_double", in_mode(bot, f"until {gate}"))
    bot.world.azure.drain(10)
    while not (pr.threads and "running" in pr.report):
        bot.worker.step(ahead=60)
    (run,) = bot.mlflow_runs(pr)
    late = {
        "experiment_id": run["info"]["experiment_id"],
        "tags": [t for t in run["data"]["tags"] if "cluster" not in t["key"]],
    }
    bot.world.mlflow.call(
        "POST", "/api/2.0/mlflow/runs/create", {**late, "start_time": run["info"]["start_time"] + 1}
    )
    bot.forget(pr)
    bot.worker.step()
    gate.touch()
    bot.settle()
    bot.forget(pr)
    bot.sweep()

    assert sorted(bot.ends(pr, every=True)) == ["FINISHED", "KILLED"]
    assert [one["state"] for one in pr.statuses] == ["pending", "succeeded"]


def test_a_cluster_that_does_not_start_is_tried_again_and_blamed_on_nobody(bot: Bot) -> None:
    bot.world.databricks.fail_next_cluster()

    pr = opened(bot, "no_cluster", in_mode(bot, "fine"))
    bot.world.azure.drain(10)
    while not (pr.threads and "tried again" in pr.report):
        bot.worker.step(ahead=60)
    bot.ahead += timedelta(minutes=1)
    bot.settle()

    assert pr.status == "succeeded"
    assert sorted(bot.ends(pr, every=True)) == ["FAILED", "FINISHED"]


def test_while_databricks_is_down_the_report_says_so_once_and_then_it_goes_on_by_itself(
    bot: Bot,
) -> None:
    bot.world.databricks.fail_next("POST", "/api/2.2/jobs/runs/submit", times=6)

    pr = opened(bot, "databricks_down", in_mode(bot, "fine"))
    bot.world.azure.drain(10)
    said = []
    while pr.status != "succeeded":
        bot.worker.step(ahead=60)
        said += [pr.report] if pr.threads and pr.report not in said else []

    assert said[0].startswith("### ⏸ ML validation waits for Databricks")
    assert [text for text in said if "waits for" in text] == said[:1]
    assert len(told_about(bot, pr, "comments")) == len(said) - 1
    assert [one["state"] for one in pr.statuses] == ["pending", "succeeded"]


def test_a_moment_of_silence_is_not_spoken_of(bot: Bot) -> None:
    bot.world.databricks.fail_next("POST", "/api/2.2/jobs/runs/submit", times=checks.PATIENCE)

    pr = opened(bot, "databricks_blinks", in_mode(bot, "fine"))
    bot.world.azure.drain(10)
    while not pr.threads:
        bot.worker.step(ahead=60)

    assert "running" in pr.report
    bot.settle()


@pytest.mark.parametrize("times", [1, 8])
def test_what_is_pending_is_shown_while_databricks_is_down(bot: Bot, times: int) -> None:
    bot.world.databricks.fail_next("GET", "/api/2.2/jobs/runs/get", times=times)

    pr = opened(bot, f"databricks_mute_{times}", in_mode(bot, "fine"))
    bot.settle()

    assert [one["state"] for one in pr.statuses] == ["pending", "succeeded"]
    assert pr.report.startswith("### ✅")


def told_about(bot: Bot, pr: PullRequest, what: str) -> list[str]:
    """The changes of a kind that the bot made to the pull request by REST."""
    path = f"/pullRequests/{pr.number}/threads/"
    return [
        f"{c.method} {c.path}"
        for c in bot.world.azure.calls
        if path in c.path and what in c.path and c.method != "GET"
    ]
