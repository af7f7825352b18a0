"""The bot without a process: it makes passes where the test stands, and dies there when a call is
interrupted.
"""

import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from bot import app
from bot.config.deployment import Reporting
from bot.config.environment import read as read_settings
from bot.controllers.services import Services
from bot.errors import SignalmanError
from bot.passes import Outcome
from bot.queue import Lease, Queue
from bot.subjects import Branch, Model, PullRequest, Subject
from sandbox.world import World
from tests import databases
from tests.controllers.call_interrupter import CallInterrupter, Killed, interrupted_by

PATIENCE = 120.0
"""Seconds until a bot that does not come to an end is given up: long, for a machine that has other
things to do.
"""

SOON = 60.0
"""Who asked to be looked at again within so many seconds is looked at at once."""


@dataclass
class KillableBot:
    """A bot with a queue of its own. Nobody tells it anything but `hear`, so that each test has its
    own.
    """

    world: World
    folder: Path
    interrupter: CallInterrupter = field(default_factory=CallInterrupter)
    deaths: int = 0
    reporting: Reporting = field(default_factory=lambda: Reporting(steps=False))
    errors: list[str] = field(default_factory=list)
    _clock: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        environment = self.world.environment("http://127.0.0.1:1", self.folder)
        self.settings = read_settings({**environment, "BOT_CONFIG": "config/bot.yml"})
        self.repository = self.settings.served[0].key
        self.folder.mkdir(parents=True, exist_ok=True)
        databases.make_ready(self.settings.database_url)
        self.queue = Queue(self.settings.database_url)
        self.services = self._born()

    def hear(self, *subjects: Subject) -> None:
        """Somebody spoke of these."""
        self.queue.wake(subjects)

    def hear_of(self, number: int) -> None:
        """Somebody spoke of a pull request."""
        self.hear(PullRequest(self.repository, number))

    def hear_of_branch(self) -> None:
        """Somebody pushed to the target branch."""
        self.hear(Branch(self.repository))

    def hear_of_model(self, name: str) -> None:
        """Somebody promoted a version."""
        self.hear(Model(name))

    def work(self, deadline: float = PATIENCE) -> None:
        """Make passes until nothing is due, or all that is due can only wait. A killed bot is
        started again.
        """
        end = time.monotonic() + deadline
        while not self.work_until_killed(end - time.monotonic()):
            pass

    def work_until_killed(self, deadline: float = PATIENCE) -> bool:
        """The same, but a killed bot stays dead; tells whether it came to the end."""
        end, waiting = time.monotonic() + deadline, set[Subject]()
        while leases := self.queue.take(1, lease=SOON, worker="test", ahead=SOON):
            (lease,) = leases
            assert time.monotonic() < end, f"{lease.subject} is still due; {self.errors}"
            try:
                idle = self._pass(lease)
            except Killed:
                self.queue.give_back([lease])  # What a lease that ran out comes to.
                self.services = self._born()
                self.deaths += 1
                return False
            waiting = waiting | {lease.subject} if idle else set()
            if idle and not lease.look.news and self._due() <= waiting:
                return True
        return True

    def step(self) -> None:
        """Make one pass, if something is due."""
        for lease in self.queue.take(1, lease=SOON, worker="test"):
            self._pass(lease)

    def finish(self, deadline: float = PATIENCE) -> None:
        """Make passes until nothing is due at all."""
        end = time.monotonic() + deadline
        while self._due():
            self.work(end - time.monotonic())

    def _pass(self, lease: Lease) -> bool:
        """One pass, settled as the worker does it; tells whether it found that it can only wait."""
        self.interrupter.begin_pass()
        try:
            outcome = app.pass_over(lease.look, self.services)
        except SignalmanError as error:
            outcome = Outcome(trouble=str(error), memo=lease.look.memo)
        if outcome.trouble:
            self.errors.append(outcome.trouble)
            self.queue.fail(
                lease,
                outcome.trouble,
                retry_after=outcome.look_again,
                memo=outcome.memo,
                performed=outcome.performed,
            )
            return False
        self.queue.settle(lease, outcome)
        if outcome.look_again:
            self._clock.wait(0.05)  # it asked for seconds: the world goes on meanwhile
        return bool(outcome.look_again) and not outcome.performed

    def _due(self) -> set[Subject]:
        return {row.subject for row in self.queue.subjects(100) if row.due_at is not None}

    def tell_of_steps(self) -> None:
        """Post a status for each step too, from now on: many more places at which a pass may be cut
        off.
        """
        self.reporting = Reporting()
        self.services = self._born()

    def _born(self) -> Services:
        born = replace(app.services_of(self.settings, self.queue), reporting=self.reporting)
        return interrupted_by(born, self.interrupter)
