"""A queue on SQLite, and on PostgreSQL where one is given; and a clock that stands until it is moved."""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import psycopg
import pytest
from clock_and_senders import Clock, Senders

from bot.queue import Queue, migrate

POSTGRESQL = os.environ.get("SIGNALMAN_TEST_POSTGRESQL", "")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def senders() -> Senders:
    return Senders()


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param(
            "postgresql",
            marks=pytest.mark.skipif(not POSTGRESQL, reason="SIGNALMAN_TEST_POSTGRESQL names no PostgreSQL server"),
        ),
    ]
)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/queue.db"
        return
    schema = f"test_{uuid4().hex}"
    with psycopg.connect(POSTGRESQL, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")  # type: ignore[arg-type]
        yield f"{POSTGRESQL}{'&' if '?' in POSTGRESQL else '?'}options={quote(f'-c search_path={schema}')}"
        connection.execute(f"DROP SCHEMA {schema} CASCADE")  # type: ignore[arg-type]


@pytest.fixture
def url(empty_url: str) -> str:
    """A database that is ready for work."""
    migrate(empty_url)
    return empty_url


@pytest.fixture
def queue(url: str, clock: Clock) -> Iterator[Queue]:
    queue = Queue(url, clock=clock)
    yield queue
    queue.close()
