"""How fast webhooks are stored: into an empty history, into a long one, and while a long one is
forgotten.

Run by hand (`make bench-intake`); how fast a machine is proves nothing in a test.
"""

import json
import multiprocessing
import time
from statistics import quantiles

import click
from databases import databases

from bot.queue import Queue, schema
from bot.queue.database import Database
from bot.subjects import Delivery, PullRequest, key

MARKS = 1000
FINISHED = 100_000
SUBJECTS = [PullRequest("contoso/tides/forecast", number) for number in range(200)]


def main() -> None:
    """Print one line per database and state of its history."""
    with databases() as found:
        for name, url in found.items():
            _told(name, "no history", _marks(url, "first"))
            _fill(url)
            _told(name, f"{FINISHED} finished deliveries and passes", _marks(url, "second"))
            forgetting = multiprocessing.get_context("spawn").Process(target=_forget, args=(url,))
            forgetting.start()
            waits: list[float] = []
            while forgetting.is_alive():
                waits += _marks(url, f"third-{len(waits)}", 100)
            _told(name, f"while those {FINISHED} are forgotten", waits)


def _marks(url: str, batch: str, number: int = MARKS) -> list[float]:
    queue, waits = Queue(url), []
    for index in range(number):
        delivery = Delivery(
            f"azure-{batch}-{index}", "azure-devops", "git.push", SUBJECTS[index % len(SUBJECTS)]
        )
        began = time.perf_counter()
        queue.mark(delivery)
        waits.append(time.perf_counter() - began)
    queue.close()
    return waits


def _fill(url: str) -> None:
    old = time.time() - 1e7
    database = Database(url)
    for start in range(0, FINISHED, 10_000):
        numbers = range(start, start + 10_000)
        with database.writing() as connection:
            connection.execute(
                schema.deliveries.insert(),
                [
                    {"key": f"azure-old-{n}", "sender": "azure-devops", "event": "git.push", "generation": n,  # noqa: E501 a table, or a text as it is sent
                     "subject": key(SUBJECTS[n % len(SUBJECTS)]), "received_at": old + n, "answered_at": old + n,  # noqa: E501 a table, or a text as it is sent
                     "answered_by": n}
                    for n in numbers
                ],
            )  # fmt: skip
            connection.execute(
                schema.passes.insert(),
                [
                    {"subject": key(SUBJECTS[n % len(SUBJECTS)]), "generation": n, "worker": "w", "started_at": old + n,  # noqa: E501 a table, or a text as it is sent
                     "ended_at": old + n, "performed": json.dumps(["started a run", "set the status"]), "error": None}  # noqa: E501 a table, or a text as it is sent
                    for n in numbers
                ],
            )  # fmt: skip
    database.close()


def _forget(url: str) -> None:
    queue = Queue(url)
    began = time.perf_counter()
    gone = queue.prune(1e6)
    click.echo(f"            ({gone} rows forgotten in {time.perf_counter() - began:.1f} s)")
    queue.close()


def _told(name: str, what: str, waits: list[float]) -> None:
    cuts = quantiles(waits, n=100)
    click.echo(
        f"{name:<11} {what:<40} {len(waits) / sum(waits):6.0f} marks/s, "
        f"p50 {cuts[49] * 1000:.2f} ms, p99 {cuts[98] * 1000:.2f} ms, worst "
        f"{max(waits) * 1000:.0f} ms"
    )


if __name__ == "__main__":
    main()
