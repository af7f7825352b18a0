"""Whatever order webhooks, workers and the clock come in: no news is lost, no subject is in two
passes.
"""

import shutil
import tempfile
from dataclasses import dataclass, field

from clock_and_senders import Clock, Senders
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bot.passes import Outcome
from bot.queue import Lease, Queue
from bot.subjects import Model, Subject
from tests import databases
from tests.examples import percent

SUBJECTS = [Model("a"), Model("b"), Model("c")]
LEASE = 30.0


@dataclass
class Held:
    lease: Lease
    until: float
    lost: bool = False
    news_since: bool = field(default=False)


class QueueMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.mkdtemp()
        url = f"sqlite:///{self.folder}/queue.db"
        databases.make_ready(url)
        self.clock, self.senders = Clock(), Senders()
        self.queue = Queue(url, clock=self.clock)
        self.held: list[Held] = []
        self.unseen: set[Subject] = set()

    def teardown(self) -> None:
        self.queue.close()
        shutil.rmtree(self.folder)

    def _news(self, subject: Subject) -> None:
        self.unseen.add(subject)
        for one in self.held:
            if one.lease.subject == subject:
                one.news_since = True

    @rule(subject=st.sampled_from(SUBJECTS))
    def webhook(self, subject: Model) -> None:
        assert self.queue.mark(self.senders.delivery(subject))
        self._news(subject)

    @rule(subjects=st.sets(st.sampled_from(SUBJECTS)))
    def sweep(self, subjects: set[Model]) -> None:
        self.queue.wake(subjects)
        for subject in subjects:
            self._news(subject)

    @rule(seconds=st.sampled_from([0.5, 5.0, 31.0, 400.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.pass_by(seconds)

    @rule(n=st.integers(1, 3))
    def take(self, n: int) -> None:
        for lease in self.queue.take(n, lease=LEASE, worker="w"):
            for one in self.held:
                if one.lease.subject == lease.subject:
                    assert one.lost or one.until <= self.clock()
                    one.lost = True
            assert lease.look.news == (lease.subject in self.unseen)
            self.held.append(Held(lease, self.clock() + LEASE))

    @rule(data=st.data())
    def heartbeat(self, data: st.DataObject) -> None:
        if self.held:
            one = data.draw(st.sampled_from(self.held))
            assert bool(self.queue.renew([one.lease], LEASE)) is not one.lost
            one.until = self.clock() + LEASE

    @rule(
        data=st.data(),
        again=st.sampled_from([None, 0.0, 10.0]),
        end=st.sampled_from(["settle", "fail", "give back"]),
        woken=st.sets(st.sampled_from(SUBJECTS), max_size=2),
    )
    def end(self, data: st.DataObject, again: float | None, end: str, woken: set[Model]) -> None:
        if not self.held:
            return
        one = data.draw(st.sampled_from(self.held))
        self.held.remove(one)
        if end == "give back":
            self.queue.give_back([one.lease])
        elif end == "fail":
            assert self.queue.fail(one.lease, "Broken.") is not one.lost
        else:
            assert (
                self.queue.settle(one.lease, Outcome(look_again=again, wake=tuple(woken)))
                is not one.lost
            )
            if not one.lost:
                if not one.news_since:
                    self.unseen.discard(one.lease.subject)
                for subject in woken:
                    self._news(subject)

    @invariant()
    def news_is_never_lost(self) -> None:
        waiting = {row.subject for row in self.queue.subjects() if row.due_at is not None}
        assert self.unseen <= waiting


TestQueue = QueueMachine.TestCase
TestQueue.settings = settings(
    max_examples=percent(40),
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
