"""Rate limit and throttle: how many calls a service is asked at a time, and how the bot backs off.

A workspace takes some 30 writes and 2 removals a second and says 429 to the rest
(https://learn.microsoft.com/azure/databricks/resources/limits). It is then asked less at a time, as
TCP does it, and what it refused is asked again, with pauses of at most a minute in all: after that
the queue does no worse. One limit serves the calls that a pass makes in parallel.
"""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from bot.errors import ServiceError

T = TypeVar("T")

TOO_MANY = 429
SHORTEST_PAUSE, LONGEST_PAUSE = 0.5, 8.0
"""Seconds of the pauses after a refusal, while the service does not say how long it wants."""
MOST_PAUSED = 60.0
"""Seconds; what would take longer pauses is left to the queue."""


class Shut(Exception):
    """Another call has failed, so that this one was not made."""


class RateLimit:
    """How many calls are let through: `width` at most, fewer after each refusal, slowly more after
    what went well.
    """

    def __init__(self, width: int, sleep: Callable[[float], None] = time.sleep) -> None:
        self._width = width
        self._room = float(width)
        self._flying = 0
        self._pause = SHORTEST_PAUSE
        self._paused = 0.0
        self._resting = 0
        self._sleep = sleep
        self._open = True
        self._turn = threading.Condition()

    def make(self, call: Callable[[], T]) -> T:
        """Make a call when it is its turn, and again until it is not refused any more.

        Raises Shut when another call has failed meanwhile, and the ServiceError of status 429
        when the pauses would come to more than a minute.
        """
        while True:
            with self._turn:
                self._turn.wait_for(self._may_go)
                if not self._open:
                    raise Shut
                self._flying += 1
            try:
                answer = call()
            except ServiceError as error:
                self._land(shut=error.status != TOO_MANY)
                if error.status != TOO_MANY:
                    raise
                self._rest(error)
            except BaseException:
                self._land(shut=True)
                raise
            else:
                self._land(well=True)
                return answer

    def _may_go(self) -> bool:
        """Whether a call may be made now, or is not to be made at all."""
        free = not self._resting and self._flying < max(1, self._room)
        return free or not self._open

    def _land(self, *, well: bool = False, shut: bool = False) -> None:
        with self._turn:
            self._flying -= 1
            self._open = self._open and not shut
            if well:
                self._room = min(self._width, self._room + 1 / max(1.0, self._room))
                self._pause = SHORTEST_PAUSE
            self._turn.notify_all()

    def _rest(self, refused: ServiceError) -> None:
        with self._turn:
            seconds = refused.retry_after or self._pause
            if not self._resting:  # The first of those that were refused at once counts for all.
                self._room = max(1.0, self._room / 2)
                self._pause = min(LONGEST_PAUSE, self._pause * 2)
                self._paused += seconds
            self._resting += 1
            hopeless = self._paused > MOST_PAUSED
            self._open = self._open and not hopeless
        try:
            if hopeless:
                raise refused
            self._sleep(seconds)
        finally:
            with self._turn:
                self._resting -= 1
                self._turn.notify_all()
