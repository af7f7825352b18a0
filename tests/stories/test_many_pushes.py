"""Twenty pushes in a row to one pull request, while the bot works: it keeps up, and says
one thing.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bot_in_process import Bot
from tests.stories.test_pull_requests import QUICK, in_mode, opened

PUSHES = 20
FINAL = ("succeeded", "failed", "error", "notApplicable")


@contextmanager
def at_work(bot: Bot) -> Iterator[None]:
    """The bot makes passes beside the story, as a worker process does."""
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            if not bot.worker.step(ahead=2.0):
                over.wait(0.05)

    thread = threading.Thread(target=work, name="worker at work")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def wait_for_a_run(bot: Bot, commit: str) -> None:
    pause, end = threading.Event(), time.monotonic() + 30
    while not any(commit[:7] in run["run_name"] for run in bot.world.databricks.runs()):
        assert time.monotonic() < end, f"nothing runs for {commit[:7]}"
        pause.wait(0.02)


def test_twenty_pushes_in_a_row_end_in_one_verdict_for_the_last_and_two_finished_runs_at_most(
    bot: Bot, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    azure, databricks = bot.world.azure, bot.world.databricks
    pr = opened(bot, "pushed_often", in_mode(bot, f"until {gate}"))
    commits = [azure.tip("pushed_often")]

    with at_work(bot):
        for number in range(2, PUSHES + 1):
            commits.append(
                azure.push("pushed_often", {f"{QUICK}/note.md": str(number)}, f"Change {number}")
            )
            if number % 4 == 0:
                wait_for_a_run(bot, commits[-1])
    gate.touch()
    bot.settle()

    runs = {
        run["run_id"]: run
        for run in databricks.runs()
        if any(sha[:7] in run["run_name"] for sha in commits)
    }
    results = [run["state"].get("result_state") for run in runs.values()]
    assert [(one["iterationId"], one["state"]) for one in pr.statuses if one["state"] in FINAL] == [
        (PUSHES, "succeeded")
    ]
    assert len(pr.threads) == 1
    assert commits[-1][:7] in pr.report
    assert 1 <= results.count("SUCCESS") <= 2
    assert set(results) <= {"SUCCESS", "CANCELED"}
    assert len({run["run_name"] for run in runs.values()}) == len(runs)
    assert len(runs) >= PUSHES // 4
    orders = [
        (
            call.path.rpartition("/")[2],
            (call.request if call.path.endswith("cancel") else call.response)["run_id"],
        )
        for call in databricks.calls
        if call.path.endswith(("/runs/submit", "/runs/cancel")) and call.status == 200
    ]
    ours = list(dict.fromkeys(order for order in orders if order[1] in runs))
    assert [verb for verb, _ in ours] == ["submit", *["cancel", "submit"] * (len(runs) - 1)]
