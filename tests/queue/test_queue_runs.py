"""Runs and their logs are kept for the pages, the end of a log rather than its beginning, and in
time forgotten.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from clock_and_senders import Clock

from bot.facts.runs import ProjectRun
from bot.queue import Queue, runs
from bot.subjects import PullRequest

HERE, THERE = PullRequest("o/p/r", 1), PullRequest("o/p/r", 2)
BEGUN = datetime(2026, 3, 2, 9, tzinfo=UTC)
RUN = ProjectRun(
    "t1",
    "projects/wine",
    "c1",
    1,
    "local",
    cluster_run="7",
    run_page="https://adb/7",
    started=BEGUN,
)


def stored(queue: Queue, run: ProjectRun = RUN) -> str:
    return "".join(queue.log(run.token))


def test_a_run_is_known_from_its_start_to_its_end(queue: Queue) -> None:
    assert queue.run(RUN.token) is None
    assert queue.note_run(HERE, replace(RUN, cluster_run="")).state == "starting"
    assert queue.note_run(HERE, RUN).state == "running"
    done = replace(RUN, outcome="timed out", reason="too long", ended=BEGUN + timedelta(minutes=5))
    found = queue.note_run(HERE, done)
    assert (found.state, found.reason, found.commit, found.run_page) == (
        "timed out",
        "too long",
        "c1",
        "https://adb/7",
    )
    assert found.started_at is not None
    assert found.ended_at == found.started_at + 300
    assert queue.run(RUN.token) == found


def test_a_run_of_which_nothing_is_new_is_not_written(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = queue.note_run(HERE, RUN)
    queue.add_log(RUN.token, 0, 4, "one\n")
    monkeypatch.setattr("bot.queue.runs.note", lambda *_: pytest.fail("it was written"))
    assert queue.note_run(HERE, RUN) == replace(first, log_read=4, log_size=4)


def test_the_runs_of_a_pull_request_are_told_newest_first(queue: Queue, clock: Clock) -> None:
    for number, subject in enumerate((HERE, THERE, HERE)):
        queue.note_run(
            subject, replace(RUN, token=f"t{number}", started=BEGUN + timedelta(minutes=number))
        )
        clock.pass_by(1)
    assert [run.token for run in queue.runs(HERE)] == ["t2", "t0"]
    assert [run.token for run in queue.runs(limit=2)] == ["t2", "t1"]


def test_a_log_is_read_back_as_it_was_added(queue: Queue) -> None:
    queue.note_run(HERE, RUN)
    parts = ["one\n", "two\n" * 50_000, "", "three\n"]
    read = 0
    for part in parts:
        assert queue.add_log(RUN.token, read, read + len(part), part)
        read += len(part)
    assert stored(queue) == "".join(parts)
    assert queue.log_end(RUN.token, 10) == ("two\nthree\n", read)
    assert queue.log_end(RUN.token, 10**7) == ("".join(parts), read)
    assert queue.log_end("unknown", 10) == ("", 0)


def test_what_was_read_by_another_worker_already_is_not_added(queue: Queue) -> None:
    queue.note_run(HERE, RUN)
    assert queue.add_log(RUN.token, 0, 4, "one\n")
    assert not queue.add_log(RUN.token, 0, 8, "one\ntwo\n")
    assert not queue.add_log("unknown", 0, 4, "one\n")
    queue.put_log(RUN.token, "all\n")
    assert not queue.add_log(RUN.token, 4, 8, "two\n")
    assert stored(queue) == "all\n"


def test_of_a_long_log_the_end_is_kept(queue: Queue) -> None:
    queue.note_run(HERE, RUN)
    part = "x" * (runs.LARGEST_LOG // 4 - 1) + "\n"
    for number in range(7):
        queue.add_log(RUN.token, number, number + 1, part)
    queue.add_log(RUN.token, 7, 8, "last\n")
    kept = stored(queue)
    assert kept.endswith("\nlast\n")
    assert runs.LARGEST_LOG - 2 * runs.PIECE < len(kept) <= runs.LARGEST_LOG + 2 * runs.PIECE
    found = queue.run(RUN.token)
    assert found is not None
    assert found.log_cut
    assert queue.log_end(RUN.token, 5) == ("last\n", len(kept))


def test_a_whole_log_replaces_what_was_added_and_is_cut_too(queue: Queue) -> None:
    queue.note_run(HERE, RUN)
    queue.add_log(RUN.token, 0, 4, "one\n")
    queue.put_log(RUN.token, "y" * runs.LARGEST_LOG + "last\n")
    assert len(stored(queue)) == runs.LARGEST_LOG
    assert stored(queue).endswith("ylast\n")
    found = queue.run(RUN.token)
    assert found is not None
    assert (found.log_cut, found.log_whole) == (True, True)
    queue.put_log(RUN.token, "one\n")
    assert stored(queue) == "one\n"
    assert queue.log_end(RUN.token, 100) == ("one\n", 4)


def test_runs_and_logs_are_forgotten_with_the_history(queue: Queue, clock: Clock) -> None:
    for number in range(3):
        queue.note_run(HERE, replace(RUN, token=f"t{number}"))
        queue.add_log(f"t{number}", 0, 4, "one\n")
    clock.pass_by(100)
    queue.note_run(HERE, replace(RUN, token="t9"))
    queue.add_log("t9", 0, 4, "one\n")
    assert queue.prune(older_than=50, page=2) == 6
    assert [run.token for run in queue.runs(HERE)] == ["t9"]
    assert ["".join(queue.log(f"t{number}")) for number in (0, 9)] == ["", "one\n"]


def test_a_log_can_be_replaced_while_somebody_reads_it(queue: Queue) -> None:
    queue.note_run(HERE, RUN)
    text = "".join(f"{number}\n" for number in range(400_000))
    queue.add_log(RUN.token, 0, len(text), text)
    reading = queue.log(RUN.token)
    seen = next(reading)
    queue.put_log(RUN.token, text)
    assert seen + "".join(reading) == text
