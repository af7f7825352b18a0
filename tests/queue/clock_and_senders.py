"""A clock that stands until it is moved, and senders of webhooks that never repeat themselves."""

from itertools import count

from bot.subjects import Delivery, PullRequest, Subject


class Clock:
    def __init__(self) -> None:
        self.now = 1_772_442_611.25

    def __call__(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


class Senders:
    """Webhooks as they come in, each of them new."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def delivery(self, subject: Subject | None = None) -> Delivery:
        return Delivery(
            f"azure-s-{next(self._numbers)}",
            "azure-devops",
            "git.push",
            subject or PullRequest("o/p/r", 1),
        )
