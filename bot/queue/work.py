"""The queue as the rest of the bot sees it: mark, take, settle, and look back."""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from uuid import uuid4

from sqlalchemy import delete, update

from bot.facts.pull_request import QueuePosition
from bot.facts.runs import ProjectRun
from bot.passes import Memo, Outcome
from bot.queue import history, leases, reservations, runs
from bot.queue.database import Database, QueueError
from bot.queue.due import insert, make_due
from bot.queue.records import Counts, DeliveryRecord, Lease, PassRecord, RunRecord, SubjectRecord
from bot.queue.schema import deliveries
from bot.subjects import Delivery, Subject, key, parse


class Queue:
    """The work queue in the database at `url`, which `migrate` has prepared.

    May be shared by threads and made before a server forks. Every method raises
    QueueError when the database fails; then it wrote nothing. `clock` gives seconds
    since 1970; machines that share a database must agree on it within a lease.

    What a sender was told is stored waits for the disk. An outcome does not: should the
    machine break down at that very moment, the pass is made again, which changes nothing.
    """

    def __init__(self, url: str, *, clock: Callable[[], float] = time.time) -> None:
        self._database = Database(url)
        self._clock = clock

    # ── the door

    def mark(self, delivery: Delivery) -> bool:
        """Record a webhook and make its subject due, durably. Returns False when it was here
        before.
        """
        now = self._clock()
        subject = key(delivery.subject)
        with self._database.writing() as connection:
            statement = insert(connection, deliveries).values(
                key=delivery.key,
                sender=delivery.sender,
                event=delivery.event,
                subject=subject,
                generation=0,
                received_at=now,
            )
            unless_here = statement.on_conflict_do_nothing(index_elements=[deliveries.c.key])
            stored = connection.execute(unless_here.returning(deliveries.c.key)).first()
            if stored is None:
                return False
            generation = make_due(connection, [subject], now)[subject]
            this_one = update(deliveries).where(deliveries.c.key == delivery.key)
            connection.execute(this_one.values(generation=generation))
            return True

    def wake(self, subjects: Iterable[Subject], *, news: bool = True) -> None:
        """Make subjects due now without a webhook, as news or because only the clock asks."""
        keys = sorted({key(subject) for subject in subjects})
        # In pages, so that a long list does not hold up webhooks.
        for start in range(0, len(keys), 100):
            with self._database.writing(lasting=False) as connection:
                make_due(connection, keys[start : start + 100], self._clock(), news=news)

    def writable(self) -> bool:
        """Tell whether a webhook could be stored just now; it leaves nothing."""
        probe = {
            "key": f"probe-{uuid4().hex}",
            "sender": "",
            "event": "",
            "subject": "",
            "received_at": 0.0,
        }
        try:
            # What is rolled back is never written, and would not notice a full disk.
            with self._database.writing(lasting=False) as connection:
                connection.execute(deliveries.insert().values(generation=0, **probe))
                connection.execute(delete(deliveries).where(deliveries.c.key == probe["key"]))
        except QueueError:
            return False
        return True

    # ── the worker

    def take(self, n: int, *, lease: float, worker: str, ahead: float = 0.0) -> list[Lease]:
        """Lease up to `n` due subjects for `lease` seconds; each is in one pass at a time, on
        whichever machine.

        `ahead` also takes those that become due within so many seconds.
        """
        now = self._clock()
        if n < 1:
            return []
        # Look before taking: a poll that took the write lock each time would starve the webhooks.
        with self._database.reading() as connection:
            if connection.execute(leases.available(now, 1, ahead)).first() is None:
                return []
        # A PostgreSQL that breaks down must not forget who works; with SQLite's machine its workers
        # end as well.
        with self._database.writing(lasting=self._database.kind != "sqlite") as connection:
            return leases.take(connection, n, ahead, now + lease, worker, now)

    def renew(self, held: Iterable[Lease], seconds: float) -> set[str]:
        """Prolong leases from now on; returns the tokens of those that are still ours."""
        with self._database.writing(lasting=False) as connection:
            return leases.renew(connection, held, self._clock() + seconds)

    def settle(self, lease: Lease, outcome: Outcome) -> bool:
        """Write what a pass left behind, and wake whom it woke.

        The subject is due again after `look_again`, or at once when somebody spoke
        of it meanwhile. Returns False when the lease is not ours any more; then
        nothing was written. Raises TypeError for a memo that is not JSON.
        """
        memo = json.dumps(dict(outcome.memo))
        wake = [key(subject) for subject in outcome.wake]
        now = self._clock()
        with self._database.writing(lasting=False) as connection:
            ours = leases.settle(connection, lease, memo, outcome.look_again, wake, now)
            if ours and outcome.performed:
                leases.remember(connection, lease, outcome.performed, None, now)
            return ours

    def fail(
        self,
        lease: Lease,
        error: str,
        *,
        retry_after: float | None = None,
        memo: Memo | None = None,
        performed: tuple[str, ...] = (),
    ) -> bool:
        """Write why a pass failed and try again later: after 2, 4, 8 … 32 s, and not before
        `retry_after`.

        The memo stays unless there is another, and what was news stays news. Returns False when the
        lease is not ours any more.
        """
        now = self._clock()
        error = leases.storable(error)
        kept = None
        if memo is not None:
            kept = json.dumps(dict(memo))
        with self._database.writing(lasting=False) as connection:
            ours = leases.fail(connection, lease, error, retry_after or 0.0, kept, now)
            if ours:
                leases.remember(connection, lease, performed, error, now)
            return ours

    def give_back(self, held: Iterable[Lease]) -> None:
        """End leases without an outcome; their subjects are due at once."""
        with self._database.writing(lasting=False) as connection:
            leases.give_back(connection, held)

    # ── what passes share

    def reserve_runs(
        self, subject: Subject, running: int, wanted: int, limit: int
    ) -> QueuePosition:
        """Note that a subject has so many runs under way and wants more, and tell how many it may
        start now.

        Those count as running until it reports again. Over all subjects no more than `limit` are
        given away, and who asked first comes first; one that has and wants nothing leaves the line.
        A report that changes nothing is not written, unless the last one has grown old.
        """
        now = self._clock()
        name = key(subject)
        with self._database.reading() as connection:
            line = reservations.read(connection)
        position, mine, forgotten = reservations.stand(line, name, running, wanted, limit, now)
        if not forgotten and not reservations.changes(line, name, mine, now):
            return position
        with self._database.writing(lasting=False) as connection:
            reservations.lock(connection)
            line = reservations.read(connection)
            position, mine, forgotten = reservations.stand(line, name, running, wanted, limit, now)
            reservations.write(connection, name, mine, forgotten)
        return position

    def note_run(self, subject: Subject, run: ProjectRun) -> RunRecord:
        """Write down a project run for the pages, and return what is known of it; writes only what
        is new.
        """
        columns = runs.noted(key(subject), run)
        with self._database.reading() as connection:
            row = connection.execute(runs.one_run(run.token)).first()
        if row is None or any(getattr(row, name) != value for name, value in columns.items()):
            with self._database.writing(lasting=False) as connection:
                row = runs.note(connection, run.token, columns, self._clock())
        return runs.record(row)

    def add_log(self, token: str, start: int, end: int, content: str) -> bool:
        """Add to the log of a run that was noted what it holds from byte `start` to byte `end` at
        its backend.

        `content` is masked already. Returns False when somebody else read on from there; then
        nothing was written.
        """
        with self._database.writing(lasting=False) as connection:
            return runs.add(connection, token, start, end, content, self._clock())

    def put_log(self, token: str, content: str | None, *, cut: bool = False) -> None:
        """Let the log of a run be this and final; None: what was added while it ran. `cut`: its
        beginning is missing.

        `content` is masked already. Its end is kept, as much as `runs.LARGEST_LOG`.
        """
        with self._database.writing(lasting=False) as connection:
            if content is None:
                runs.finish(connection, token, self._clock())
            else:
                runs.put(connection, token, content, self._clock(), cut=cut)

    # ── looking back

    def counts(self) -> Counts:
        """How much there is to do."""
        with self._database.reading() as connection:
            return history.counts(connection, self._clock())

    def subjects(self, limit: int = 50) -> list[SubjectRecord]:
        """Subjects: failing ones first, then by when they are due."""
        with self._database.reading() as connection:
            rows = connection.execute(history.latest_subjects(limit))
            return [history.subject(row) for row in rows]

    def subject(self, subject: Subject) -> SubjectRecord | None:
        """One subject, or None when nobody spoke of it or it was forgotten."""
        with self._database.reading() as connection:
            row = connection.execute(history.one_subject(key(subject))).first()
            if row is None:
                return None
            return history.subject(row)

    def memo(self, subject: Subject) -> Memo:
        """What the last pass over a subject left behind; empty when nothing is known of it."""
        with self._database.reading() as connection:
            row = connection.execute(history.one_subject(key(subject))).first()
            if row is None:
                return {}
            return dict(json.loads(row.memo))

    def unanswered(self) -> list[Subject]:
        """The subjects that somebody spoke of since their last good pass, and those whose last pass
        failed.
        """
        with self._database.reading() as connection:
            keys = connection.execute(history.unanswered()).scalars()
            return [parse(subject_key) for subject_key in keys]

    def deliveries(self, limit: int = 50, *, failing: bool = False) -> list[DeliveryRecord]:
        """The newest webhooks that were accepted.

        With `failing`, only of subjects whose last pass failed: those that wait for a good one, or
        else the newest.
        """
        if failing:
            query = history.failing_deliveries(limit)
        else:
            query = history.latest_deliveries(limit)
        with self._database.reading() as connection:
            return [history.delivery(row) for row in connection.execute(query)]

    def delivery(self, delivery_key: str) -> DeliveryRecord | None:
        """One webhook, or None when it never came or was forgotten."""
        with self._database.reading() as connection:
            row = connection.execute(history.one_delivery(delivery_key)).first()
            if row is None:
                return None
            return history.delivery(row)

    def passes_for(self, delivery: DeliveryRecord, limit: int = 50) -> list[PassRecord]:
        """The newest passes between this webhook and the next that performed something or
        failed.
        """
        with self._database.reading() as connection:
            rows = connection.execute(history.passes_for(delivery, limit))
            return [history.pass_(row) for row in rows]

    def passes(self, subject_key: str | None = None, limit: int = 50) -> list[PassRecord]:
        """The newest passes that performed something or failed, over one subject or over all."""
        with self._database.reading() as connection:
            rows = connection.execute(history.latest_passes(subject_key, limit))
            return [history.pass_(row) for row in rows]

    def run(self, token: str) -> RunRecord | None:
        """One project run, or None when there was none or it was forgotten."""
        with self._database.reading() as connection:
            row = connection.execute(runs.one_run(token)).first()
            if row is None:
                return None
            return runs.record(row)

    def runs(self, subject: Subject | None = None, limit: int = 50) -> list[RunRecord]:
        """The newest project runs, of one subject or of all."""
        if subject is None:
            query = runs.latest_runs(limit)
        else:
            query = runs.runs_of(key(subject), limit)
        with self._database.reading() as connection:
            return [runs.record(row) for row in connection.execute(query)]

    def log_end(self, token: str, longest: int) -> tuple[str, int]:
        """The last characters of a run's log, and how many characters of it are kept."""
        with self._database.reading() as connection:
            return runs.end_of(connection, token, longest)

    def log(self, token: str) -> Iterator[str]:
        """All that is kept of a run's log, piece by piece, without holding it or a transaction in
        between.
        """
        after = 0
        while True:
            with self._database.reading() as connection:
                rows = connection.execute(runs.pieces(token, after, 10)).all()
            for row in rows:
                yield row.text
                after = row.position + len(row.text)
            if len(rows) < 10:
                return

    def prune(self, older_than: float, page: int = 500) -> int:
        """Forget what is older than so many seconds, page by page; returns how many rows went.

        A single delete of a long history would hold up webhooks (reference: 100,000 rows in one
        transaction); so would page after page without a rest, therefore it rests for as long as the
        last one took.
        """
        before = self._clock() - older_than
        gone = 0
        for table, identity, old in history.prunable(before):
            while True:
                began = time.monotonic()
                with self._database.writing(lasting=False) as connection:
                    went = history.prune_page(connection, table, identity, old, page)
                gone += went
                if went < page:
                    break
                time.sleep(min(1.0, time.monotonic() - began))
        return gone

    def close(self) -> None:
        """Close this process's connections; the next call opens new ones."""
        self._database.close()
