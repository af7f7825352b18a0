"""Project runs and what they wrote, kept for the pages; inside somebody's transaction.

A log is kept in pieces, in the order of their positions. Of a long one the end
is kept. Whoever brings text has masked it: nothing here knows a secret.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, select, update

from bot.facts.runs import ProjectRun
from bot.queue.due import insert
from bot.queue.records import RunRecord
from bot.queue.schema import logs, runs
from bot.subjects import parse

LARGEST_LOG = 5 * 1024 * 1024
"""How many characters of a log are kept."""

PIECE = 64 * 1024


def one_run(token: str) -> Select[Any]:
    """A run by its token."""
    return select(runs).where(runs.c.token == token)


def runs_of(subject_key: str, limit: int) -> Select[Any]:
    """The newest runs of a subject first."""
    return (
        select(runs)
        .where(runs.c.subject == subject_key)
        .order_by(runs.c.started_at.desc())
        .limit(limit)
    )


def latest_runs(limit: int) -> Select[Any]:
    """The runs that something was heard of last, first."""
    return select(runs).order_by(runs.c.noted_at.desc()).limit(limit)


def record(row: Row[Any]) -> RunRecord:
    """A run's row as a record."""
    return RunRecord(
        row.token,
        parse(row.subject),
        row.project,
        row.commit_id,
        row.state,
        row.reason,
        row.run_page,
        row.mlflow_page,
        row.started_at,
        row.ended_at,
        row.log_read,
        row.log_size,
        row.log_cut,
        row.log_whole,
    )


def noted(subject_key: str, run: ProjectRun) -> dict[str, Any]:
    """What a run's row tells of it."""
    return {
        "subject": subject_key,
        "project": run.project,
        "commit_id": run.commit,
        "state": _state(run),
        "reason": run.reason,
        "run_page": run.run_page,
        "mlflow_page": run.mlflow_page,
        "started_at": _seconds(run.started),
        "ended_at": _seconds(run.ended),
    }


def _state(run: ProjectRun) -> str:
    if run.outcome:
        return run.outcome
    if run.cluster_run:
        return "running"
    return "starting"


def _seconds(moment: datetime | None) -> float | None:
    if moment is None:
        return None
    return moment.timestamp()


def note(connection: Connection, token: str, columns: dict[str, Any], now: float) -> Row[Any]:
    """Write what is known of a run; of its log nothing changes."""
    columns = {**columns, "noted_at": now}
    new = insert(connection, runs).values(
        token=token, log_read=0, log_size=0, log_cut=False, log_whole=False, **columns
    )
    statement = new.on_conflict_do_update(index_elements=[runs.c.token], set_=columns)
    return connection.execute(statement.returning(runs)).one()


def add(connection: Connection, token: str, start: int, end: int, content: str, now: float) -> bool:
    """Add what a log holds from byte `start` to byte `end` at its backend.

    Returns False, and writes nothing, when somebody else has read on from there, or brought the
    whole.
    """
    ours = runs.c.token == token, runs.c.log_read == start, ~runs.c.log_whole
    longer = (
        update(runs)
        .where(*ours)
        .values(log_read=end, log_size=runs.c.log_size + len(content), noted_at=now)
    )
    size = connection.execute(longer.returning(runs.c.log_size)).scalar()
    if size is None:
        return False
    _write(connection, token, size - len(content), content, now)
    old = logs.c.token == token, logs.c.position < size - LARGEST_LOG
    if connection.execute(delete(logs).where(*old)).rowcount:
        connection.execute(update(runs).where(runs.c.token == token).values(log_cut=True))
    return True


def put(connection: Connection, token: str, content: str, now: float, *, cut: bool) -> None:
    """Let a log be this and nothing else, from now on; `cut`: its beginning is missing."""
    left = max(0, len(content) - LARGEST_LOG)
    values = {
        "log_size": len(content),
        "log_cut": cut or left > 0,
        "log_whole": True,
        "noted_at": now,
    }
    if connection.execute(update(runs).where(runs.c.token == token).values(**values)).rowcount:
        connection.execute(delete(logs).where(logs.c.token == token))
        _write(connection, token, left, content[left:], now)


def finish(connection: Connection, token: str, now: float) -> None:
    """Let a log be what was read of it while it was written: there will be no more."""
    connection.execute(
        update(runs).where(runs.c.token == token).values(log_whole=True, noted_at=now)
    )


def end_of(connection: Connection, token: str, longest: int) -> tuple[str, int]:
    """The last characters of a log, and how many characters of it are kept."""
    first = connection.execute(
        select(func.min(logs.c.position)).where(logs.c.token == token)
    ).scalar()
    if first is None:
        return "", 0
    texts: list[str] = []
    length = 0
    before = None
    while length < longest:
        query = select(logs.c.position, logs.c.text).where(logs.c.token == token)
        if before is not None:
            query = query.where(logs.c.position < before)
        rows = connection.execute(query.order_by(logs.c.position.desc()).limit(20)).all()
        if not rows:
            break
        for row in rows:
            texts.append(row.text)
            length = length + len(row.text)
            before = row.position
    size = connection.execute(select(runs.c.log_size).where(runs.c.token == token)).scalar_one()
    return "".join(reversed(texts))[-longest:], size - first


def pieces(token: str, after: int, limit: int) -> Select[Any]:
    """Pieces of a log in their order, from a position on."""
    return (
        select(logs.c.position, logs.c.text)
        .where(logs.c.token == token, logs.c.position >= after)
        .order_by(logs.c.position)
        .limit(limit)
    )


def _write(connection: Connection, token: str, position: int, content: str, now: float) -> None:
    rows = [
        {
            "token": token,
            "position": position + at,
            "text": content[at : at + PIECE],
            "written_at": now,
        }
        for at in range(0, len(content), PIECE)
    ]
    if rows:
        connection.execute(logs.insert(), rows)
