"""A queue on SQLite, and on PostgreSQL where one is given; and a clock that stands until it is
moved.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from clock_and_senders import Clock, Senders

from bot.queue import Queue
from tests import databases


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def senders() -> Senders:
    return Senders()


@pytest.fixture(params=databases.KINDS)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without tables."""
    with databases.empty(request.param, tmp_path) as url:
        yield url


@pytest.fixture
def url(empty_url: str) -> str:
    """A database that is ready for work."""
    databases.make_ready(empty_url)
    return empty_url


@pytest.fixture
def queue(url: str, clock: Clock) -> Iterator[Queue]:
    queue = Queue(url, clock=clock)
    yield queue
    queue.close()
