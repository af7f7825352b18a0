"""Calls side by side: as many in flight as a neighbour bears, and no more after one has failed.

A workspace takes some 30 writes and 2 removals a second and says 429 to the rest
(https://learn.microsoft.com/azure/databricks/resources/limits). It is then asked less at a time, as
TCP does it, and what it refused is asked again. That pauses a pass, for at most a minute: the queue
would do no better.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from bot.errors import ServiceError

T = TypeVar("T")

TOO_MANY = 429
SHORTEST, LONGEST = 0.5, 8.0
"""Seconds of the pauses after a refusal, while the neighbour does not say how long it wants."""
PATIENCE = 60.0
"""Seconds; whatever would pause a pass for longer is left to the queue."""


def side_by_side(
    calls: Sequence[Callable[[], T]],
    width: int,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> list[T]:
    """Make all of these calls, `width` at a time at most; gives what they gave, in their order.

    Once one has failed no other is begun, and its error is raised when those in flight have ended.
    A ServiceError with status 429 is no failure, until its pauses come to more than a minute.
    """
    if len(calls) < 2:
        width = 1
    valve = _Valve(width, sleep)
    with ThreadPoolExecutor(min(width, max(1, len(calls))), thread_name_prefix="crew") as pool:
        made = [pool.submit(valve.make, call) for call in calls]
    failed = [error for one in made if (error := one.exception()) and not isinstance(error, _Shut)]
    if failed:
        raise failed[0]
    return [one.result() for one in made]


class _Shut(Exception):
    """Another call has failed, so that this one was not made."""


class _Valve:
    """How many calls are let through: fewer after each refusal, slowly more after what went
    well.
    """

    def __init__(self, width: int, sleep: Callable[[float], None]) -> None:
        self._width, self._room, self._flying = width, float(width), 0
        self._pause, self._paused, self._resting = SHORTEST, 0.0, 0
        self._sleep = sleep
        self._open = True
        self._turn = threading.Condition()

    def make(self, call: Callable[[], T]) -> T:
        """Make a call when it is its turn, and again until it is not refused any more."""
        while True:
            with self._turn:
                self._turn.wait_for(
                    lambda: (
                        not self._open or (not self._resting and self._flying < max(1, self._room))
                    )
                )
                if not self._open:
                    raise _Shut
                self._flying += 1
            try:
                given = call()
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
                return given

    def _land(self, *, well: bool = False, shut: bool = False) -> None:
        with self._turn:
            self._flying -= 1
            self._open = self._open and not shut
            if well:
                self._room = min(self._width, self._room + 1 / max(1.0, self._room))
                self._pause = SHORTEST
            self._turn.notify_all()

    def _rest(self, refused: ServiceError) -> None:
        with self._turn:
            first = not self._resting
            self._resting += 1
            if first:
                self._room = max(1.0, self._room / 2)
            seconds = refused.retry_after or self._pause
            self._pause = min(LONGEST, self._pause * 2) if first else self._pause
            self._paused += seconds if first else 0.0
            hopeless = self._paused > PATIENCE
            self._open = self._open and not hopeless
        try:
            if hopeless:
                raise refused
            self._sleep(seconds)
        finally:
            with self._turn:
                self._resting -= 1
                self._turn.notify_all()
