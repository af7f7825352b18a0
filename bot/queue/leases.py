"""Leases and the retry of passes: who has which subject, and when it is looked at again.

Everything happens inside somebody's transaction.

A lease is a token in the subject's row. Whoever writes an outcome shows the token;
a worker that was stopped for longer than its lease finds another one there.
"""

import json
from collections.abc import Iterable
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import Connection, Double, Row, Select, bindparam, case, or_, select, update

from bot.passes import Look
from bot.queue.due import lock, make_due
from bot.queue.records import Lease
from bot.queue.schema import deliveries, passes, subjects
from bot.subjects import key, parse

# A neighbour that is back after an outage of any length is asked again this soon.
LONGEST_BACKOFF: Final = 32.0
LONGEST_ERROR: Final = 2000
GIVEN_BACK: Final = "given back"
"""Stands where the token of a lease was that ended without an outcome; nobody shows it."""

# Written once, because to compose it takes as long as to execute it.
_SETTLED = (
    update(subjects)
    .where(subjects.c.key == bindparam("of"), subjects.c.lease_token == bindparam("under"))
    .values(
        memo=bindparam("left"),
        seen=bindparam("known"),
        due_at=case(
            (subjects.c.generation > bindparam("known"), bindparam("now", type_=Double)),
            else_=bindparam("again", type_=Double),
        ),
        attempts=0,
        last_error=None,
        last_passed_at=bindparam("now", type_=Double),
        lease_token=None,
        lease_until=None,
    )
)


def available(now: float, limit: int, ahead: float, *, news: bool | None = None) -> Select[Any]:
    """The subjects that are due and in no pass, longest waiting first: with news, without, or all
    of them.
    """
    query = select(subjects).where(
        subjects.c.due_at <= now + ahead,
        or_(subjects.c.lease_until.is_(None), subjects.c.lease_until <= now),
    )
    if news is True:
        query = query.where(subjects.c.generation > subjects.c.seen)
    if news is False:
        query = query.where(subjects.c.generation <= subjects.c.seen)
    return query.order_by(subjects.c.due_at).limit(limit)


def take(
    connection: Connection, limit: int, ahead: float, until: float, worker: str, now: float
) -> list[Lease]:
    """Lease up to `limit` subjects until that time.

    Those with news come first: however many runs are being watched, a new event does not wait for
    them.
    """
    rows: list[Row[Any]] = []
    for news in (True, False):
        if len(rows) < limit:
            query = available(now, limit - len(rows), ahead, news=news)
            rows += connection.execute(query.with_for_update(skip_locked=True)).all()
    taken = [Lease(_look(row), uuid4().hex, row.generation, row.seen, worker, now) for row in rows]
    if taken:
        leased = update(subjects).where(subjects.c.key == bindparam("taken"))
        connection.execute(
            leased.values(lease_token=bindparam("token"), lease_until=until),
            [{"taken": key(lease.subject), "token": lease.token} for lease in taken],
        )
    return taken


def _look(row: Row[Any]) -> Look:
    return Look(
        parse(row.key),
        json.loads(row.memo),
        news=row.generation > row.seen,
        failures=row.attempts,
        # Whoever ends a pass clears its token; one that is still there was cut off.
        resumed=row.lease_token is not None,
    )


def renew(connection: Connection, leases: Iterable[Lease], until: float) -> set[str]:
    """Prolong the leases that are still in place, and return their tokens."""
    ours = set()
    for lease in sorted(leases, key=lambda lease: key(lease.subject)):
        if connection.execute(_row(lease).values(lease_until=until)).rowcount:
            ours.add(lease.token)
    return ours


def give_back(connection: Connection, leases: Iterable[Lease]) -> None:
    """End leases without an outcome: whoever comes next takes the subjects at once, and knows of
    the pass cut off.
    """
    for lease in sorted(leases, key=lambda lease: key(lease.subject)):
        connection.execute(_row(lease).values(lease_token=GIVEN_BACK, lease_until=None))


def settle(
    connection: Connection,
    lease: Lease,
    memo: str,
    look_again: float | None,
    wake: Iterable[str],
    now: float,
) -> bool:
    """Write what a pass leaves behind. Returns False, and writes nothing, when the lease is
    another's by now.
    """
    wake = list(wake)
    if wake:
        lock(connection, [key(lease.subject), *wake])
    again = None
    if look_again is not None:
        again = now + max(0.0, look_again)
    settled = connection.execute(
        _SETTLED,
        {
            "of": key(lease.subject),
            "under": lease.token,
            "left": memo,
            "known": lease.generation,
            "again": again,
            "now": now,
        },
    )
    if not settled.rowcount:
        return False
    if lease.generation > lease.seen:
        answered = update(deliveries).where(
            deliveries.c.subject == key(lease.subject),
            deliveries.c.generation.between(lease.seen + 1, lease.generation),
        )
        connection.execute(answered.values(answered_at=now, answered_by=lease.generation))
    make_due(connection, wake, now)
    return True


def fail(
    connection: Connection,
    lease: Lease,
    error: str,
    retry_after: float,
    memo: str | None,
    now: float,
) -> bool:
    """Write that a pass failed; the subject waits 2, 4, 8, 16, 32, 32 … seconds, and never less
    than it was asked to.

    As always, news ends the wait; so there is none when somebody spoke of the subject during the
    pass.
    """
    backoff = min(LONGEST_BACKOFF, 2.0 ** min(lease.look.failures + 1, 16))
    again = now + max(backoff, retry_after)
    failed = _row(lease).values(
        due_at=case((subjects.c.generation > lease.generation, now), else_=again),
        attempts=subjects.c.attempts + 1,
        last_error=error,
        last_passed_at=now,
        lease_token=None,
        lease_until=None,
    )
    if memo is not None:
        failed = failed.values(memo=memo)
    return bool(connection.execute(failed).rowcount)


def remember(
    connection: Connection, lease: Lease, performed: tuple[str, ...], error: str | None, now: float
) -> None:
    """Add a pass to the history."""
    connection.execute(
        passes.insert().values(
            subject=key(lease.subject),
            generation=lease.generation,
            worker=lease.worker,
            started_at=lease.taken_at,
            ended_at=now,
            performed=json.dumps(performed),
            error=error,
        )
    )


def storable(text: str) -> str:
    """The text without what PostgreSQL refuses to store, and not longer than a person reads."""
    return text.encode(errors="replace").decode().replace("\0", "")[:LONGEST_ERROR]


def _row(lease: Lease) -> Any:
    return update(subjects).where(
        subjects.c.key == key(lease.subject), subjects.c.lease_token == lease.token
    )
