"""Work the service does after it has answered: merge attempts and completions, one after
the other.
"""

import queue
import threading
import time
from collections.abc import Callable

Job = Callable[[], None]


class Jobs:
    """A queue with one thread, started with the first job."""

    def __init__(self, delay: float = 0.0) -> None:
        self.delay = delay
        self._queue: queue.Queue[Job | None] = queue.Queue()
        self._idle = threading.Condition()
        self._open = 0
        self._failures: list[Exception] = []
        self._thread: threading.Thread | None = None

    def submit(self, job: Job) -> None:
        """Do this soon, after everything submitted before."""
        with self._idle:
            self._open += 1
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._work, name="azure-devops-jobs", daemon=True
                )
                self._thread.start()
        self._queue.put(job)

    def settle(self, timeout: float = 30.0) -> None:
        """Wait until nothing is left to do; a failed job's exception is raised here."""
        deadline = time.monotonic() + timeout
        with self._idle:
            if not self._idle.wait_for(
                lambda: self._open == 0, timeout=max(0.0, deadline - time.monotonic())
            ):
                raise TimeoutError(
                    f"The stand-in's merge jobs were not done within {timeout} seconds."
                )
            if self._failures:
                raise self._failures.pop(0)

    def stop(self) -> None:
        """Finish what is queued and end the thread."""
        with self._idle:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            thread.join(timeout=10)

    def _work(self) -> None:
        while (job := self._queue.get()) is not None:
            try:
                if self.delay:
                    time.sleep(self.delay)
                job()
            except Exception as failure:
                with self._idle:
                    self._failures.append(failure)
            finally:
                with self._idle:
                    self._open -= 1
                    self._idle.notify_all()
