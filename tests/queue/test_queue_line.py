"""The line for runs: never more than the limit, first come first served, and nobody waits
for ever.
"""

import shutil
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest
from clock_and_senders import Clock
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bot.facts.pull_request import QueuePosition
from bot.queue import Queue, migrate
from bot.queue.database import Database
from bot.queue.reservations import FORGOTTEN, FRESH, SILENT
from bot.subjects import PullRequest
from tests import databases
from tests.examples import percent

A, B, C = (PullRequest("o/p/r", number) for number in (1, 2, 3))


def test_whoever_asks_while_there_is_room_may_start_at_once(queue: Queue) -> None:
    assert queue.reserve_runs(A, 0, 2, 3) == QueuePosition(free=2, ahead=0, waiting=0, limit=3)
    assert queue.reserve_runs(B, 0, 2, 3) == QueuePosition(free=1, ahead=0, waiting=1, limit=3)


def test_what_was_given_counts_as_running_until_it_is_reported(queue: Queue) -> None:
    queue.reserve_runs(A, 0, 2, 2)
    assert queue.reserve_runs(B, 0, 1, 2).free == 0
    queue.reserve_runs(A, 1, 0, 2)
    assert queue.reserve_runs(B, 0, 1, 2).free == 1


def test_what_failed_to_start_may_be_started_again(queue: Queue) -> None:
    queue.reserve_runs(A, 0, 1, 1)
    assert queue.reserve_runs(A, 0, 1, 1).free == 1
    assert queue.reserve_runs(B, 0, 1, 1).free == 0


def test_who_asked_first_comes_first(queue: Queue, clock: Clock) -> None:
    queue.reserve_runs(A, 0, 1, 1)
    for waiting in (C, B):
        clock.pass_by(1)
        queue.reserve_runs(waiting, 0, 1, 1)
    queue.reserve_runs(A, 0, 0, 1)
    assert queue.reserve_runs(B, 0, 1, 1) == QueuePosition(free=0, ahead=1, waiting=2, limit=1)
    assert queue.reserve_runs(C, 0, 1, 1) == QueuePosition(free=1, ahead=0, waiting=1, limit=1)
    assert queue.reserve_runs(B, 0, 1, 1) == QueuePosition(free=0, ahead=0, waiting=1, limit=1)


def test_who_wants_more_keeps_its_place_and_who_wants_nothing_loses_it(
    queue: Queue, clock: Clock
) -> None:
    queue.reserve_runs(A, 0, 1, 1)
    for waiting in (B, C):
        clock.pass_by(1)
        queue.reserve_runs(waiting, 0, 1, 1)
    clock.pass_by(1)
    assert queue.reserve_runs(B, 0, 2, 1).ahead == 0
    queue.reserve_runs(B, 0, 0, 1)
    assert queue.reserve_runs(B, 0, 1, 1).ahead == 1


def test_a_limit_that_was_lowered_stops_nothing_and_starts_nothing(queue: Queue) -> None:
    queue.reserve_runs(A, 0, 3, 3)
    assert queue.reserve_runs(A, 3, 1, 2) == QueuePosition(free=0, ahead=0, waiting=1, limit=2)


def test_who_has_and_wants_nothing_leaves_no_row(queue: Queue, url: str) -> None:
    queue.reserve_runs(A, 0, 1, 1)
    queue.reserve_runs(A, 0, 0, 1)
    queue.reserve_runs(B, 0, 0, 1)
    assert rows(url) == 0


def rows(url: str) -> int:
    database = Database(url)
    with database.reading() as connection:
        found = connection.exec_driver_sql("SELECT count(*) FROM places").scalar_one()
    database.close()
    return int(found)


def test_somebody_who_does_not_ask_any_more_holds_up_nobody(queue: Queue, clock: Clock) -> None:
    queue.reserve_runs(A, 0, 1, 1)
    queue.reserve_runs(B, 0, 1, 1)
    clock.pass_by(1)
    queue.reserve_runs(C, 0, 1, 1)
    clock.pass_by(SILENT)
    queue.reserve_runs(A, 0, 0, 1)
    assert queue.reserve_runs(C, 0, 1, 1) == QueuePosition(free=1, ahead=0, waiting=0, limit=1)
    assert queue.reserve_runs(B, 0, 1, 1) == QueuePosition(free=0, ahead=0, waiting=1, limit=1)


def test_runs_that_nobody_spoke_of_for_an_hour_are_forgotten(
    queue: Queue, clock: Clock, url: str
) -> None:
    queue.reserve_runs(A, 0, 1, 1)
    clock.pass_by(FORGOTTEN - 1)
    assert queue.reserve_runs(B, 0, 1, 1).free == 0
    clock.pass_by(1)
    assert queue.reserve_runs(B, 0, 1, 1).free == 1
    assert rows(url) == 1


