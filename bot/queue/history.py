"""What came in and what became of it, read back and, in time, forgotten."""

import json
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Row,
    Select,
    Table,
    and_,
    delete,
    func,
    or_,
    select,
)

from bot.queue.records import Counts, DeliveryRecord, PassRecord, SubjectRecord
from bot.queue.schema import deliveries, logs, passes, runs, subjects
from bot.subjects import key, parse


def counts(connection: Connection, now: float) -> Counts:
    """How much there is to do."""
    free = or_(subjects.c.lease_until.is_(None), subjects.c.lease_until <= now)
    row = connection.execute(
        select(
            func.count().filter(subjects.c.due_at <= now, free).label("due"),
            func.count().filter(subjects.c.lease_until > now).label("leased"),
            func.count().filter(subjects.c.last_error.is_not(None)).label("failing"),
            func.min(subjects.c.due_at).filter(free).label("oldest"),
        )
    ).one()
    waits = 0.0
    if row.oldest is not None:
        waits = max(0.0, now - row.oldest)
    return Counts(row.due, row.leased, row.failing, waits)


def delivery(row: Row[Any]) -> DeliveryRecord:
    """A delivery's row, with what its subject's row has seen, as a record."""
    return DeliveryRecord(
        row.key,
        row.sender,
        row.event,
        parse(row.subject),
        row.generation,
        row.received_at,
        row.answered_at,
        row.answered_by,
        waiting=row.seen is not None and row.seen < row.generation,
    )


def pass_(row: Row[Any]) -> PassRecord:
    """A pass's row as a record."""
    return PassRecord(
        row.id,
        parse(row.subject),
        row.generation,
        row.worker,
        row.started_at,
        row.ended_at,
        tuple(json.loads(row.performed)),
        row.error,
    )


def subject(row: Row[Any]) -> SubjectRecord:
    """A subject's row as a record."""
    return SubjectRecord(
        parse(row.key),
        row.due_at,
        row.generation,
        row.seen,
        row.lease_until,
        row.attempts,
        row.last_error,
        row.last_passed_at,
    )


def latest_deliveries(limit: int) -> Select[Any]:
    """The newest deliveries first."""
    return _deliveries().order_by(deliveries.c.received_at.desc()).limit(limit)


def failing_deliveries(limit: int) -> Select[Any]:
    """Of each subject that fails, the deliveries that wait for a good pass, or else the newest;
    newest first.
    """
    others = deliveries.alias()
    newest = (
        select(func.max(others.c.generation))
        .where(others.c.subject == deliveries.c.subject)
        .scalar_subquery()
    )
    return (
        _deliveries()
        .where(
            subjects.c.last_error.is_not(None),
            or_(deliveries.c.generation > subjects.c.seen, deliveries.c.generation == newest),
        )
        .order_by(deliveries.c.received_at.desc())
        .limit(limit)
    )


def one_delivery(delivery_key: str) -> Select[Any]:
    """A delivery by its key."""
    return _deliveries().where(deliveries.c.key == delivery_key)


def passes_for(answered: DeliveryRecord, limit: int) -> Select[Any]:
    """The passes since this delivery and before the first that had a later one to answer, newest
    first.
    """
    since = latest_passes(key(answered.subject), limit).where(
        passes.c.generation >= answered.generation
    )
    if answered.waiting:
        return since
    # Deliveries that came in a burst were answered by one pass, and what follows it belongs to all
    # of them.
    later = select(func.min(deliveries.c.generation)).where(
        deliveries.c.subject == key(answered.subject),
        deliveries.c.generation > (answered.answered_by or answered.generation),
    )
    return since.where(
        passes.c.generation < func.coalesce(later.scalar_subquery(), passes.c.generation + 1)
    )


def one_subject(subject_key: str) -> Select[Any]:
    """A subject by its key."""
    return select(subjects).where(subjects.c.key == subject_key)


def unanswered() -> Select[Any]:
    """The subjects that somebody spoke of since their last good pass, and those whose last pass
    failed.
    """
    waits = or_(subjects.c.generation > subjects.c.seen, subjects.c.last_error.is_not(None))
    return select(subjects.c.key).where(waits).order_by(subjects.c.key)


def latest_passes(subject_key: str | None, limit: int) -> Select[Any]:
    """The newest passes first, over one subject or over all."""
    newest = select(passes).order_by(passes.c.id.desc()).limit(limit)
    if subject_key is None:
        return newest
    return newest.where(passes.c.subject == subject_key)


def latest_subjects(limit: int) -> Select[Any]:
    """The subjects that fail first, then those that are due, then those looked at last."""
    return (
        select(subjects)
        .order_by(
            subjects.c.last_error.is_(None),
            subjects.c.due_at.is_(None),
            subjects.c.due_at,
            subjects.c.last_passed_at.desc(),
        )
        .limit(limit)
    )


def prunable(before: float) -> list[tuple[Table, Column[Any], ColumnElement[bool]]]:
    """What may go: old deliveries, passes, runs and logs, and subjects nobody spoke of since.

    A subject's memo only saves calls, so a row that is not due can go with it.
    """
    idle = and_(
        subjects.c.due_at.is_(None),
        subjects.c.lease_token.is_(None),
        subjects.c.last_passed_at < before,
    )
    return [
        (deliveries, deliveries.c.key, deliveries.c.received_at < before),
        (passes, passes.c.id, passes.c.ended_at < before),
        (logs, logs.c.id, logs.c.written_at < before),
        (runs, runs.c.token, runs.c.noted_at < before),
        (subjects, subjects.c.key, idle),
    ]


def _deliveries() -> Select[Any]:
    return select(deliveries, subjects.c.seen).outerjoin(
        subjects, subjects.c.key == deliveries.c.subject
    )


def prune_page(
    connection: Connection, table: Table, identity: Column[Any], old: ColumnElement[bool], page: int
) -> int:
    """Delete one page of rows that may go; returns how many went."""
    some = select(identity).where(old).limit(page).with_for_update(skip_locked=True)
    # The condition is asked again of each row: a webhook may have made it due since the page was
    # chosen.
    return connection.execute(
        delete(table).where(identity.in_(some.scalar_subquery()), old)
    ).rowcount
