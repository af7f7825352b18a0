"""Two workers on one database: who is killed, stopped or frozen loses its work to the other, and
spoils nothing.
"""

import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from bot.queue import Queue, migrate
from bot.subjects import Model
from tests import databases

LEASE = 3.0
"""Seconds; long enough for whoever lives to renew it in time, on a machine that has other things to
do.
"""

SOON = LEASE + 6.0
"""Within a lease and a few seconds; the seconds are for such a machine too."""


@dataclass
class Line:
    at: float
    process: int
    what: str
    name: str


class Machines:
    """Worker processes, and what their passes told."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder
        self.queue = Queue(url)
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, lease: float = LEASE) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "worker_process", self.url, str(self.folder), str(lease)]
        with (self.folder / "log").open("ab") as log:
            self._started.append(subprocess.Popen(command, cwd=Path(__file__).parent, stderr=log))
        return self._started[-1]

    def lines(self, what: str, *, of: "subprocess.Popen[bytes] | None" = None) -> list[Line]:
        told = (self.folder / "passes").read_text() if (self.folder / "passes").exists() else ""
        lines = [
            Line(float(at), int(process), what, name)
            for at, process, what, name in map(str.split, told.splitlines())
        ]
        return [
            line
            for line in lines
            if line.what == what
            and line.name.startswith("gate")
            and (of is None or line.process == of.pid)
        ]

    def freeze(self, process: "subprocess.Popen[bytes]") -> None:
        """Stop it where it is, but not while it has SQLite's one lock: with that, nobody
        can write.
        """
        process.send_signal(signal.SIGSTOP)
        while not self.queue.writable():
            process.send_signal(signal.SIGCONT)
            process.send_signal(signal.SIGSTOP)

    def open_the_gate(self) -> None:
        (self.folder / "open").touch()

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def looked(self) -> Counter[Model]:
        """How often an outcome was written, by subject."""
        return Counter(
            row.subject
            for row in self.queue.passes(limit=1000)
            if isinstance(row.subject, Model)
            and row.subject.name.startswith("gate")
            and row.performed
        )

    def close(self) -> None:
        for process in self._started:
            process.kill()
            process.wait()
        self.queue.close()


@pytest.fixture(params=databases.KINDS)
def machines(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Machines]:
    with databases.empty(request.param, tmp_path) as url:
        migrate(url)
        (tmp_path / "told").mkdir()
        found = Machines(url, tmp_path / "told")
        yield found
        found.close()


def until(true: Callable[[], object], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        threading.Event().wait(0.02)


def test_what_a_killed_worker_had_is_anothers_within_a_lease_and_is_done_once(
    machines: Machines,
) -> None:
    models = [Model(f"gate{number}") for number in range(6)]
    machines.queue.wake(models)
    doomed = machines.start()
    until(lambda: len(machines.lines("begins", of=doomed)) == 3)
    heir = machines.start()
    until(lambda: len(machines.lines("begins", of=heir)) == 3)
    theirs = {line.name for line in machines.lines("begins", of=doomed)}
    assert theirs.isdisjoint(line.name for line in machines.lines("begins", of=heir))
    doomed.kill()
    killed = time.time()
    machines.open_the_gate()
    until(lambda: machines.looked().keys() == set(models))
    taken_over = [line for line in machines.lines("begins", of=heir) if line.name in theirs]
    assert {line.name for line in taken_over} == theirs
    assert all(killed < line.at < killed + SOON for line in taken_over)
    assert set(machines.looked().values()) == {1}


def test_a_frozen_worker_that_goes_on_neither_acts_nor_writes_over_the_others_outcome(
    machines: Machines,
) -> None:
    machines.queue.wake([Model("gate")])
    frozen = machines.start()
    until(lambda: machines.lines("begins", of=frozen))
    stopped = time.time()
    machines.freeze(frozen)
    heir = machines.start()
    until(lambda: machines.lines("begins", of=heir), SOON + 10)
    [begun] = machines.lines("begins", of=heir)
    assert begun.at > stopped
    machines.open_the_gate()
    until(lambda: machines.looked() == {Model("gate"): 1})
    frozen.send_signal(signal.SIGCONT)
    until(lambda: machines.lines("ends", of=frozen))
    until(lambda: "lease lost subject=model/gate" in machines.log())
    assert machines.lines("acts", of=frozen) == []
    assert len(machines.lines("acts", of=heir)) == 1
    assert machines.looked() == {Model("gate"): 1}
    assert [row.worker.endswith(f"-{heir.pid}") for row in machines.queue.passes("model/gate")] == [
        True
    ]
    heir.kill()
    frozen.kill()
    machines.queue.wake([Model("gate")])
    [lease] = [
        one
        for one in machines.queue.take(50, lease=30, worker="test")
        if one.subject == Model("gate")
    ]
    assert lease.look.memo == {"by": heir.pid}


def test_what_a_stopping_worker_gives_back_is_anothers_at_once(machines: Machines) -> None:
    machines.queue.wake([Model("gate1"), Model("gate2")])
    leaving = machines.start(lease=3600)
    until(lambda: len(machines.lines("begins", of=leaving)) == 2)
    staying = machines.start(lease=3600)
    until(
        lambda: machines.queue.passes("model/swept")
    )  # somebody is up and works, but nobody begins with these two
    until(
        lambda: any(
            row.worker.endswith(f"-{staying.pid}") for row in machines.queue.passes("model/swept")
        )
    )
    assert machines.lines("begins", of=staying) == []
    asked = time.time()
    leaving.send_signal(signal.SIGTERM)
    assert leaving.wait(10) == 0
    until(lambda: len(machines.lines("begins", of=staying)) == 2)
    assert max(line.at for line in machines.lines("begins", of=staying)) < asked + 5


def test_a_subject_is_never_in_two_passes_at_a_time(machines: Machines) -> None:
    machines.open_the_gate()
    models = [Model(f"gate{number}") for number in range(10)]
    processes = [machines.start(lease=60), machines.start(lease=60)]

    def both_have_worked() -> bool:
        machines.queue.wake(models)
        return all(len(machines.lines("ends", of=process)) >= 20 for process in processes)

    until(both_have_worked)
    until(
        lambda: all(
            row.due_at is None for row in machines.queue.subjects() if row.subject in models
        )
    )
    for model in models:
        begins, ends = machines.lines("begins"), machines.lines("ends")
        passes = sorted(
            zip(
                sorted(line.at for line in begins if line.name == model.name),
                sorted(line.at for line in ends if line.name == model.name),
                strict=True,
            )
        )
        assert all(end <= begin for (_, end), (begin, _) in pairwise(passes))
