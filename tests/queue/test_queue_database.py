"""The database under the queue: its address, its schema, its settings, and its failures."""

import multiprocessing
import os
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from clock_and_senders import Clock, Senders
from sqlalchemy import select

from bot import migrations
from bot.errors import ConfigError
from bot.passes import Outcome
from bot.queue import Queue, QueueError, history, leases, migrate, schema
from bot.queue.database import Database, parse
from bot.subjects import Model, PullRequest
from tests import databases


def test_the_migrations_lead_to_the_schema_the_code_uses(url: str) -> None:
    database = Database(url)
    with database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
    database.close()


def test_migrating_twice_changes_nothing(url: str, queue: Queue, senders: Senders) -> None:
    queue.mark(senders.delivery())
    migrate(url)
    assert len(queue.deliveries()) == 1


def test_the_first_release_s_database_is_brought_up_to_date_with_all_it_holds(
    empty_url: str, clock: Clock
) -> None:
    at_revision(empty_url, "0001")
    database = Database(empty_url)
    with database.writing() as connection:
        subject = {
            "key": "model/m",
            "due_at": 1.0,
            "generation": 2,
            "seen": 1,
            "attempts": 0,
            "memo": '{"a": 1}',
        }
        sent = {"sender": "mlflow", "event": "alias", "subject": "model/m", "received_at": 1.0}
        connection.execute(schema.subjects.insert(), [subject])
        for number in (1, 2):
            connection.execute(
                schema.deliveries.insert().values(key=f"k{number}", generation=number, **sent)
            )
    database.close()
    migrate(empty_url)
    queue = Queue(empty_url, clock=clock)
    told = {row.key: (row.waiting, row.answered_at) for row in queue.deliveries()}
    assert told == {"k1": (False, None), "k2": (True, None)}
    [lease] = queue.take(1, lease=30, worker="w")
    assert lease.look.memo == {"a": 1}
    assert queue.settle(lease, Outcome(performed=("done",)))
    assert [row.answered_at for row in queue.deliveries() if row.key == "k2"] == [clock()]
    queue.close()


def at_revision(url: str, revision: str) -> None:
    """Create the tables as they were after that migration."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    database = Database(url)
    with database.writing() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    database.close()


def test_a_process_that_finds_the_newest_schema_leaves_it_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/queue.db"
    migrate(url)
    look = (
        f"import sys; from bot.queue import migrate; migrate({url!r}); print('alembic' in "
        "sys.modules)"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", look], capture_output=True, text=True, check=True
        ).stdout
        == "False\n"
    )


def test_processes_that_start_together_migrate_once(empty_url: str) -> None:
    processes = [
        multiprocessing.get_context("spawn").Process(target=migrate, args=(empty_url,))
        for _ in range(4)
    ]
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


def test_on_sqlite_only_what_a_sender_was_told_waits_for_the_disk(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/queue.db")
    waits = []
    for lasting in (False, True):
        with database.writing(lasting=lasting) as connection:
            waits.append(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())
    assert waits == [1, 2]  # normal, full
    database.close()


WRITES_WITHOUT_A_PAUSE = """
import sys
from bot.queue import Queue
from bot.subjects import Delivery, Model
queue = Queue(sys.argv[1])
print("writing", flush=True)
for number in range(10**9):
    queue.mark(Delivery(f"k{number}", "s", "e", Model("m")))
"""


def test_who_writes_without_a_pause_starves_nobody(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/queue.db"
    migrate(url)
    queue = Queue(url)
    with subprocess.Popen(
        [sys.executable, "-c", WRITES_WITHOUT_A_PAUSE, url], stdout=subprocess.PIPE
    ) as greedy:
        assert greedy.stdout is not None
        greedy.stdout.readline()
        began = time.monotonic()
        for _ in range(20):
            queue.wake([Model("other")])
        greedy.kill()
    assert time.monotonic() - began < 20 * 0.5
    queue.close()


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    migrate(f"sqlite:///{tmp_path}/new/folder/queue.db")
    assert stat.S_IMODE((tmp_path / "new/folder/queue.db").stat().st_mode) == 0o600


WRITES_ONCE = """
import sys
from bot.queue import Queue
from bot.subjects import Model
queue = Queue(sys.argv[1])
queue.wake([Model("theirs")])
queue.close()
"""


def test_what_one_process_opens_twice_keeps_its_log_from_other_processes(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/queue.db"
    migrate(url)
    first, second = Queue(url), Queue(url)
    first.wake([Model("first")])
    second.wake([Model("second")])
    subprocess.run([sys.executable, "-c", WRITES_ONCE, url], check=True)
    first.wake([Model("first again")])
    third = Queue(url)
    assert {row.subject.name for row in third.subjects(10)} == {
        "first",
        "second",
        "theirs",
        "first again",
    }
    for queue in (first, second, third):
        queue.close()


def test_a_poll_reads_while_another_process_writes(
    tmp_path: Path, clock: Clock, senders: Senders
) -> None:
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
            compiled = str(
                query.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
            )
            plan = " ".join(
                str(row) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}")
            )
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
    with pytest.raises(QueueError, match="unable to open database file"):
        queue.counts()
    assert not queue.writable()


def test_a_folder_nobody_can_make_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    queue = Queue(f"sqlite:///{tmp_path}/taken/queue.db")
    with pytest.raises(QueueError, match=r"taken/queue\.db cannot be made: "):
        queue.counts()


HOLDS_A_ROW = """
import signal, sys
from sqlalchemy import text
from bot.queue.database import Database
with Database(sys.argv[1]).writing() as connection:
    connection.execute(text("UPDATE subjects SET attempts = 0"))
    print("held", flush=True)
    signal.pause()
"""


@pytest.mark.parametrize("kind", databases.KINDS[1:])
def test_a_machine_that_stands_still_in_a_transaction_lets_go(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with databases.empty(kind, tmp_path) as url:
        migrate(url)
        queue = Queue(url)
        queue.wake([Model("m")])
        with subprocess.Popen(
            [sys.executable, "-c", HOLDS_A_ROW, url], stdout=subprocess.PIPE
        ) as still:
            assert still.stdout is not None
            still.stdout.readline()
            began = time.monotonic()
            with pytest.raises(QueueError):  # a webhook is not kept waiting for it
                queue.wake([Model("m")])
            assert time.monotonic() - began < 8
            queue.close()
            monkeypatch.setattr("bot.queue.database.PATIENCE", 15.0)
            queue.wake([Model("m")])
            assert len(queue.take(1, lease=30, worker="heir")) == 1
            assert time.monotonic() - began < 15
            still.kill()
        queue.close()


def forget_everything_and_fail(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(schema.deliveries.delete())
        connection.execute(schema.deliveries.insert().values(key=None))


def test_what_cannot_be_stored_whole_is_not_stored_at_all(
    url: str, queue: Queue, senders: Senders
) -> None:
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
    assert (
        queue.mark(senders.delivery(PullRequest("o/p/r", 3))) is False
    )  # the child's delivery had this key
    assert len(queue.subjects()) == 2
