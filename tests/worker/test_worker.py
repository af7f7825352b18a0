"""The worker: passes are made, failures are kept and tried again, and stopping it costs nothing."""

import logging
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bot.errors import ConfigError, ServiceError
from bot.passes import Look, Outcome
from bot.queue import Queue
from bot.subjects import Branch, Model, Subject, key
from bot.worker import Worker
from tests import databases

HERE = Model("tide_model")


@pytest.fixture
def url(tmp_path: Path) -> str:
    address = f"sqlite:///{tmp_path}/queue.db"
    databases.make_ready(address)
    return address


@pytest.fixture
def queue(url: str) -> Iterator[Queue]:
    queue = Queue(url)
    yield queue
    queue.close()


def worker(queue: Queue, pass_over: Callable[[Look], Outcome]) -> Worker:
    return Worker(queue, pass_over, sweep=lambda: [HERE], name="w")


def raising(error: BaseException) -> Callable[[Look], Outcome]:
    def pass_over(look: Look) -> Outcome:
        raise error

    return pass_over


def until(true: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        threading.Event().wait(0.02)


def told(folder: Path) -> str:
    return (folder / "told" / "log").read_text()


# ── one pass at a time, in this thread


def test_what_is_due_gets_its_pass_and_the_outcome_is_kept(queue: Queue) -> None:
    queue.wake([HERE])
    looks: list[Look] = []

    def pass_over(look: Look) -> Outcome:
        looks.append(look)
        return Outcome(memo={"seen": True}, performed=("pointed the job",), wake=(Branch("o/p/r"),))

    assert worker(queue, pass_over).step() == 1
    assert looks == [Look(HERE, {}, news=True)]
    assert [(row.subject, row.worker, row.performed) for row in queue.passes()] == [
        (HERE, "w", ("pointed the job",))
    ]
    assert queue.counts().due == 1


def test_a_pass_that_did_something_is_one_line_in_the_log(
    queue: Queue, caplog: pytest.LogCaptureFixture
) -> None:
    queue.wake([HERE])
    with caplog.at_level(logging.INFO, "bot.worker"):
        worker(
            queue, lambda _: Outcome(performed=("said\r\n2026-01-01 forged=line\x1b[31m",))
        ).step()
    [record] = caplog.records
    message = record.getMessage()
    assert "subject=model/tide_model" in message
    assert "said" in message
    assert not any(ord(character) < 32 for character in message)


def test_a_pass_that_did_nothing_is_not_told(
    queue: Queue, caplog: pytest.LogCaptureFixture
) -> None:
    queue.wake([HERE])
    with caplog.at_level(logging.INFO, "bot.worker"):
        worker(queue, lambda _: Outcome(look_again=60)).step()
    assert caplog.records == []
    assert queue.passes() == []


def test_a_neighbours_failure_is_kept_in_its_own_words_and_its_wait_respected(queue: Queue) -> None:
    queue.wake([HERE])
    error = ServiceError("Databricks", "Databricks asks for patience.", status=429, retry_after=600)
    worker(queue, raising(error)).step()
    [row] = queue.subjects()
    assert (row.last_error, row.attempts) == ("Databricks asks for patience.", 1)
    assert row.due_at is not None
    assert row.due_at > time.time() + 590


def test_a_sentence_for_people_is_kept_as_it_is(queue: Queue) -> None:
    queue.wake([HERE])
    worker(queue, raising(ConfigError("config/mlops.yml: target is missing."))).step()
    assert queue.subjects()[0].last_error == "config/mlops.yml: target is missing."


@pytest.mark.parametrize("error", [KeyError("champion"), RecursionError("too deep"), SystemExit(3)])
def test_any_other_failure_is_kept_with_its_kind_and_traced_in_the_log(
    queue: Queue, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    queue.wake([HERE])
    worker(queue, raising(error)).step()
    [row] = queue.passes()
    assert row.error == f"{type(error).__name__}: {error}"
    assert [record.exc_info is not None for record in caplog.records] == [True]


def test_a_memo_that_cannot_be_kept_counts_as_a_failed_pass(queue: Queue) -> None:
    queue.wake([HERE])
    worker(queue, lambda _: Outcome(memo={"wrong": object()})).step()
    [row] = queue.passes()
    assert row.error is not None
    assert "TypeError" in row.error


def test_one_failing_subject_does_not_hold_up_the_others(queue: Queue) -> None:
    queue.wake([HERE, Model("a"), Model("z")])

    def pass_over(look: Look) -> Outcome:
        if look.subject == HERE:
            raise ValueError
        return Outcome(performed=("done",))

    assert worker(queue, pass_over).step() == 3
    assert {row.subject for row in queue.passes() if not row.error} == {Model("a"), Model("z")}


def test_an_outcome_is_dropped_when_another_worker_has_the_subject(
    queue: Queue, caplog: pytest.LogCaptureFixture
) -> None:
    queue.wake([HERE])

    def pass_over(look: Look) -> Outcome:
        queue.give_back(held)
        assert queue.take(1, lease=30, worker="other")
        return Outcome(performed=("too late",))

    slow = worker(queue, pass_over)
    held = slow._take(1)
    slow._make(held[0])
    assert queue.passes() == []
    assert "lease lost" in caplog.text


# ── until nothing is left to do


def test_settling_goes_on_until_nothing_is_due(queue: Queue) -> None:
    queue.wake([HERE])
    chain: dict[Subject, tuple[Subject, ...]] = {HERE: (Model("b"),), Model("b"): (Model("c"),)}
    seen: list[Subject] = []

    def pass_over(look: Look) -> Outcome:
        seen.append(look.subject)
        return Outcome(wake=chain.get(look.subject, ()), look_again=3600)

    assert worker(queue, pass_over).settle() == 3
    assert seen == [HERE, Model("b"), Model("c")]


def test_settling_with_a_horizon_looks_again_without_waiting(queue: Queue) -> None:
    queue.wake([HERE])
    looks: list[bool] = []

    def pass_over(look: Look) -> Outcome:
        looks.append(look.news)
        return Outcome(look_again=5) if len(looks) < 4 else Outcome(look_again=300)

    assert worker(queue, pass_over).settle(horizon=60, pause=0.001) == 4
    assert looks == [True, False, False, False]


def test_settling_that_never_ends_names_what_is_still_due(queue: Queue) -> None:
    queue.wake([HERE])
    with pytest.raises(TimeoutError, match=key(HERE)):
        worker(queue, lambda _: Outcome(look_again=5)).settle(
            horizon=60, deadline=0.05, pause=0.001
        )


def test_a_sweep_makes_everything_due(queue: Queue) -> None:
    idle = worker(queue, lambda _: Outcome())
    assert idle.sweep() == 1
    assert idle.settle() == 1


def test_a_large_sweep_leaves_nobody_out(queue: Queue) -> None:
    many = [Model(f"m{number}") for number in range(45)]
    idle = Worker(queue, lambda _: Outcome(), sweep=lambda: many, name="w")
    assert idle.sweep(pause=0.001) == 45
    assert {row.subject for row in queue.subjects(100)} == set(many)


# ── a worker as a process


@pytest.fixture
def start(url: str, tmp_path: Path) -> Iterator[Callable[[float], "subprocess.Popen[bytes]"]]:
    (tmp_path / "told").mkdir()
    started: list[subprocess.Popen[bytes]] = []

    def start(lease: float) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "worker_process", url, str(tmp_path / "told"), str(lease)]
        with (tmp_path / "told" / "log").open("ab") as log:
            started.append(subprocess.Popen(command, cwd=Path(__file__).parent, stderr=log))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


Start = Callable[[float], "subprocess.Popen[bytes]"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_is_told_to_stop_gives_back_what_it_has_and_is_gone(
    queue: Queue, start: Start, tmp_path: Path, number: signal.Signals
) -> None:
    queue.wake([Model("hang")])
    process = start(3600.0)
    until(lambda: (tmp_path / "told" / f"hang-{process.pid}").exists())
    process.send_signal(number)
    assert process.wait(10) == 0
    assert Model("hang") in [lease.subject for lease in queue.take(10, lease=30, worker="next")]


def test_a_pass_longer_than_its_lease_stays_one_pass(
    queue: Queue, start: Start, tmp_path: Path
) -> None:
    queue.wake([Model("hang")])
    # Long enough for a machine that is busy: who does not get to renew it in time has lost it,
    # rightly.
    lease = 3.0
    process = start(lease)
    until(lambda: (tmp_path / "told" / f"hang-{process.pid}").exists())
    end, pause = time.monotonic() + 1.5 * lease, threading.Event()
    while time.monotonic() < end:
        assert Model("hang") not in [
            taken.subject for taken in queue.take(1, lease=0.01, worker="thief")
        ]
        pause.wait(
            0.05
        )  # as a worker would: a thief without a pause keeps the database from everybody else


def test_what_a_killed_worker_had_is_taken_over(queue: Queue, start: Start, tmp_path: Path) -> None:
    queue.wake([Model("hang")])
    first = start(1.0)
    until(lambda: (tmp_path / "told" / f"hang-{first.pid}").exists())
    first.kill()
    second = start(1.0)
    until(lambda: (tmp_path / "told" / f"hang-{second.pid}").exists())


def test_passes_run_side_by_side_up_to_the_limit(
    queue: Queue, start: Start, tmp_path: Path
) -> None:
    models = [Model(f"slow{number}") for number in range(12)]
    queue.wake(models)
    start(30.0)
    until(lambda: set(models) <= {row.subject for row in queue.passes(limit=100)})
    inside = [int(line) for line in (tmp_path / "told" / "inside").read_text().split()]
    assert max(inside) == 3


def test_a_sweep_that_fails_is_tried_again(queue: Queue, start: Start) -> None:
    start(30.0)
    until(lambda: Model("swept") in {row.subject for row in queue.passes()})


def test_a_worker_outlives_a_failure_of_its_database(
    queue: Queue, start: Start, tmp_path: Path
) -> None:
    process = start(30.0)
    until(lambda: queue.passes())
    with sqlite3.connect(tmp_path / "queue.db") as database:
        database.execute("ALTER TABLE subjects RENAME TO away")
    until(lambda: "queue error=" in told(tmp_path))
    database.execute("ALTER TABLE away RENAME TO subjects")
    database.close()
    queue.wake([HERE])
    until(lambda: HERE in {row.subject for row in queue.passes()})
    assert process.poll() is None
