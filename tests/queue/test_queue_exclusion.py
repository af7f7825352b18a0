"""However many threads and processes take, a subject is in one pass at a time, and nothing
is lost.
"""

import multiprocessing
import os
import signal
import threading
from collections import Counter
from pathlib import Path
from typing import Any

from clock_and_senders import Senders

from bot.passes import Outcome
from bot.queue import Queue
from bot.subjects import Model, key

SUBJECTS = 12
ROUNDS = 4


def work(url: str, folder: str) -> None:
    """Take and settle until every subject had its rounds; a file per pass shows who was where."""
    queue, name = Queue(url), f"{os.getpid()}-{threading.get_ident()}"
    while not done(queue):
        for lease in queue.take(3, lease=30, worker=name):
            mark = Path(folder) / key(lease.subject).replace("/", "_")
            handle = os.open(mark, os.O_CREAT | os.O_EXCL)  # fails when another pass is inside
            rounds = lease.look.memo.get("rounds", 0) + 1
            os.close(handle)
            mark.unlink()
            again = 0.0 if rounds < ROUNDS else None
            assert queue.settle(
                lease, Outcome(look_again=again, memo={"rounds": rounds}, performed=(str(rounds),))
            )
    queue.close()


def done(queue: Queue) -> bool:
    return all(row.due_at is None for row in queue.subjects())


def test_threads_and_processes_share_the_work_without_meeting(
    url: str, tmp_path: Path, senders: Senders
) -> None:
    queue = Queue(url)
    for number in range(SUBJECTS):
        queue.mark(senders.delivery(Model(f"m{number}")))
    folder = tmp_path / "inside"
    folder.mkdir()
    failures: list[Any] = []

    def watched() -> None:
        try:
            work(url, str(folder))
        except BaseException as error:
            failures.append(error)

    processes = [
        multiprocessing.get_context("spawn").Process(target=work, args=(url, str(folder)))
        for _ in range(2)
    ]
    threads = [threading.Thread(target=watched) for _ in range(4)]
    for one in (*processes, *threads):
        one.start()
    for one in (*processes, *threads):
        one.join(90)
    assert failures == []
    assert [process.exitcode for process in processes] == [0, 0]
    passes = Counter((row.subject, row.performed) for row in queue.passes(limit=1000))
    assert set(passes.values()) == {1}
    assert len(passes) == SUBJECTS * ROUNDS
    queue.close()


def hold(url: str, ready: Any) -> None:
    queue = Queue(url)
    ready.send(len(queue.take(1, lease=0.5, worker="doomed")))
    signal.pause()


def test_a_killed_workers_subject_is_soon_anothers(url: str, senders: Senders) -> None:
    queue = Queue(url)
    queue.mark(senders.delivery(Model("m")))
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=hold, args=(url, there))
    process.start()
    assert here.recv() == 1
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    deadline = threading.Event()
    taken = []
    for _ in range(100):
        if taken := queue.take(1, lease=30, worker="heir"):
            break
        deadline.wait(0.05)
    assert [lease.subject for lease in taken] == [Model("m")]
    queue.close()
