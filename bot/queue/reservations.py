"""The concurrency limit of runs: a line in which pull requests wait for their turn.

First come, first served, over all pull requests and all workers: a slot that is
free belongs to whoever has waited longest. Somebody who no longer asks holds up
nobody; somebody whose runs nobody has spoken of for long has none.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, delete, select, text

from bot.facts.pull_request import QueuePosition
from bot.queue.due import insert
from bot.queue.schema import places

# A pull request with runs, or one that waits, is looked at every few seconds, and by a sweep every
# few minutes.
SILENT = 600.0
"""After so many seconds without a word a subject keeps its position in the line, but others go
ahead.
"""

FORGOTTEN = 3600.0
"""After so many seconds without a word its runs are no longer counted."""

FRESH = 60.0
"""A report that changes nothing is written down again after so many seconds."""

_LOCK = 0x51C7A2  # any number that nobody else on the server uses for the same purpose


@dataclass(frozen=True)
class Reservation:
    """A subject's row. `since` is when it began to want what it has not been given yet."""

    subject: str
    running: int
    wanted: int
    since: float
    reported_at: float


def read(connection: Connection) -> list[Reservation]:
    """All reservations, in the order of the line."""
    rows = connection.execute(select(places).order_by(places.c.since, places.c.subject))
    return [
        Reservation(row.subject, row.running, row.wanted, row.since, row.reported_at)
        for row in rows
    ]


def lock(connection: Connection) -> None:
    """Let nobody else change the line until this transaction ends. On SQLite nobody else can write
    anyhow.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def stand(
    line: Sequence[Reservation], subject: str, running: int, wanted: int, limit: int, now: float
) -> tuple[QueuePosition, Reservation | None, list[str]]:
    """Where a subject stands when it reports this: its position, its row from now on, and whose
    rows are forgotten.

    What it may start counts as running from now on. Its row is None when it has and wants nothing.
    """
    forgotten = [row.subject for row in line if row.reported_at <= now - FORGOTTEN]
    remembered = [row for row in line if row.subject not in forgotten]
    others = [row for row in remembered if row.subject != subject]
    since = 0.0
    if wanted:
        before = _row_of(subject, remembered)
        since = now
        if before is not None and before.since:
            since = before.since
    heard_of = [row for row in others if row.reported_at > now - SILENT]
    waiting = [row for row in heard_of if row.wanted]
    ahead = [row for row in waiting if (row.since, row.subject) < (since, subject)]
    taken = running + sum(row.running for row in others) + sum(row.wanted for row in ahead)
    free = max(0, min(wanted, limit - taken))
    position = QueuePosition(free, 0, len(waiting), limit)
    if wanted > free:
        position = QueuePosition(free, len(ahead), len(waiting) + 1, limit)
    if not running and not wanted:
        return position, None, forgotten
    # It keeps its `since` until it says itself that it wants nothing: what it was given may fail to
    # start.
    mine = Reservation(subject, running + free, wanted - free, since, now)
    return position, mine, forgotten


def _row_of(subject: str, line: Sequence[Reservation]) -> Reservation | None:
    for row in line:
        if row.subject == subject:
            return row
    return None


def changes(
    line: Sequence[Reservation], subject: str, mine: Reservation | None, now: float
) -> bool:
    """Whether a row has to be written: it is another one than before, or its report has
    grown old.
    """
    before = _row_of(subject, line)
    if before is None or mine is None:
        return before is not mine
    return before.reported_at <= now - FRESH or replace(before, reported_at=now) != mine


def write(
    connection: Connection, subject: str, mine: Reservation | None, forgotten: Sequence[str]
) -> None:
    """Write a subject's row, or remove it; and those that are forgotten."""
    gone = list(forgotten)
    if mine is None:
        gone.append(subject)
    if gone:
        connection.execute(delete(places).where(places.c.subject.in_(gone)))
    if mine is None:
        return
    row = {
        "running": mine.running,
        "wanted": mine.wanted,
        "since": mine.since,
        "reported_at": mine.reported_at,
    }
    statement = insert(connection, places).values(subject=subject, **row)
    connection.execute(statement.on_conflict_do_update(index_elements=[places.c.subject], set_=row))
