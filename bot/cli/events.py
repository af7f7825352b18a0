"""`events` and `replay`: what became of what came in, in lines for people, and looking again on
demand.

It reads and wakes through the queue alone, and so works beside a running worker.
"""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from operator import itemgetter

from bot import subjects
from bot.errors import SignalmanError
from bot.queue import DeliveryRecord, PassRecord, Queue, SubjectRecord
from bot.subjects import Subject

MOST_PASSES = 50
MOST_ACTIONS = 6


class UnknownKey(SignalmanError):
    """Neither a delivery nor a subject is known by the name that was given."""


def listed(queue: Queue, limit: int, *, failed: bool) -> Iterator[str]:
    """Two lines for each of the newest deliveries, the newest first; with `failed`, for what is in
    trouble now.
    """
    listed: set[Subject] = set()
    for delivery in queue.deliveries(limit, failing=failed):
        row = queue.subject(delivery.subject)
        sent = _inert(f"{delivery.sender} {delivery.event}")
        received = _moment(delivery.received_at)
        yield f"{received}  {sent}  {_name(delivery.subject)}  {_inert(delivery.key)}"
        yield f"    {_became_of(queue, delivery, row, newest=delivery.subject not in listed)}"
        listed.add(delivery.subject)
    if failed:
        for row in _failing(queue):
            if row.subject in listed or len(listed) >= limit:
                continue
            last = _moment(row.last_passed_at or 0.0)
            yield f"{last}  found by a sweep  {_name(row.subject)}"
            yield f"    {_trouble(row)}"
            listed.add(row.subject)
    if not listed and failed:
        yield "Nothing fails."
    if not listed and not failed:
        yield "No delivery was accepted yet."


def shown(queue: Queue, name: str) -> Iterator[str]:
    """A delivery, or a subject, with each pass and each action. Raises UnknownKey."""
    delivery = queue.delivery(name)
    if delivery is None:
        subject = _subject(queue, name)
        yield _name(subject)
        yield from _history(queue.passes(name, MOST_PASSES))
    else:
        subject = delivery.subject
        yield (
            f"{_inert(delivery.key)}: {_inert(delivery.event)} from {_inert(delivery.sender)}, "
            f"about {_name(subject)}"
        )
        yield f"{_moment(delivery.received_at)}  received and accepted"
        yield from _history(queue.passes_for(delivery, MOST_PASSES), delivery.answered_at)
    yield f"now: {_state(queue.subject(subject))}"


def _history(passes: Sequence[PassRecord], answered_at: float | None = None) -> Iterator[str]:
    """The lines of passes, given the newest first, in the order of time."""
    if len(passes) == MOST_PASSES:
        yield f"(the newest {MOST_PASSES} passes)"
    entries = [(record.ended_at, list(_pass(record))) for record in reversed(passes)]
    # A pass without anything to do leaves no row.
    if answered_at and all(record.ended_at != answered_at for record in passes):
        entries.append((answered_at, [f"{_moment(answered_at)}  looked at: nothing was to do"]))
    for _, lines in sorted(entries, key=itemgetter(0)):
        yield from lines


def replay(queue: Queue, names: Sequence[str], *, unanswered: bool) -> Iterator[str]:
    """Make the subjects of deliveries (or subjects by name) due again, as if somebody had just
    spoken of them.

    With `unanswered`, also every subject that waits for a good pass. Raises UnknownKey, before
    anything is done.
    """
    named: list[Subject] = []
    for name in names:
        delivery = queue.delivery(name)
        if delivery is None:
            named.append(_subject(queue, name))
        else:
            named.append(delivery.subject)
    if unanswered:
        named += queue.unanswered()
    due = list(dict.fromkeys(named))
    queue.wake(due)
    for subject in due:
        yield f"{_name(subject)} is due again."
    if not due:
        yield "Everything that came in was answered, and nothing fails; nothing was done."
        return
    whom = "them"
    if len(due) == 1:
        whom = "it"
    yield f"A worker looks at {whom} next; `python -m bot events show` tells what it does."


def _subject(queue: Queue, name: str) -> Subject:
    try:
        subject = subjects.parse(name)
    except ValueError:
        subject = None
    if subject is None or queue.subject(subject) is None:
        raise UnknownKey(
            f'No delivery and no subject is called "{_inert(name)}"; `python -m bot events` lists '
            "what came in, but for what was older than limits.history in config/bot.yml allows."
        )
    return subject


def _failing(queue: Queue) -> list[SubjectRecord]:
    # Those that fail come first.
    return [row for row in queue.subjects(1000) if row.last_error]


def _became_of(
    queue: Queue, delivery: DeliveryRecord, row: SubjectRecord | None, *, newest: bool
) -> str:
    if row is not None and row.last_error and (delivery.waiting or newest):
        return _trouble(row)
    if delivery.waiting and row is not None:
        return _state(row)
    looked = "looked at"
    if delivery.answered_at:
        looked = f"looked at after {delivery.answered_at - delivery.received_at:.1f} s"
    actions: list[str] = []
    for record in reversed(queue.passes_for(delivery)):
        actions += record.performed
    shown = actions[:MOST_ACTIONS]
    if len(actions) > MOST_ACTIONS:
        shown.append(f"and {len(actions) - MOST_ACTIONS} more")
    return _inert(f"{looked}: {'; '.join(shown) or 'nothing was to do'}")


def _trouble(row: SubjectRecord) -> str:
    when = "next try now"
    if row.due_at is not None:
        when = f"next try {_in(row.due_at)}"
    often = f"{row.attempts} times"
    if row.attempts == 1:
        often = "once"
    return _inert(f"failed {often}, {when}: {row.last_error}")


def _state(row: SubjectRecord | None) -> str:
    if row is None:
        return "nothing is left to do, and its subject was forgotten since."
    if row.lease_until and row.lease_until > time.time():
        return "it is being looked at."
    if row.last_error:
        return _trouble(row)
    if row.due_at is None:
        return "nothing is left to do until somebody speaks of it."
    return f"waits to be looked at {_in(row.due_at)}."


def _pass(record: PassRecord) -> Iterator[str]:
    took = f"{record.ended_at - record.started_at:.1f} s by {record.worker}"
    ended = _moment(record.ended_at)
    if record.error:
        yield _inert(f"{ended}  failed ({took}): {record.error}")
        return
    yield _inert(f"{ended}  looked at ({took}):")
    for action in record.performed:
        yield _inert(f"    {action}")


def _name(subject: Subject) -> str:
    return subjects.key(subject)


def _in(moment: float) -> str:
    seconds = moment - time.time()
    if seconds > 0.5:
        return f"in {seconds:.0f} s"
    return "now"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _inert(text: str) -> str:
    # What comes from outside may hold what a terminal obeys.
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )
