"""What a pass is given, and what it leaves behind.

A pass gathers what the world says of one subject, decides what is missing,
performs it and says when to look again. It never waits.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.subjects import Subject

Memo = Mapping[str, Any]
"""What a subject's row keeps to save calls, as JSON. Lost, it is found again in the world."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a subject. `news` tells that somebody spoke of it since the last look.

    Without news only the clock asked, and what the memo says of the pull
    request's head may still be believed. `failures` counts the looks before this
    one that could not be finished.
    """

    subject: Subject
    memo: Memo
    news: bool
    failures: int = 0


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
