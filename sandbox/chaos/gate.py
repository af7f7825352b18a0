"""The gate before web: where webhooks arrive, and are passed on, doubled, held back or forgotten.

It answers as a load balancer does: 502 where web does not, which senders take as
a reason to try again.
"""

import hashlib
import http.client
import random
import threading
from dataclasses import dataclass

from sandbox.chaos.calls import Call, Listener, Reply, ask
from sandbox.chaos.diary import Diary

_ACCEPTED = Reply(202, (("Content-Type", "application/json"),), b'{"status": "accepted"}')
_NOBODY = Reply(502, (("Content-Type", "text/html"),), b"<html><body>Bad gateway</body></html>")


@dataclass(frozen=True)
class Post:
    """How well webhooks are delivered: probabilities per delivery, and the longest delay in
    seconds.
    """

    doubled: float = 0.05
    late: float = 0.08
    dropped: float = 0.02
    latest: float = 5.0


RELIABLE = Post(0, 0, 0, 0)


class Gate:
    """Stands where webhooks are sent to; delivers at once until `post` is set to another service.

    `sent` counts the deliveries, each once however often it is tried, `refused` those that web
    would not have.
    """

    def __init__(self, seed: int, web: str, diary: Diary) -> None:
        self._seed, self._web, self._diary = seed, web, diary
        self.post = RELIABLE
        self._seen: set[str] = set()
        self._lock = threading.Lock()
        self._late: set[threading.Timer] = set()
        self.refused: list[str] = []
        self._listener = Listener(self._answer)

    @property
    def url(self) -> str:
        """Where webhooks are to be sent."""
        return self._listener.url

    @property
    def sent(self) -> int:
        """How many different deliveries were sent."""
        return len(self._seen)

    @property
    def outstanding(self) -> int:
        """How many are being held back."""
        with self._lock:
            return len(self._late)

    def close(self) -> None:
        """Take nothing more, and forget what is held back."""
        with self._lock:
            late = list(self._late)
        for timer in late:
            timer.cancel()
        self._listener.close()

    def _answer(self, call: Call) -> Reply:
        name = hashlib.sha256(call.path.encode() + call.body).hexdigest()
        with self._lock:
            again = name in self._seen
            self._seen.add(name)
            number = len(self._seen)
        if again:
            return self._deliver(call)
        post, dice = self.post, random.Random(f"{self._seed} post {number}")
        mark, delay = dice.random(), dice.uniform(0.2, max(0.2, post.latest))
        if mark < post.dropped:
            self._diary.note(
                "delivery dropped", path=call.path, body=call.body[:300].decode(errors="replace")
            )
            return _ACCEPTED
        if mark < post.dropped + post.late:
            self._later(call, delay)
            return _ACCEPTED
        if mark < post.dropped + post.late + post.doubled:
            self._deliver(call)
        return self._deliver(call)

    def _deliver(self, call: Call) -> Reply:
        try:
            reply = ask(self._web, call)
        except (OSError, http.client.HTTPException):
            return _NOBODY
        if reply.status not in (200, 202, 503):
            told = (
                f"Web answered {call.path} with {reply.status}: "
                f"{reply.body[:300].decode(errors='replace')}"
            )
            self.refused.append(told)
            self._diary.note("web refused", told=told)
        return reply

    def _later(self, call: Call, delay: float) -> None:
        def deliver() -> None:
            reply = self._deliver(call)
            with self._lock:
                self._late.discard(timer)
            if reply.status >= 500:
                self._later(call, 1.0)

        timer = threading.Timer(delay, deliver)
        timer.daemon = True
        with self._lock:
            self._late.add(timer)
        timer.start()
