"""Twenty pushes in a row to one pull request: how soon after a newer one was accepted the run for
an older is stopped.

Run by hand: `make bench-pushes`. Web and worker are real processes. Measured from the moment at
which web stored the first webhook that told of a newer commit, to the moment at which Databricks
was asked to cancel the run.
"""

import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from threading import Event

import click

from bot.queue import Queue
from sandbox.bot_process import BotProcess
from sandbox.ports import free_port
from sandbox.world import World
from tests.bot_in_process import CONTENT

PUSHES = 20
PAUSES = (0.0, 0.5, 1.5)
TRAIN = "projects/quick/train.py"
FINAL = ("succeeded", "failed", "error", "notApplicable")
LIMIT = 2.0


def main() -> int:
    """Print a line for each pause between the pushes; returns how many were not as they must be."""
    with (
        tempfile.TemporaryDirectory(prefix="signalman-") as folder,
        World(Path(folder, "world"), CONTENT) as world,
    ):
        bot = BotProcess(free_port(), Path(folder, "bot.log"))
        var = Path(folder, "var")
        try:
            environment = world.environment(bot.url, var)
            bot.start(environment)
            world.subscribe(bot.url)
            queue = Queue(environment["DATABASE_URL"])
            return sum(not _told(world, queue, pause) for pause in PAUSES)
        finally:
            bot.stop()


def _told(world: World, queue: Queue, pause: float) -> bool:
    azure, branch, wait = world.azure, f"often_{PAUSES.index(pause)}", Event()
    slow = azure.read(TRAIN).decode().replace("mode = given.mode", 'mode = "slow"')
    pushed = [(azure.push(branch, {TRAIN: slow}, "Train slowly"), time.time())]
    number = azure.open_pull_request(branch, title="Pushed often")
    for count in range(2, PUSHES + 1):
        wait.wait(pause)
        begun = time.time()
        pushed.append(
            (
                azure.push(
                    branch, {"projects/quick/note.md": f"{pause} {count}"}, f"Change {count}"
                ),
                begun,
            )
        )
    finals = _final_verdicts(world, number, wait)

    runs = {
        run["run_id"]: run for run in world.databricks.runs() if f"!{number} " in run["run_name"]
    }
    results = [run["state"].get("result_state", "none yet") for run in runs.values()]
    waits = _waits(world, queue, number, pushed, set(runs))
    threads = [one for one in azure.threads(number) if "signalman.thread" in one["properties"]]
    slowest = f"median {median(waits):.2f} s, slowest {max(waits):.2f} s" if waits else "never"
    click.echo(
        f"{PUSHES} pushes {pause:g} s apart: {len(threads)} thread, verdicts {finals} (iteration, "
        "state); "
        f"{len(runs)} runs: {results.count('SUCCESS')} finished, {results.count('CANCELED')} "
        "cancelled, "
        f"after the newer event was accepted: {slowest}."
    )
    right = (
        finals == [(PUSHES, "succeeded")]
        and len(threads) == 1
        and set(results) <= {"SUCCESS", "CANCELED"}
    )
    return right and results.count("SUCCESS") <= 2 and max(waits, default=0.0) <= LIMIT


def _final_verdicts(world: World, number: int, wait: Event) -> list[tuple[int, str]]:
    """All there are, as soon as the last iteration has one; or after a minute."""
    end, found = time.monotonic() + 60, list[tuple[int, str]]()
    while (not found or found[-1][0] != PUSHES) and time.monotonic() < end:
        wait.wait(0.1)
        statuses = [(one["iterationId"], one["state"]) for one in world.azure.statuses(number)]
        found = [status for status in statuses if status[1] in FINAL]
    return found


def _waits(
    world: World, queue: Queue, number: int, pushed: list[tuple[str, float]], runs: set[int]
) -> list[float]:
    accepted = sorted(
        one.received_at
        for one in queue.deliveries(1000)
        if getattr(one.subject, "number", 0) == number and one.event == "git.pullrequest.updated"
    )
    names = {run["run_id"]: run["run_name"] for run in world.databricks.runs()}
    begun = [at for _, at in pushed]
    found, seen = [], set[int]()
    for call in world.databricks.calls:
        if not call.path.endswith("/runs/cancel") or call.status != 200:
            continue
        run = int(call.request["run_id"])
        if run in seen or run not in runs:
            continue
        seen.add(run)
        older = next(index for index, (sha, _) in enumerate(pushed) if sha[:7] in names[run])
        found.append(call.at - next(at for at in accepted if at >= begun[older + 1]))
    return found


if __name__ == "__main__":
    sys.exit(main())
