"""What a pass is given, and what it leaves behind.

A pass gathers what the world says of one subject, decides what is missing,
performs it and says when to look again. It never waits.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter

from bot.errors import SignalmanError
from bot.subjects import Subject

T = TypeVar("T")

Memo = Mapping[str, Any]
"""What a subject's row keeps to save calls, as JSON. Lost, it is found again in the world."""


MEMO_SHAPE = 3
"""Counted up whenever what memos hold changes its shape or its meaning."""


class MemoFormat(Generic[T]):
    """How the memo of one kind of subject is kept, as a dataclass that can be made without
    arguments.
    """

    def __init__(self, kind: type[T]) -> None:
        self._kind = kind
        self._adapter = TypeAdapter(kind)

    def read(self, memo: Memo) -> T:
        """What a row keeps; nothing for an empty one, or for one of another shape, which another
        release wrote.
        """
        if memo.get("shape") != MEMO_SHAPE:
            return self._kind()
        return self._adapter.validate_python(
            {key: kept for key, kept in memo.items() if key != "shape"}
        )

    def write(self, known: T) -> Memo:
        """What a row is to keep."""
        return {"shape": MEMO_SHAPE, **self._adapter.dump_python(known, mode="json", by_alias=True)}


class LostLease(SignalmanError):
    """A pass stood still for so long that somebody else may be making one over the same subject."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a subject. `news` tells that somebody spoke of it since the last look.

    Without news only the clock asked, and what the memo says of the pull
    request's head may still be believed. `failures` counts the looks before this
    one that could not be finished. `resumed` tells that the last pass was cut off, so
    that it may have done more than the memo says.
    """

    subject: Subject
    memo: Memo
    news: bool
    failures: int = 0
    resumed: bool = False
    ours: Callable[[], bool] = field(default=lambda: True, compare=False, repr=False)

    @property
    def memo_may_be_behind(self) -> bool:
        """Whether more may have been done than the memo says."""
        return self.resumed or self.failures > 0

    def while_leased(self, actions: Iterable[T]) -> Iterator[T]:
        """The actions, one after the other, as long as the subject is ours. Raises LostLease when
        it may not be.

        A process that was frozen goes on in the middle of a pass, and must not act on what it knew
        before.
        """
        for action in actions:
            if not self.ours():
                raise LostLease(
                    "The pass stood still for longer than its lease; somebody else may have gone "
                    "on."
                )
            yield action


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a look ended.

    `look_again` is in seconds (None: when there is news). `performed` names each
    action in words for the history. `wake` lists other subjects that are due now.

    With a `trouble`, in a sentence, the look could not be finished: what was news
    stays news, and the queue decides when to look again, not before `look_again`.
    """

    look_again: float | None = None
    memo: Memo = field(default_factory=dict)
    performed: tuple[str, ...] = ()
    wake: tuple[Subject, ...] = ()
    trouble: str = ""
