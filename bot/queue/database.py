"""A connection to SQLite or PostgreSQL that may be relied on, and one way of failing.

It knows transactions, not what they are about.
"""

import os
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from bot.errors import ConfigError, SignalmanError

# How long a webhook may wait for its turn to write before it is answered 503 and sent again.
PATIENCE = 5.0
# How long a process that stands still in a transaction may keep rows from everybody else
# (PostgreSQL).
STANDSTILL = 10.0


class QueueError(SignalmanError):
    """The work queue's database could not do what it was asked; nothing was written."""


_WAIT = f"PRAGMA busy_timeout = {int(PATIENCE * 1000)}"


@dataclass(frozen=True, slots=True)
class _Open:
    process: int
    engine: Engine
    turn: threading.Lock


class Database:
    """The database behind `DATABASE_URL`, opened when it is first needed.

    That may be before or after a server forks: every process opens its own.
    Raises ConfigError for an address that is neither SQLite nor PostgreSQL.
    """

    def __init__(self, url: str) -> None:
        self.url = parse(url)
        self._open: _Open | None = None

    @property
    def kind(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.url.get_backend_name()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that takes no lock, so that a poll never holds up a webhook. Raises
        QueueError.
        """
        with _failing_as("read"), self._opened().engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self, *, lasting: bool = True) -> Iterator[Connection]:
        """A transaction that is durable once it is left. Raises QueueError; then nothing was
        written.

        One that need not be `lasting` does not wait for the disk. It survives every end of this
        process, but may be missing after the machine or the server broke down at that moment.
        """
        opened = self._opened()
        # SQLite lets one write at a time, and who waits for it in the database waits unfairly.
        if self.kind == "sqlite" and not opened.turn.acquire(timeout=PATIENCE):
            raise QueueError(
                "The work queue's database cannot be written: other writers do not finish."
            )
        try:
            with (
                _failing_as("written"),
                opened.engine.connect() as connection,
                connection.execution_options(
                    signalman_writes=True, signalman_lasting=lasting
                ).begin(),
            ):
                if self.kind == "postgresql" and not lasting:
                    connection.exec_driver_sql("SET LOCAL synchronous_commit TO OFF")
                yield connection
        finally:
            if self.kind == "sqlite":
                opened.turn.release()

    def close(self) -> None:
        """Close the connections of this process; the next use opens new ones."""
        opened = self._open
        self._open = None
        if opened is not None and opened.process == os.getpid():
            opened.engine.dispose()

    def _opened(self) -> _Open:
        opened = self._open
        if opened is None or opened.process != os.getpid():
            # Connections that a fork copied belong to the parent; they are dropped unclosed.
            opened = self._open = _Open(os.getpid(), _engine(self.url), threading.Lock())
        return opened


def parse(url: str) -> URL:
    """Read a `DATABASE_URL`. Raises ConfigError, which never repeats it: it may hold a password."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigError(
            "DATABASE_URL is not an address such as sqlite:///var/signalman.db."
        ) from None
    if parsed.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return parsed
    raise ConfigError(
        f"DATABASE_URL begins with {parsed.drivername}; it must be sqlite:/// with the path of a "
        "file, or postgresql://."
    )


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "postgresql":
        engine = create_engine(
            url,
            hide_parameters=True,
            pool_pre_ping=True,
            pool_timeout=PATIENCE,
            connect_args=_NETWORK,
        )
        event.listen(engine, "connect", _limit)
        return engine
    _make_file(Path(str(url.database)))
    engine = create_engine(
        url, hide_parameters=True, pool_timeout=PATIENCE, connect_args={"timeout": PATIENCE}
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _make_file(path: Path) -> None:
    # Made beside its place and never opened there: who closes a file loses all locks its process
    # has on it, SQLite's too, and then another process may delete the log under this one
    # (https://www.sqlite.org/howtocorrupt.html, 2.2).
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            made = _empty_file_beside(path)
            with suppress(FileExistsError):
                os.link(made, path)
            os.unlink(made)
    except OSError as error:
        raise QueueError(
            f"The work queue's file {path} cannot be made: {error.strerror}."
        ) from error


def _empty_file_beside(path: Path) -> str:
    opened, made = tempfile.mkstemp(prefix=path.name, dir=path.parent)  # only its owner may read it
    os.close(opened)
    return made


# A server that is cut off answers nothing, not even with an error: TCP alone would wait a quarter
# of an hour. https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
_NETWORK: dict[str, str | int] = {
    "application_name": "signalman",
    "connect_timeout": int(PATIENCE),
    "keepalives_idle": int(PATIENCE),
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": int(PATIENCE * 1000),
}


def _limit(connection: Any, _record: Any) -> None:
    limits = {"lock_timeout": PATIENCE, "idle_in_transaction_session_timeout": STANDSTILL}
    with connection.cursor() as cursor:
        for name, seconds in limits.items():
            cursor.execute("SELECT set_config(%s, %s, false)", (name, f"{seconds * 1000:.0f}"))
    connection.commit()


def _prepare(connection: Any, _record: Any) -> None:
    # The driver's own BEGIN comes too late and without IMMEDIATE; `_begin` does it instead.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(_WAIT)
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if not options.get("signalman_writes", False):
        connection.exec_driver_sql("BEGIN DEFERRED")
        return
    # Left to itself SQLite asks for the lock ever less often, down to ten times a second, and
    # whoever writes without a pause starves the others (https://www.sqlite.org/src/file/src/main.c,
    # busy handler).
    driver = connection.connection
    end = time.monotonic() + PATIENCE
    driver.execute("PRAGMA busy_timeout = 4")
    # The log is written in order: the next transaction that does wait for the disk waits for this
    # one too.
    if options["signalman_lasting"]:
        driver.execute("PRAGMA synchronous = FULL")
    else:
        driver.execute("PRAGMA synchronous = NORMAL")
    try:
        while True:
            try:
                driver.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                    raise
    finally:
        driver.execute(_WAIT)


@contextmanager
def _failing_as(what: str) -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        cause = getattr(error, "orig", None) or error
        reason = (str(cause).splitlines() or [""])[0]
        raise QueueError(
            f"The work queue's database cannot be {what} ({type(cause).__name__}: {reason}); "
            "check that it is there and has room, and that DATABASE_URL is right."
        ) from error
