"""What 5,000 waiting subjects and 200 running jobs cost one worker, and how soon it begins with a
new event.

Run by hand: `make bench-waiting`. The subject of a running job asks to be looked at every second;
meanwhile a sweep goes over everything. A number as argument makes every pass take so many seconds,
as calls over a network do.
"""

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles

import click
import psutil
from databases import databases
from waiting_worker import RUNNING, WAITING

from bot.queue import Queue, schema
from bot.queue.database import Database
from bot.subjects import Delivery, PullRequest, key

EVENTS = 200
MEMO = {
    "head": {
        "iteration": 3,
        "commit": "a" * 40,
        "files": [f"projects/tide/part_{n}.py" for n in range(40)],
    }
}


def main(seconds: float) -> None:
    """Print a line per database."""
    with databases() as found, tempfile.TemporaryDirectory() as folder:
        for name, url in found.items():
            _fill(url)
            click.echo(f"{name:<11} {_measured(url, folder, seconds)}")


def _subject(number: int) -> PullRequest:
    return PullRequest("contoso/tides/forecast", number)


def _fill(url: str) -> None:
    now, memo = time.time(), json.dumps(MEMO)
    rows = [
        {"key": key(_subject(n)), "due_at": now + (n % 100) / 100 if n <= RUNNING else now + 3600 + n,  # noqa: E501 a table, or a text as it is sent
         "generation": 1, "seen": 1, "attempts": 0, "memo": memo, "last_passed_at": now}
        for n in range(1, RUNNING + WAITING + 1)
    ]  # fmt: skip
    database = Database(url)
    with database.writing() as connection:
        connection.execute(schema.subjects.insert(), rows)
    database.close()


def _measured(url: str, folder: str, seconds: float) -> str:
    program = [
        sys.executable,
        str(Path(__file__).with_name("waiting_worker.py")),
        url,
        folder,
        str(seconds),
    ]
    with (Path(folder) / "log").open("wb") as log:
        process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=log, text=True)
    begun: dict[int, list[float]] = {}
    threading.Thread(target=_follow, args=(process, begun), daemon=True).start()
    queue, marked = Queue(url), {}
    try:
        _mark(queue, RUNNING + WAITING, "first")
        _until(lambda: RUNNING + WAITING in begun or process.poll() is not None)
        late = []
        for number in range(RUNNING + 1, RUNNING + 1 + EVENTS):
            marked[number] = _mark(queue, number, "event")
            late.append(queue.counts().oldest_due_age)
            time.sleep(0.1)
        _until(lambda: all(begun.get(number, [0.0])[-1] > at for number, at in marked.items()))
        seen = psutil.Process(process.pid)
        megabytes, threads = seen.memory_info().rss / 2**20, seen.num_threads()
    finally:
        queue.close()
        process.terminate()
        process.wait(20)
    waits = [min(one for one in begun[number] if one > at) - at for number, at in marked.items()]
    cuts = quantiles(waits, n=100)
    return (
        f"{megabytes:.0f} MB, {threads} threads, looks late by {median(late):.2f} s; "
        f"{EVENTS} events: p50 {median(waits):.3f} s, p95 {cuts[94]:.3f} s, worst {max(waits):.3f} "
        "s"
    )


def _mark(queue: Queue, number: int, event: str) -> float:
    at = time.time()
    queue.mark(Delivery(f"azure-{event}-{number}", "azure-devops", "git.push", _subject(number)))
    return at


def _follow(process: "subprocess.Popen[str]", begun: dict[int, list[float]]) -> None:
    for line in process.stdout or ():
        number, at = line.split()
        begun.setdefault(int(number), []).append(float(at))


def _until(true: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not true():
        if time.monotonic() > end:
            raise TimeoutError("The worker did not begin with every event within a minute.")
        time.sleep(0.05)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 0.0)
