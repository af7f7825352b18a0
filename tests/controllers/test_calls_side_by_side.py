"""Calls that are made side by side: how many at a time, what a refusal changes, and what a failure
stops.
"""

import threading
from collections.abc import Callable

import pytest

from bot.controllers.parallel import side_by_side
from bot.errors import ServiceError
from bot.services.rate_limit import RateLimit

LONG = 30.0


class Neighbour:
    """Counts who is in it at once; lets go of nobody before `crowd` are there, and refuses the
    first `refusals`.
    """

    def __init__(self, crowd: int = 1, refusals: int = 0, retry_after: float | None = None) -> None:
        self.most = self._inside = 0
        self.answered: list[int] = []
        self._refusals, self._retry_after = refusals, retry_after
        self._barrier = threading.Barrier(crowd)
        self._lock = threading.Lock()

    def call(self, number: int) -> Callable[[], int]:
        """A call that gives its number."""

        def made() -> int:
            with self._lock:
                self._inside += 1
                self.most = max(self.most, self._inside)
                refused = self._refusals > 0
                self._refusals -= refused
            try:
                self._barrier.wait(LONG)
                if refused:
                    raise ServiceError(
                        "Databricks", "Too many.", status=429, retry_after=self._retry_after
                    )
                with self._lock:
                    self.answered.append(number)
                return number
            finally:
                with self._lock:
                    self._inside -= 1

        return made


def test_so_many_are_in_flight_as_are_allowed_and_answers_come_in_order() -> None:
    neighbour = Neighbour(crowd=5)

    assert side_by_side([neighbour.call(number) for number in range(20)], 5) == list(range(20))
    assert neighbour.most == 5


def test_none_is_none() -> None:
    assert side_by_side([], 20) == []


def test_what_is_refused_is_asked_again_after_a_pause_that_grows() -> None:
    neighbour, slept = Neighbour(refusals=3), []

    assert side_by_side([neighbour.call(1)], 20, limit=RateLimit(20, slept.append)) == [1]
    assert slept == [0.5, 1.0, 2.0]


def test_a_pause_that_the_neighbour_names_is_kept() -> None:
    neighbour, slept = Neighbour(refusals=1, retry_after=7.0), []

    side_by_side([neighbour.call(1)], 20, limit=RateLimit(20, slept.append))

    assert slept == [7.0]


def test_after_a_refusal_fewer_are_in_flight() -> None:
    crowded = Neighbour(crowd=1, refusals=1)
    after: list[int] = []

    def noted(_: float) -> None:
        crowded.most = 0
        after.append(len(crowded.answered))

    side_by_side([crowded.call(number) for number in range(12)], 4, limit=RateLimit(4, noted))

    assert len(after) == 1
    assert crowded.most <= 4
    assert sorted(crowded.answered) == list(range(12))


def test_a_neighbour_that_wants_more_than_a_minute_is_left_to_the_queue() -> None:
    slept: list[float] = []

    with pytest.raises(ServiceError) as caught:
        side_by_side(
            [Neighbour(refusals=9, retry_after=40.0).call(1)], 20, limit=RateLimit(20, slept.append)
        )

    assert caught.value.retry_after == 40.0
    assert slept == [40.0]


def test_after_a_failure_nothing_more_is_begun() -> None:
    begun: list[int] = []

    def call(number: int) -> Callable[[], int]:
        def made() -> int:
            begun.append(number)
            if number == 2:
                raise ServiceError("Databricks", "Broken.")
            return number

        return made

    with pytest.raises(ServiceError, match="Broken"):
        side_by_side([call(number) for number in range(50)], 1)

    assert begun == [0, 1, 2]


def test_a_pass_that_is_killed_in_one_of_them_is_killed() -> None:
    class Killed(BaseException):
        pass

    def killed() -> int:
        raise Killed

    with pytest.raises(Killed):
        side_by_side([killed, *(Neighbour().call(number) for number in range(5))], 3)
