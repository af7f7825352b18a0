"""What is still known of a pull request: after a new commit, an order, a look that was cut short,
or the loss of all that was remembered.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from bot.facts.discussion import Order
from bot.facts.pull_request import (
    VALIDATE,
    Check,
    Earlier,
    PullRequestHead,
    PullRequestMemo,
)

FINAL = ("succeeded", "failed", "notApplicable")
"""The states that are a verdict on the change; an error is nobody's and is looked at again when
somebody asks.
"""

MOST_EARLIER = 5

ENDS: Mapping[str, Literal["passed", "failed", "error"]] = {
    "succeeded": "passed",
    "failed": "failed",
    "error": "error",
}
"""What people call a verdict, by its state in Azure DevOps' words."""


def moved_on(memo: PullRequestMemo) -> PullRequestMemo:
    """What is still known when there is a newer iteration: of this one only what became of it."""
    earlier = memo.earlier
    head = memo.head
    if head is not None and head.iteration:
        became = _became(head, memo.statuses.get(VALIDATE, ""))
        if became is not None:
            earlier = (became, *earlier)[:MOST_EARLIER]
    return replace(_nothing_shown(memo), orders=(), statuses={}, earlier=earlier)


def held_up(before: PullRequestMemo, now: PullRequestMemo) -> PullRequestMemo:
    """What is known after a look that could not be finished: what was before it, and what people
    were told in it.

    Of a closed pull request no verdict is read, so that nothing is known better than before.
    """
    memo = replace(
        before,
        read=None,
        statuses=now.statuses,
        report=now.report,
        reported=now.reported,
        thread_status=now.thread_status,
        told=now.told,
        orders=now.orders,
    )
    head = before.head
    seen = now.head
    if head is None or seen is None or not seen.open or not same_iteration(head, seen):
        return memo
    return replace(
        memo,
        head=replace(head, pending=seen.pending, judged=seen.judged, thread=seen.thread),
        # What was shown of the last round is not to be shown of one that somebody has just asked
        # for.
        baselines=now.baselines,
        pictures=now.pictures,
        preview=now.preview,
        earlier=now.earlier,
    )


def ordered(memo: PullRequestMemo, order: Order) -> PullRequestMemo:
    """What is still known once an order was accepted: its commit is no longer judged."""
    head = replace(memo.known_head, judged=False, pending=False)
    if order.verb in ("run", "retry"):
        memo = _nothing_shown(memo)
    return replace(memo, head=head, orders=(*memo.orders, order))


def recalled(
    memo: PullRequestMemo, statuses: Sequence[Check], orders: tuple[Order, ...], me: str
) -> PullRequestMemo:
    """What the statuses on the pull request tell of the verdicts it was given; `orders` are those
    that hold for its newest commit, and `me` is the bot's identity: what others post under its
    names says nothing.

    A verdict that is older than an order does not stand any more.
    """
    head = memo.known_head
    checks = [status for status in statuses if status.by == me]
    mine = {check.name: check for check in checks if check.iteration == head.iteration}
    verdict = mine.get(VALIDATE)
    if verdict is not None and any(order.at >= verdict.posted for order in orders):
        verdict = None
    posted: Mapping[str, str] = {}
    if verdict is not None:
        posted = {name: written(check.state, check.told) for name, check in mine.items()}
    head = replace(
        head,
        judged=verdict is not None and verdict.state in FINAL,
        pending=verdict is not None and verdict.state == "pending",
    )
    return replace(
        memo,
        head=head,
        orders=orders,
        statuses=posted,
        earlier=_earlier(head, checks),
        told=_last_verdict(head, checks),
    )


def verdict(commit: str, state: str, told: str) -> Earlier | None:
    """A verdict as people remember it, of a status in Azure DevOps' words; None for one that is no
    verdict.
    """
    if state in ENDS:
        return Earlier(commit, ENDS[state], told)
    return None


def written(state: str, told: str) -> str:
    """A status in one text, as the memo keeps it."""
    return f"{state} {told}"


def same_iteration(head: PullRequestHead, other: PullRequestHead) -> bool:
    """Whether two looks saw the same newest iteration of a pull request."""
    return (head.iteration, head.commit) == (other.iteration, other.commit)


def _became(head: PullRequestHead, status: str) -> Earlier | None:
    """What became of a commit by the time that a newer one came."""
    state, _, told = status.partition(" ")
    if state in ("", "pending"):
        return Earlier(head.commit, "superseded")
    return verdict(head.commit, state, told)


def _nothing_shown(memo: PullRequestMemo) -> PullRequestMemo:
    """Without what the report showed of one round of runs."""
    return replace(
        memo,
        reported=None,
        report="",
        baselines={},
        pictures=None,
        preview=None,
        queue_position=None,
    )


def _earlier(head: PullRequestHead, checks: Sequence[Check]) -> tuple[Earlier, ...]:
    """What became of the commits before the newest, the latest first."""
    statuses = {check.iteration: check for check in checks if check.name == VALIDATE}
    earlier: list[Earlier] = []
    for iteration, commit in enumerate(head.commits[: max(0, head.iteration - 1)], start=1):
        check = statuses.get(iteration)
        became: Earlier | None = Earlier(commit, "superseded")
        if check is not None and check.state != "pending":
            became = verdict(commit, check.state, check.told)
        if became is not None:
            earlier.append(became)
    earlier.reverse()
    return tuple(earlier[:MOST_EARLIER])


def _last_verdict(head: PullRequestHead, checks: Sequence[Check]) -> Earlier | None:
    """The verdict that was given last, whichever commit it was about."""
    statuses = {check.iteration: check for check in checks if check.name == VALIDATE}
    given = [check for check in statuses.values() if check.state in ENDS]
    last = max(given, key=lambda check: check.posted, default=None)
    if last is None or last.iteration > len(head.commits):
        return None
    return verdict(head.commits[last.iteration - 1], last.state, last.told)
