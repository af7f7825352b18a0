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
    told: set[Subject] = set()
    for delivery in queue.deliveries(limit, failing=failed):
        subject = queue.subject(delivery.subject)
        sent = _inert(f"{delivery.sender} {delivery.event}")
        received = _moment(delivery.received_at)
        yield f"{received}  {sent}  {_name(delivery.subject)}  {_inert(delivery.key)}"
        yield f"    {_became_of(queue, delivery, subject, newest=delivery.subject not in told)}"
        told.add(delivery.subject)
    for row in _failing(queue) if failed else ():
        if row.subject not in told and len(told) < limit:
            yield f"{_moment(row.last_passed_at or 0.0)}  found by a sweep  {_name(row.subject)}"
            yield f"    {_trouble(row)}"
            told.add(row.subject)
    if not told:
        yield "Nothing fails." if failed else "No delivery was accepted yet."


def shown(queue: Queue, name: str) -> Iterator[str]:
    """A delivery, or a subject, with each pass and each action. Raises UnknownKey."""
    found = queue.delivery(name)
    if found:
        subject = found.subject
    else:
        subject = _subject(queue, name)
    row = queue.subject(subject)
    if found:
        yield (
            f"{_inert(found.key)}: {_inert(found.event)} from {_inert(found.sender)}, about "
            f"{_name(subject)}"
        )
        yield f"{_moment(found.received_at)}  received and accepted"
        passes = queue.passes_for(found, MOST_PASSES)
    else:
        yield _name(subject)
        passes = queue.passes(name, MOST_PASSES)
    if len(passes) == MOST_PASSES:
        yield f"(the newest {MOST_PASSES} passes)"
    told = [(look.ended_at, list(_pass(look))) for look in reversed(passes)]
    answered = None
    if found:
        answered = found.answered_at
    if answered and all(
        look.ended_at != answered for look in passes
    ):  # a pass without anything to do leaves no row
        told.append((answered, [f"{_moment(answered)}  looked at: nothing was to do"]))
    for _, lines in sorted(told, key=itemgetter(0)):
        yield from lines
    yield f"now: {_state(row)}"


def replay(queue: Queue, names: Sequence[str], *, unanswered: bool) -> Iterator[str]:
    """Make the subjects of deliveries (or subjects by name) due again, as if somebody had just
    spoken of them.

    With `unanswered`, also every subject that waits for a good pass. Raises UnknownKey, before
    anything is done.
    """
    wanted = [
        found.subject if (found := queue.delivery(name)) else _subject(queue, name)
        for name in names
    ]
    if unanswered:
        wanted += queue.unanswered()
    wanted = list(dict.fromkeys(wanted))
    queue.wake(wanted)
    for subject in wanted:
        yield f"{_name(subject)} is due again."
    if not wanted:
        yield "Everything that came in was answered, and nothing fails; nothing was done."
    else:
        whom = "them"
        if len(wanted) == 1:
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
    queue: Queue, one: DeliveryRecord, row: SubjectRecord | None, *, newest: bool
) -> str:
    if row is not None and row.last_error and (one.waiting or newest):
        return _trouble(row)
    if one.waiting and row is not None:
        return _state(row)
    looked = "looked at"
    if one.answered_at:
        looked = f"looked at after {one.answered_at - one.received_at:.1f} s"
    done = [action for pass_ in reversed(queue.passes_for(one)) for action in pass_.performed]
    if len(done) > MOST_ACTIONS:
        more = [f"and {len(done) - MOST_ACTIONS} more"]
    else:
        more = []
    return _inert(f"{looked}: {'; '.join(done[:MOST_ACTIONS] + more) or 'nothing was to do'}")


def _trouble(row: SubjectRecord) -> str:
    if row.due_at is None:
        when = "next try now"
    else:
        when = f"next try {_in(row.due_at)}"
    if row.attempts == 1:
        often = "once"
    else:
        often = f"{row.attempts} times"
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


def _pass(one: PassRecord) -> Iterator[str]:
    took = f"{one.ended_at - one.started_at:.1f} s by {one.worker}"
    if one.error:
        yield _inert(f"{_moment(one.ended_at)}  failed ({took}): {one.error}")
        return
    yield _inert(f"{_moment(one.ended_at)}  looked at ({took}):")
    for action in one.performed:
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