def test_a_report_that_changes_nothing_is_not_written_until_it_is_old(
    queue: Queue, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.reserve_runs(A, 0, 1, 1)
    queue.reserve_runs(A, 1, 0, 1)
    queue.reserve_runs(B, 0, 1, 1)
    written: list[object] = []
    monkeypatch.setattr("bot.queue.reservations.write", lambda *told: written.append(told))
    for subject, running, wanted in ((A, 1, 0), (B, 0, 1), (C, 0, 0)):
        queue.reserve_runs(subject, running, wanted, 1)
    assert written == []
    clock.pass_by(FRESH)
    queue.reserve_runs(A, 1, 0, 1)
    assert len(written) == 1


def test_workers_that_ask_at_the_same_moment_are_not_given_too_much(url: str) -> None:
    limit, given = 3, []
    begin = threading.Barrier(8)

    def ask(number: int) -> None:
        queue = Queue(url)
        begin.wait()
        given.append(queue.reserve_runs(PullRequest("o/p/r", number), 0, 2, limit).free)
        queue.close()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (len(given), sum(given)) == (8, limit)


class LineMachine(RuleBasedStateMachine):
    """Pull requests that report what is true, start what they may (or fail to), and whose
    runs end.
    """

    kind = "sqlite"

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.mkdtemp()
        self.opened = ExitStack()
        url = self.opened.enter_context(databases.empty(self.kind, Path(self.folder)))
        migrate(url)
        self.clock = Clock()
        self.queue = Queue(url, clock=self.clock)
        self.limit = 3
        self.running = {A: 0, B: 0, C: 0}
        self.wanted = {A: 0, B: 0, C: 0}
        self.asked: dict[PullRequest, float] = {}

    def teardown(self) -> None:
        self.queue.close()
        self.opened.close()
        shutil.rmtree(self.folder)

    def report(self, subject: PullRequest, *, starts: bool = True) -> QueuePosition:
        wanted = self.wanted[subject]
        place = self.queue.reserve_runs(subject, self.running[subject], wanted, self.limit)
        if not wanted:
            self.asked.pop(subject, None)
        else:
            self.asked.setdefault(subject, self.clock())
        assert 0 <= place.free <= wanted
        if starts:
            self.running[subject] += place.free
            self.wanted[subject] -= place.free
        if place.free and wanted:
            for other, since in self.asked.items():
                # Nobody who asked later is given what somebody who still waits could have had.
                if self.wanted[other] and since < self.asked[subject]:
                    left = self.limit - sum(self.running.values())
                    assert left >= 0
                    assert (
                        self.queue.reserve_runs(
                            other, self.running[other], self.wanted[other], self.limit
                        ).free
                        > 0
                    )
                    self.running[other] += min(self.wanted[other], left)
                    self.wanted[other] -= min(self.wanted[other], left)
        return place

    @rule(subject=st.sampled_from([A, B, C]), more=st.integers(1, 3))
    def wants(self, subject: PullRequest, more: int) -> None:
        self.wanted[subject] = more
        self.clock.pass_by(0.5)
        self.report(subject)

    @rule(subject=st.sampled_from([A, B, C]))
    def wants_nothing_more(self, subject: PullRequest) -> None:
        self.wanted[subject] = 0
        self.report(subject)

    @rule(subject=st.sampled_from([A, B, C]), starts=st.booleans())
    def looks(self, subject: PullRequest, starts: bool) -> None:
        self.clock.pass_by(1)
        self.report(subject, starts=starts)

    @rule(subject=st.sampled_from([A, B, C]))
    def a_run_ends(self, subject: PullRequest) -> None:
        self.running[subject] = max(0, self.running[subject] - 1)

    @rule(seconds=st.sampled_from([5.0, 61.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.pass_by(seconds)
        for subject in self.running:
            self.report(subject)

    @invariant()
    def never_more_than_the_limit(self) -> None:
        assert sum(self.running.values()) <= self.limit

    @rule()
    def everybody_is_served_in_the_end(self) -> None:
        for _ in range(30):
            if not any(self.wanted.values()):
                return
            self.clock.pass_by(1)
            for subject in self.running:
                self.report(subject)
                self.running[subject] = 0
        raise AssertionError(f"somebody starves: {self.wanted}")


class LineOnPostgresql(LineMachine):
    kind = "postgresql"


TestLine = LineMachine.TestCase
TestLine.settings = settings(
    max_examples=percent(40),
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestLineOnPostgresql = pytest.mark.skipif(
    not databases.POSTGRESQL, reason="SIGNALMAN_TEST_POSTGRESQL is not set"
)(LineOnPostgresql.TestCase)
TestLineOnPostgresql.settings = settings(
    max_examples=percent(10),
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
