"""What a pull request's row keeps to save calls, all of which can be read again, and how far a pass
over it has come.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from bot.controllers.services import Repository
from bot.facts.discussion import Discussion
from bot.facts.pull_request import VALIDATE, PullRequestFacts, PullRequestMemo
from bot.passes import Memo, MemoFormat
from bot.rules.pull_request import recall
from bot.subjects import Subject
from bot.words import status


@dataclass
class PassState:
    """How far a pass has come: what is known by now, what was said if that was read, what
    was done.
    """

    memo: PullRequestMemo
    talk: Discussion | None = None
    performed: list[str] = field(default_factory=list)
    wake: list[Subject] = field(default_factory=list)
    look_again: float | None = None

    def know(self, **more: Any) -> None:
        """Know this too, or better, from now on."""
        self.memo = replace(self.memo, **more)


def facts(repository: Repository, memo: PullRequestMemo, pages: str) -> PullRequestFacts:
    """What a rule may know of a pull request."""
    validate = memo.statuses.get(VALIDATE, "")
    return PullRequestFacts(
        repository=repository.served.key,
        target=repository.served.target,
        head=memo.known_head,
        config=memo.config,
        problem=memo.problem,
        runs=memo.runs,
        branches=memo.branches,
        serving=memo.serving,
        was_open=memo.was_open,
        baselines=memo.baselines,
        orders=memo.orders,
        queue_position=memo.queue_position,
        in_line=validate.startswith(recall.written("pending", status.IN_LINE)),
        pictures=memo.pictures,
        preview=memo.preview,
        earlier=memo.earlier,
        told=memo.told,
        reported=memo.reported,
        pages=pages,
    )


def read(memo: Memo) -> PullRequestMemo:
    """What a row keeps; nothing for an empty one, or for one that another release wrote."""
    return _FORMAT.read(memo)


def write(memo: PullRequestMemo) -> Memo:
    """What a row is to keep."""
    return _FORMAT.write(memo)


_FORMAT = MemoFormat(PullRequestMemo)
