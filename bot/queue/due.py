"""Making subjects due, inside somebody's transaction."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Table, case, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from bot.queue.schema import subjects


def insert(connection: Connection, table: Table) -> Any:
    """An INSERT that can say what happens on a conflict, in the database's own dialect."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def lock(connection: Connection, keys: Iterable[str]) -> None:
    """Lock the rows that are there, in one order for everybody, so that no two transactions wait
    for each other.
    """
    if connection.dialect.name == "postgresql":
        rows = select(subjects.c.key).where(subjects.c.key.in_(set(keys)))
        in_order = rows.order_by(subjects.c.key)
        connection.execute(in_order.with_for_update()).all()


def make_due(
    connection: Connection, keys: Iterable[str], now: float, *, news: bool = True
) -> dict[str, int]:
    """Make subjects due at that time; a row that is due sooner keeps its place.

    With news a generation more is counted, so that it ends a wait and outlives a pass that is under
    way.
    """
    later = or_(subjects.c.due_at.is_(None), subjects.c.due_at > now)
    update = {
        "generation": subjects.c.generation + int(news),
        "due_at": case((later, now), else_=subjects.c.due_at),
    }
    generations = {}
    for key in sorted(set(keys)):
        statement = (
            insert(connection, subjects)
            .values(key=key, due_at=now, generation=1, seen=0, attempts=0, memo="{}")
            .on_conflict_do_update(index_elements=[subjects.c.key], set_=update)
            .returning(subjects.c.generation)
        )
        generations[key] = int(connection.execute(statement).scalar_one())
    return generations
