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
    request's head may still be believed.
    """

    subject: Subject
    memo: Memo
    news: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a look ended.

    `look_again` is in seconds (None: when there is news). `performed` names each
    action in words for the history. `wake` lists other subjects that are due now.
    """

    look_again: float | None = None
    memo: Memo = field(default_factory=dict)
    performed: tuple[str, ...] = ()
    wake: tuple[Subject, ...] = ()
