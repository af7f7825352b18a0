"""What a pull request's row keeps to save calls; all of it can be read again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from bot.config.repository import Mlops
from bot.controllers.services import Repository
from bot.facts.branch import Preview
from bot.facts.discussion import Discussion, Order
from bot.facts.model import ServingVersion
from bot.facts.pull_request import (
    Check,
    Earlier,
    Picture,
    PullRequestFacts,
    PullRequestHead,
    QueuePosition,
)
from bot.facts.quality_gate import Baseline
from bot.facts.runs import ProjectRun
from bot.passes import Memo, MemoFormat
from bot.subjects import Subject
from bot.words import status

VALIDATE = "validate"
FINAL = ("succeeded", "failed", "notApplicable")
"""The states that are a verdict on the change; an error is nobody's and is looked at again when
somebody asks.
"""

MOST_EARLIER = 5

_ENDS: Mapping[str, Literal["passed", "failed", "error"]] = {
    "succeeded": "passed",
    "failed": "failed",
    "error": "error",
}


@dataclass(frozen=True)
class PullRequestMemo:
    """What is known of a pull request.

    `statuses` are those posted on the newest iteration, by name: state and text. `thread_status` is
    what the bot set last; `reported` when it wrote the report last, which then had the digest
    `report`.
    """

    head: PullRequestHead | None = None
    config: Mlops | None = None
    problem: str = ""
    runs: tuple[ProjectRun, ...] = ()
    branches: frozenset[str] = frozenset()
    serving: ServingVersion | None = None
    was_open: bool = False
    orders: tuple[Order, ...] = ()
    statuses: Mapping[str, str] = field(default_factory=dict)
    report: str = ""
    reported: datetime | None = None
    thread_status: str = ""
    baselines: Mapping[str, Baseline] = field(default_factory=dict)
    pictures: tuple[Picture, ...] | None = None
    preview: Preview | None = None
    earlier: tuple[Earlier, ...] = ()
    told: Earlier | None = None
    queue_position: QueuePosition | None = None
    read: datetime | None = None

    @property
    def known(self) -> PullRequestHead:
        """The head, which every look has read before it decides. Raises LookupError before that."""
        if self.head is None:
            raise LookupError("the pull request was not read yet")
        return self.head

    def moved_on(self) -> "PullRequestMemo":
        """What is still known when there is a newer iteration: of this one only what became
        of it.
        """
        head = self.head
        earlier = self.earlier
        if head is not None and head.iteration and (became := self._became(head)):
            earlier = (became, *earlier)[:MOST_EARLIER]
        return replace(self._anew(), orders=(), statuses={}, earlier=earlier)

    def held_up(self, now: "PullRequestMemo") -> "PullRequestMemo":
        """What is known after a look that could not be finished: what was before it, and what
        people were told in it.

        Of a closed pull request no verdict is read, so that nothing is known better than before.
        """
        head, seen = self.head, now.head
        kept = ["statuses", "report", "reported", "thread_status", "told", "orders"]
        if (
            head
            and seen
            and seen.open
            and (head.iteration, head.commit) == (seen.iteration, seen.commit)
        ):
            head = replace(head, pending=seen.pending, judged=seen.judged, thread=seen.thread)
            # What was shown of the last round is not to be shown of one that somebody has just
            # asked for.
            kept += ["baselines", "pictures", "preview", "earlier"]
        return replace(self, head=head, read=None, **{name: getattr(now, name) for name in kept})

    def obeying(self, order: Order) -> "PullRequestMemo":
        """What is still known once an order was accepted: its commit is no longer judged."""
        head = replace(self.known, judged=False, pending=False)
        if order.verb in ("run", "retry"):
            begun = self._anew()
        else:
            begun = self
        return replace(begun, head=head, orders=(*self.orders, order))

    def recalled(self, checks: Sequence[Check], orders: tuple[Order, ...]) -> "PullRequestMemo":
        """What the statuses on the pull request tell of the verdicts it was given."""
        head = self.known
        mine = {check.name: check for check in checks if check.iteration == head.iteration}
        verdict = mine.get(VALIDATE)
        since = max((order.at for order in orders), default=None)
        stands = verdict is not None and (since is None or verdict.posted > since)
        final = verdict is not None and verdict.state in FINAL
        judgements = {check.iteration: check for check in checks if check.name == VALIDATE}
        earlier = [
            _earlier(commit, judgements.get(iteration))
            for iteration, commit in enumerate(head.commits, start=1)
            if iteration < head.iteration
        ]
        given = [check for check in judgements.values() if check.state in _ENDS]
        last = max(given, key=lambda check: check.posted, default=None)
        return replace(
            self,
            head=replace(
                head, judged=stands and final, pending=stands and mine[VALIDATE].state == "pending"
            ),
            orders=orders,
            statuses={name: written(check.state, check.told) for name, check in mine.items()}
            if stands
            else {},
            earlier=tuple(
                commit_before for commit_before in reversed(earlier) if commit_before is not None
            )[:MOST_EARLIER],
            told=_earlier(head.commits[last.iteration - 1], last)
            if last and last.iteration <= len(head.commits)
            else None,
        )

    def _became(self, head: PullRequestHead) -> Earlier | None:
        state, _, told = self.statuses.get(VALIDATE, "").partition(" ")
        if state in ("", "pending"):
            return Earlier(head.commit, "superseded")
        return verdict(head.commit, state, told)

    def _anew(self) -> "PullRequestMemo":
        return replace(
            self,
            reported=None,
            report="",
            baselines={},
            pictures=None,
            preview=None,
            queue_position=None,
        )


@dataclass
class PassState:
    """How far a pass has come: what is known by now, what was said if that was read, what
    was done.
    """

    memory: PullRequestMemo
    talk: Discussion | None = None
    performed: list[str] = field(default_factory=list)
    wake: list[Subject] = field(default_factory=list)
    look_again: float | None = None

    def know(self, **more: Any) -> None:
        """Know this too, or better, from now on."""
        self.memory = replace(self.memory, **more)


def facts(repository: Repository, memory: PullRequestMemo, pages: str) -> PullRequestFacts:
    """What a rule may know of a pull request."""
    return PullRequestFacts(
        repository=repository.served.key,
        target=repository.served.target,
        head=memory.known,
        config=memory.config,
        problem=memory.problem,
        runs=memory.runs,
        branches=memory.branches,
        serving=memory.serving,
        was_open=memory.was_open,
        baselines=memory.baselines,
        orders=memory.orders,
        queue_position=memory.queue_position,
        in_line=memory.statuses.get(VALIDATE, "").startswith(written("pending", status.IN_LINE)),
        pictures=memory.pictures,
        preview=memory.preview,
        earlier=memory.earlier,
        told=memory.told,
        reported=memory.reported,
        pages=pages,
    )


def verdict(commit: str, state: str, told: str) -> Earlier | None:
    """A verdict as people remember it; None for what is none."""
    if state in _ENDS:
        return Earlier(commit, _ENDS[state], told)
    return None


def written(state: str, told: str) -> str:
    """A status in one text."""
    return f"{state} {told}"


def read(memo: Memo) -> PullRequestMemo:
    """What a row keeps; nothing for an empty one, or for one that another release wrote."""
    return _FORMAT.read(memo)


def write(memory: PullRequestMemo) -> Memo:
    """What a row is to keep."""
    return _FORMAT.write(memory)


def _earlier(commit: str, check: Check | None) -> Earlier | None:
    if check is None or check.state == "pending":
        return Earlier(commit, "superseded")
    return verdict(commit, check.state, check.told)


_FORMAT = MemoFormat(PullRequestMemo)
