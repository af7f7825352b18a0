"""Several reads at once, where none needs what another tells."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
U = TypeVar("U")
V = TypeVar("V")


def both(one: Callable[[], T], other: Callable[[], U]) -> tuple[T, U]:
    """What two reads give. Raises what either raises, when both are over."""
    with ThreadPoolExecutor(1, thread_name_prefix="read") as pool:
        second = pool.submit(other)
        first = one()
        return first, second.result()


def three(one: Callable[[], T], two: Callable[[], U], more: Callable[[], V]) -> tuple[T, U, V]:
    """The same of three."""
    (first, second), third = both(lambda: both(one, two), more)
    return first, second, third
