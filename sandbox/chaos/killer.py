"""Who kills: how many, when, whom, and at which moment of whose call. Draws by dice; the pace
follows the events.
"""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.chaos.bot_processes import BotProcesses
from sandbox.chaos.weather import Moment

AIMED_FOR = 8.0
"""Seconds that an aimed kill waits for its call; then it falls wherever the worker is."""


@dataclass
class _Aim:
    """A kill that waits for a worker's nth changing call."""

    worker: int
    moment: Moment
    calls: int
    since: float


class Killer:
    """Kills so many processes while so many events happen; `progress` tells how much of the storm
    is over (0 to 1).
    """

    def __init__(
        self, seed: int, kills: int, bot: BotProcesses, progress: Callable[[], float]
    ) -> None:
        self._dice = random.Random(f"{seed} kills")
        self._kills, self._bot, self._progress = kills, bot, progress
        self._aim: _Aim | None = None
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True, name="killer")

    @property
    def done(self) -> bool:
        """Whether all have been killed that were to be."""
        return len(self._bot.kills) >= self._kills

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Kill no more."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        with self._lock:
            self._aim = None

    def watch(self, worker: int, moment: Moment) -> bool:
        """A worker makes a changing call (a `weather.Watcher`): kill it if this is the one that was
        aimed at.
        """
        with self._lock:
            aim = self._aim
            if aim is None or aim.worker != worker or aim.moment != moment:
                return False
            aim.calls -= 1
            if aim.calls > 0:
                return False
            self._aim = None
        return self._bot.kill_worker(worker, f"{moment} a call")

    def _work(self) -> None:
        while not self.done and not self._stopping.wait(0.05):
            self._give_up_aiming()
            due = self._progress() * self._kills
            if self._aim is None and len(self._bot.kills) < due:
                self._strike()
                self._stopping.wait(self._dice.uniform(0.3, 1.5))

    def _strike(self) -> None:
        if self._dice.random() < 0.5:
            if self._dice.random() < 0.75:
                self._bot.kill_web_child(self._dice)
            else:
                self._bot.kill_web()
            return
        worker = self._dice.randrange(self._bot.workers)
        if self._dice.random() < 0.4:
            self._bot.kill_worker(worker, "at any moment")
            return
        moment: Moment = "before" if self._dice.random() < 0.5 else "after"
        with self._lock:
            self._aim = _Aim(worker, moment, self._dice.randint(1, 5), time.monotonic())

    def _give_up_aiming(self) -> None:
        with self._lock:
            aim = self._aim
            if aim is None or time.monotonic() - aim.since < AIMED_FOR:
                return
            self._aim = None
        self._bot.kill_worker(aim.worker, "at any moment")
