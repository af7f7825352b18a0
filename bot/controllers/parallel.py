"""Calls in parallel: how passes use concurrency where no call needs what another one tells.

How many a service bears is a matter of its rate limit (`bot/services/rate_limit.py`).
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from bot.services.rate_limit import RateLimit, Shut

T = TypeVar("T")
U = TypeVar("U")
V = TypeVar("V")


def side_by_side(
    calls: Sequence[Callable[[], T]], width: int, *, limit: RateLimit | None = None
) -> list[T]:
    """Make all of these calls, `width` at a time at most; gives what they gave, in their order.

    Once one has failed no other is begun, and its error is raised when those in flight have ended.
    What is refused with status 429 is asked again as the `limit` says (by default: one of these
    calls' own), and has failed when that gives up.
    """
    if len(calls) < 2:
        width = 1
    limit = limit or RateLimit(width)
    with ThreadPoolExecutor(min(width, max(1, len(calls))), thread_name_prefix="parallel") as pool:
        made = [pool.submit(limit.make, call) for call in calls]
    for future in made:
        error = future.exception()
        if error is not None and not isinstance(error, Shut):
            raise error
    return [future.result() for future in made]


def both(one: Callable[[], T], other: Callable[[], U]) -> tuple[T, U]:
    """What two reads give. Raises what either raises, when both are over."""
    with ThreadPoolExecutor(1, thread_name_prefix="read") as pool:
        second = pool.submit(other)
        first = one()
        return first, second.result()


def three(one: Callable[[], T], two: Callable[[], U], more: Callable[[], V]) -> tuple[T, U, V]:
    """What three reads give. Raises what one of them raises, when all are over."""
    (first, second), third = both(lambda: both(one, two), more)
    return first, second, third
