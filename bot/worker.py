"""Takes due subjects, makes passes over them, keeps their leases alive, and sweeps.

It knows nothing of what a pass does. Crash-only: a worker that is told to stop
gives its leases back and is gone at once; one that is killed is replaced when its
leases run out.
"""

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Any

from bot.errors import ServiceError, SignalmanError
from bot.log import line
from bot.passes import Look, LostLease, Outcome
from bot.queue import Lease, Queue, QueueError
from bot.subjects import Branch, Delivery, Subject, key

log = logging.getLogger(__name__)

RETENTION = 30 * 86400.0
# How soon a sweep, and the database itself, are tried again when they failed.
SWEEP_SOON = 5.0
# A webhook that comes during a large sweep does not wait for the whole of it: it goes on by so many
# a second.
SWEPT_PER_SECOND = 20
DATABASE_SOON = 1.0


class Worker:
    """Makes passes over due subjects, up to `passes` at a time.

    `sweep` lists every subject there is, and webhooks that did not come; they are made due at start
    and every `sweep_every` seconds. `lease` and `poll` are in seconds too. The name tells workers
    apart in the history.
    """

    def __init__(
        self,
        queue: Queue,
        pass_over: Callable[[Look], Outcome],
        *,
        sweep: Callable[[], Iterable[Subject | Delivery]],
        passes: int = 8,
        lease: float = 30.0,
        poll: float = 0.1,
        sweep_every: float = 300.0,
        retention: float = RETENTION,
        clock: Callable[[], float] = time.monotonic,
        name: str | None = None,
    ) -> None:
        self._queue = queue
        self._pass_over = pass_over
        self._list = sweep
        self._passes = passes
        self._lease = lease
        self._poll = poll
        self._sweep_every = sweep_every
        self._retention = retention
        self._clock = clock
        self._name = name or f"{socket.gethostname()}-{os.getpid()}"
        self._held: dict[str, Lease] = {}
        self._until: dict[str, float] = {}
        # A SimpleQueue may be written to by a signal handler while its reader waits; an Event may
        # not.
        self._nudges: SimpleQueue[str] = SimpleQueue()
        self._stopping = False
        self._never = threading.Event()

    def run(self) -> None:
        """Work until SIGTERM or SIGINT, then leave the process: this never returns. Call it in the
        main thread.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()
        threading.Thread(target=self._sweep_for_ever, name="sweep", daemon=True).start()
        # Its threads live as long as the process: what a pass forks may be tied to the thread that
        # forked it.
        pool = ThreadPoolExecutor(self._passes, thread_name_prefix="pass")
        self._say("started", passes=self._passes)
        while not self._stopping:
            pause = self._poll
            try:
                for lease in self._take(self._passes - len(self._held)):
                    pool.submit(self._make, lease)
            except QueueError as error:
                log.error(line("queue", error=str(error)))
                pause = DATABASE_SOON
            self._wait(pause)
        self._leave()

    def step(self, *, ahead: float = 0.0) -> int:
        """Make the passes that are due (or will be within `ahead` seconds) in this thread; returns
        how many.
        """
        leases = self._take(self._passes, ahead)
        for lease in leases:
            self._make(lease)
        return len(leases)

    def settle(self, *, horizon: float = 0.0, deadline: float = 60.0, pause: float = 0.1) -> int:
        """Make passes in this thread until nothing is due within `horizon` seconds; returns how
        many were made.

        With a horizon, subjects that asked to be looked at again within it are looked at every
        `pause` seconds while nothing else is due, and the world goes on in its own time. Raises
        TimeoutError after `deadline` seconds, naming what was still due.
        """
        made = 0
        end = self._clock() + deadline
        while (now := self.step()) or (fresh := self.step(ahead=horizon)):
            made += now or fresh
            if self._clock() > end:
                rows = [row for row in self._queue.subjects() if row.due_at is not None]
                due = ", ".join(key(row.subject) for row in rows)
                raise TimeoutError(
                    f"After {deadline:g} s and {made} passes there is still something due: {due}."
                )
            if not now:
                self._never.wait(pause)
        return made

    def sweep(self, *, pause: float = 0.0) -> int:
        """Make every subject due that the world has, and every webhook heard that did not come;
        returns how many.

        Raises what listing them raises; what was listed before that is due.

        With a pause, a few of them at a time, so many seconds apart.
        """
        swept = 0
        listed = iter(self._list())
        while some := list(islice(listed, SWEPT_PER_SECOND)):
            if swept and pause:
                self._never.wait(pause)
            missed = [due for due in some if isinstance(due, Delivery)]
            subjects = [due for due in some if not isinstance(due, Delivery)]
            branches = [subject for subject in subjects if isinstance(subject, Branch)]
            others = [subject for subject in subjects if not isinstance(subject, Branch)]
            # Nobody has spoken of a branch: that is when a look at it is thorough.
            self._queue.wake(branches, news=False)
            self._queue.wake(others)
            for delivery in missed:
                self._queue.mark(delivery)
            swept += len(some)
        return swept

    def _take(self, free: int, ahead: float = 0.0) -> list[Lease]:
        # Not the monotonic clock: it may stand still while the machine sleeps.
        until = time.time() + self._lease
        leases = self._queue.take(free, lease=self._lease, worker=self._name, ahead=ahead)
        self._held.update({lease.token: lease for lease in leases})
        self._until.update({lease.token: until for lease in leases})
        return leases

    def _make(self, lease: Lease) -> None:
        began = self._clock()
        try:
            self._conclude(lease, began)
        except QueueError as error:  # the lease runs out and the subject is taken again
            log.error(line("queue", subject=key(lease.subject), error=str(error)))
        finally:
            self._held.pop(lease.token, None)
            self._until.pop(lease.token, None)
            self._nudges.put("free")

    def _conclude(self, lease: Lease, began: float) -> None:
        try:
            outcome = self._pass_over(
                replace(lease.look, ours=lambda: time.time() < self._until[lease.token])
            )
            ours = self._write_down(lease, outcome)
        except QueueError:
            raise
        except LostLease:
            ours = False
        except ServiceError as error:
            ours = self._put_off(lease, str(error), error.retry_after)
        except SignalmanError as error:
            ours = self._put_off(lease, str(error), None)
        except (Exception, SystemExit) as error:
            ours = self._unforeseen(lease, error)
        else:
            if ours and outcome.performed:
                self._say(
                    "pass",
                    subject=key(lease.subject),
                    performed=outcome.performed,
                    seconds=self._clock() - began,
                )
        if not ours:
            note = "another worker has it; nothing was written"
            log.warning(line("lease lost", subject=key(lease.subject), note=note))

    def _write_down(self, lease: Lease, outcome: Outcome) -> bool:
        """Note what a pass came to; False when the lease is another worker's by now."""
        if not outcome.trouble:
            return self._queue.settle(lease, outcome)
        return self._put_off(
            lease,
            outcome.trouble,
            outcome.look_again,
            memo=outcome.memo,
            performed=outcome.performed,
        )

    def _unforeseen(self, lease: Lease, error: BaseException) -> bool:
        """Note an error that nobody foresaw, with its traceback in the log."""
        sentence = f"{type(error).__name__}: {error}"
        ours = self._queue.fail(lease, sentence)
        attempts = lease.look.failures + 1
        log.exception(line("failed", subject=key(lease.subject), attempts=attempts, error=sentence))
        return ours

    def _put_off(self, lease: Lease, trouble: str, wait: float | None, **left: Any) -> bool:
        log.warning(
            line(
                "failed",
                subject=key(lease.subject),
                attempts=lease.look.failures + 1,
                error=trouble,
            )
        )
        return self._queue.fail(lease, trouble, retry_after=wait, **left)

    def _beat(self) -> None:
        while True:
            self._never.wait(self._lease / 3)
            held = list(self._held.values())
            if not held:
                continue
            try:
                until = time.time() + self._lease
                for token in self._queue.renew(held, self._lease):
                    if token in self._until:
                        self._until[token] = until
            except QueueError as error:
                log.error(line("heartbeat", error=str(error)))

    def _sweep_for_ever(self) -> None:
        while True:
            began = self._clock()
            try:
                swept = self.sweep(pause=1.0)
                forgotten = self._queue.prune(self._retention)
                log.debug(line("sweep", subjects=swept, forgotten=forgotten))
                wait = max(0.0, self._sweep_every - (self._clock() - began))
            except SignalmanError as error:
                log.warning(line("sweep failed", error=str(error)))
                wait = min(SWEEP_SOON, self._sweep_every)
            except Exception as error:
                sentence = f"{type(error).__name__}: {error}"
                log.exception(line("sweep failed", error=sentence))
                wait = min(SWEEP_SOON, self._sweep_every)
            self._never.wait(wait)

    def _wait(self, seconds: float) -> None:
        try:
            self._nudges.get(timeout=seconds)
            while True:
                self._nudges.get_nowait()
        except Empty:
            pass

    def _stop(self, _number: int, _frame: object) -> None:
        self._stopping = True
        self._nudges.put("stop")

    def _leave(self) -> None:
        held = list(self._held.values())
        try:
            self._queue.give_back(held)
        except QueueError as error:  # then they run out
            log.error(line("leaving", error=str(error)))
        self._say("stopped", given_back=len(held))
        logging.shutdown()
        os._exit(0)

    def _say(self, event: str, **values: object) -> None:
        log.info(line(event, **values))
