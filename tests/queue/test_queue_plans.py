"""A long history costs nothing: every statement of the daily work finds its rows by an index."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from clock_and_senders import Clock, Senders
from sqlalchemy import Connection, Engine, event

from bot.facts.runs import ProjectRun
from bot.passes import Outcome
from bot.queue import Queue, migrate
from bot.queue.database import Database
from bot.subjects import Branch, Model, PullRequest
from tests import databases


@contextmanager
def watched() -> Iterator[list[tuple[str, Any]]]:
    """Every statement that is executed meanwhile, as the driver gets it, with its
    parameters bound.
    """
    seen: list[tuple[str, Any]] = []

    def note(_c: Connection, _k: Any, statement: str, parameters: Any, _x: Any, many: bool) -> None:
        if (
            statement.split()[0] in ("SELECT", "INSERT", "UPDATE", "DELETE")
            and "set_config" not in statement
        ):
            seen.append((statement, parameters[0] if many else parameters))

    event.listen(Engine, "before_cursor_execute", note)
    yield seen
    event.remove(Engine, "before_cursor_execute", note)


def a_day_of_work(queue: Queue, senders: Senders, clock: Clock) -> None:
    """Everything that a door, a worker and an operator ask of a queue; the dashboard's counts
    aside.
    """
    here, there = PullRequest("o/p/r", 1), Model("m")
    first = senders.delivery(here)
    queue.mark(first)
    queue.mark(first)
    queue.mark(senders.delivery(there))
    queue.wake([Branch("o/p/r")])
    held = {lease.subject: lease for lease in queue.take(5, lease=30, worker="w")}
    queue.renew(held.values(), 30)
    queue.settle(held[here], Outcome(performed=("x",), look_again=5, wake=(there,)))
    queue.fail(held[there], "Broken.")
    queue.give_back([held[Branch("o/p/r")]])
    found = queue.delivery(first.key)
    assert found is not None
    queue.passes_for(found)
    queue.passes("model/m")
    queue.passes()
    queue.deliveries()
    queue.subject(here)
    for running, wanted in ((0, 2), (1, 1), (0, 0)):
        queue.reserve_runs(here, running, wanted, 1)
    run = ProjectRun("t", "projects/wine", "c1", 1, "local", cluster_run="7")
    queue.note_run(here, run)
    queue.add_log("t", 0, 5, "line\n")
    queue.put_log("t", "line\n")
    queue.put_log("t", None)
    queue.run("t")
    queue.runs(here)
    queue.runs()
    queue.log_end("t", 100)
    list(queue.log("t"))
    clock.pass_by(1000)
    queue.prune(10)


def test_on_sqlite_every_statement_uses_an_index(
    tmp_path: Path, clock: Clock, senders: Senders
) -> None:
    url = f"sqlite:///{tmp_path}/queue.db"
    migrate(url)
    queue = Queue(url, clock=clock)
    with watched() as statements:
        a_day_of_work(queue, senders, clock)
    queue.close()
    database = Database(url)
    with database.reading() as connection:
        for statement, parameters in statements:
            plan = [
                row[3]
                for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            ]
            for step in plan:
                read_whole = (
                    step.startswith("SCAN") and "INDEX" not in step and "passes.id" not in statement
                )
                assert not read_whole, (statement, plan)
                assert "TEMP B-TREE" not in step, (statement, plan)
    database.close()
    assert len(statements) > 40


@pytest.mark.parametrize("kind", databases.KINDS[1:])
def test_on_postgresql_there_is_an_index_for_every_statement(
    kind: str, tmp_path: Path, clock: Clock, senders: Senders
) -> None:
    with databases.empty(kind, tmp_path) as url:
        migrate(url)
        queue = Queue(url, clock=clock)
        with watched() as statements:
            a_day_of_work(queue, senders, clock)
        queue.close()
        database = Database(url)
        with database.writing() as connection:
            # An empty table is read whole however many indexes it has, unless that is made dear.
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            for statement, parameters in statements:
                plan = " ".join(
                    row[0] for row in connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
                )
                assert "Seq Scan" not in plan, (statement, plan)
        database.close()
