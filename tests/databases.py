"""Databases for tests: a SQLite file, a schema of its own on PostgreSQL, and a PostgreSQL that may
be stopped.
"""

import functools
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import psycopg
import pytest

from bot.queue import migrate

POSTGRESQL = os.environ.get("SIGNALMAN_TEST_POSTGRESQL", "")

KINDS = [
    "sqlite",
    pytest.param(
        "postgresql",
        marks=pytest.mark.skipif(
            not POSTGRESQL,
            reason="SIGNALMAN_TEST_POSTGRESQL is not set; `.ci/postgresql start /folder` tells to "
            "what",
        ),
    ),
]
"""What a fixture that calls `empty` is parametrised with."""

SCRIPT = Path(__file__).parents[1] / ".ci" / "postgresql"


@contextmanager
def empty(kind: str, folder: Path) -> Iterator[str]:
    """The address of a database without tables, which nobody else uses."""
    if kind == "sqlite":
        yield f"sqlite:///{folder}/queue.db"
        return
    schema = f"test_{uuid4().hex}"
    with psycopg.connect(POSTGRESQL, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")  # type: ignore[arg-type]
        try:
            yield (
                f"{POSTGRESQL}{'&' if '?' in POSTGRESQL else '?'}options={quote(f'-c search_path={schema}')}"  # noqa: E501 a table, or a text as it is sent
            )
        finally:
            connection.execute(f"DROP SCHEMA {schema} CASCADE")  # type: ignore[arg-type]


def make_ready(url: str) -> None:
    """Give a database its tables. A SQLite file that nobody made so far is a copy of one that was
    upgraded before, which is the same and takes a tenth of the time.
    """
    file = Path(url.removeprefix("sqlite:///"))
    if url.startswith("sqlite:///") and not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_bytes(_upgraded())
    else:
        migrate(url)


@functools.cache
def _upgraded() -> bytes:
    """What is in a SQLite file that is ready for work."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "queue.db")
        migrate(f"sqlite:///{file}")
        with closing(sqlite3.connect(file)) as database:
            return database.serialize()


class Cluster:
    """A PostgreSQL of this test's own, to be stopped and started; at the same address each time."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.url = ""

    def start(self) -> None:
        started = subprocess.run(
            [SCRIPT, "start", self._folder], capture_output=True, text=True, check=False
        )
        if started.returncode == 3:
            pytest.skip(started.stderr.strip())
        started.check_returncode()
        self.url = started.stdout.strip()

    def stop(self) -> None:
        """As a failing machine does it: without a word to its clients."""
        subprocess.run([SCRIPT, "stop", self._folder], check=True)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A running one; skips the test where PostgreSQL is not installed."""
    folder = tempfile.mkdtemp(
        prefix="signalman-test-"
    )  # not pytest's own: PostgreSQL's account could not enter it
    found = Cluster(folder)
    try:
        found.start()
        yield found
    finally:
        found.stop()
        shutil.rmtree(folder)
