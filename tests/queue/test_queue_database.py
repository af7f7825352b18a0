"""The database under the queue: its address, its schema, its settings, and its failures."""

import multiprocessing
import os
import sqlite3
import stat
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from clock_and_senders import Clock, Senders
from sqlalchemy import select

from bot.errors import ConfigError
from bot.queue import Queue, QueueError, history, leases, migrate, schema
from bot.queue.database import Database, parse
from bot.subjects import Model, PullRequest


def test_the_migrations_lead_to_the_schema_the_code_uses(url: str) -> None:
    database = Database(url)
    with database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
    database.close()


def test_migrating_twice_changes_nothing(url: str, queue: Queue, senders: Senders) -> None:
    queue.mark(senders.delivery())
    migrate(url)
    assert len(queue.deliveries()) == 1


def test_processes_that_start_together_migrate_once(empty_url: str) -> None:
    processes = [multiprocessing.get_context("spawn").Process(target=migrate, args=(empty_url,)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    queue = Queue(empty_url)
    assert queue.writable()
    queue.close()


def test_a_database_of_a_newer_signalman_is_left_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/queue.db"
    migrate(url)
    with sqlite3.connect(tmp_path / "queue.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(QueueError, match="newer Signalman"):
        migrate(url)


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("sqlite:///var/signalman.db", "sqlite"),
        ("sqlite:////var/lib/signalman.db", "sqlite"),
        ("postgresql://signalman:secret@db.example/queue?sslmode=require", "postgresql"),
        ("postgres://db.example/queue", "postgresql"),
        ("postgresql+psycopg://db.example/queue", "postgresql"),
    ],
)
def test_sqlite_and_postgresql_are_known_by_their_usual_addresses(url: str, kind: str) -> None:
    assert parse(url).get_backend_name() == kind
    assert parse(url).drivername in ("sqlite", "postgresql+psycopg")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "signalman.db",
        "sqlite://",
        "sqlite:///:memory:",
        "mysql://u:hidden-word@h/d",
        "sqlite+other:///x",
        "://hidden-word",
    ],
)
def test_any_other_address_is_a_sentence_without_the_password(url: str) -> None:
    with pytest.raises(ConfigError, match="DATABASE_URL") as refused:
        Queue(url)
    assert "hidden-word" not in str(refused.value)


def test_sqlite_is_set_up_to_lose_nothing_and_to_let_readers_read(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/queue.db")
    with database.reading() as connection:
        told = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "busy_timeout")
        }
    assert told == {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 5000}
    database.close()


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    migrate(f"sqlite:///{tmp_path}/new/folder/queue.db")
    assert stat.S_IMODE((tmp_path / "new/folder/queue.db").stat().st_mode) == 0o600


def test_a_poll_reads_while_another_process_writes(tmp_path: Path, clock: Clock, senders: Senders) -> None:
    queue = Queue(f"sqlite:///{tmp_path}/queue.db", clock=clock)
    migrate(f"sqlite:///{tmp_path}/queue.db")
    queue.mark(senders.delivery())
    writer = sqlite3.connect(tmp_path / "queue.db", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    assert queue.counts().due == 1
    assert queue.take(0, lease=1, worker="w") == []
    assert len(queue.deliveries()) == 1
    writer.close()
    queue.close()


def test_no_query_reads_a_whole_table_or_sorts_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/queue.db"
    migrate(url)
    database = Database(url)
    queries = [
        leases.available(1.0, 8, 0.0),
        history.latest_deliveries(50),
        history.latest_passes("model/m", 50),
        history.latest_passes(None, 50),
        *(select(identity).where(old).limit(500) for _, identity, old in history.prunable(1.0)),
    ]
    with database.reading() as connection:
        for query in queries:
            compiled = str(query.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True}))
            plan = " ".join(str(row) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}"))
            assert "INDEX" in plan or "ORDER BY passes.id" in compiled
            assert "TEMP B-TREE" not in plan
    database.close()


def test_a_database_without_tables_is_an_error_in_words(empty_url: str, senders: Senders) -> None:
    queue = Queue(empty_url)
    with pytest.raises(QueueError, match="cannot be written"):
        queue.mark(senders.delivery())
    with pytest.raises(QueueError, match="cannot be read"):
        queue.counts()
    assert not queue.writable()
    queue.close()


def test_a_server_that_is_not_there_is_an_error_in_words() -> None:
    queue = Queue("postgresql://signalman:hidden-word@127.0.0.1:9/queue")
    with pytest.raises(QueueError) as failed:
        queue.counts()
    assert "hidden-word" not in str(failed.value)
    queue.close()


def test_a_file_that_is_a_folder_is_an_error_in_words(tmp_path: Path) -> None:
    queue = Queue(f"sqlite:///{tmp_path}")
    with pytest.raises(QueueError, match="cannot be opened"):
        queue.counts()
    assert not queue.writable()


def forget_everything_and_fail(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(schema.deliveries.delete())
        connection.execute(schema.deliveries.insert().values(key=None))


def test_what_cannot_be_stored_whole_is_not_stored_at_all(url: str, queue: Queue, senders: Senders) -> None:
    first = senders.delivery(Model("m"))
    queue.mark(first)
    [lease] = queue.take(1, lease=30, worker="w")
    database = Database(url)
    with pytest.raises(QueueError):
        forget_everything_and_fail(database)
    assert queue.delivery(first.key) is not None
    assert queue.renew([lease], 5) == {lease.token}
    database.close()


def test_a_forked_process_opens_connections_of_its_own(queue: Queue, senders: Senders) -> None:
    queue.mark(senders.delivery(PullRequest("o/p/r", 1)))
    child = os.fork()
    if child == 0:
        os._exit(0 if queue.mark(senders.delivery(PullRequest("o/p/r", 2))) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert queue.mark(senders.delivery(PullRequest("o/p/r", 3))) is False  # the child's delivery had this key
    assert len(queue.subjects()) == 2
