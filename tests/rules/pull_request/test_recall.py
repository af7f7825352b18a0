"""What is still known of a pull request after a new commit, an order, a look that was cut short, or
the loss of all that was remembered.
"""

from dataclasses import replace
from datetime import timedelta

import pytest
from example_pull_request import HEAD, NOW, ordered

from bot.facts.branch import Preview
from bot.facts.discussion import Order
from bot.facts.pull_request import VALIDATE, Check, Earlier, PullRequestHead, PullRequestMemo
from bot.facts.quality_gate import Baseline
from bot.rules.pull_request import recall

FIRST, SECOND, THIRD = (letter * 40 for letter in "abc")
THREE = replace(HEAD, commit=THIRD, iteration=3, commits=(FIRST, SECOND, THIRD))
MEMO = PullRequestMemo(
    head=replace(THREE, judged=True),
    statuses={VALIDATE: "failed train refused", "train": "failed refused"},
    report="digest",
    reported=NOW,
    baselines={"projects/train": Baseline()},
    pictures=(),
    preview=Preview(),
)


def posted(
    state: str,
    iteration: int = 3,
    told: str = "",
    name: str = VALIDATE,
    minutes: int = 0,
    by: str = "bot-id",
) -> Check:
    return Check(name, iteration, state, told, NOW + timedelta(minutes=minutes), by)


def recalled(checks: list[Check], orders: tuple[Order, ...] = ()) -> PullRequestMemo:
    return recall.recalled(PullRequestMemo(head=THREE), checks, orders, "bot-id")


# -- a new commit


@pytest.mark.parametrize(
    ("status", "became"),
    [
        ("succeeded passed · rmse 0.7", Earlier(THIRD, "passed", "passed · rmse 0.7")),
        ("failed train refused", Earlier(THIRD, "failed", "train refused")),
        ("error no cluster", Earlier(THIRD, "error", "no cluster")),
        ("pending running train", Earlier(THIRD, "superseded")),
        ("", Earlier(THIRD, "superseded")),
    ],
)
def test_of_a_commit_before_only_what_became_of_it_is_known(status: str, became: Earlier) -> None:
    memo = replace(MEMO, statuses={VALIDATE: status}, orders=(ordered("run"),))

    after = recall.moved_on(memo)

    assert after.earlier == (became,)
    assert (after.orders, after.statuses, after.baselines) == ((), {}, {})
    assert (after.report, after.reported, after.pictures, after.preview) == ("", None, None, None)


def test_a_commit_that_no_project_was_in_is_not_counted_among_the_earlier_ones() -> None:
    memo = replace(MEMO, statuses={VALIDATE: "notApplicable no ML project changed"})

    assert recall.moved_on(memo).earlier == ()


def test_of_many_commits_the_latest_are_known() -> None:
    before = tuple(Earlier(f"{number}" * 40, "superseded") for number in range(5))

    after = recall.moved_on(replace(MEMO, earlier=before))

    assert after.earlier == (Earlier(THIRD, "failed", "train refused"), *before[:4])


# -- an order


@pytest.mark.parametrize(
    ("verb", "anew"), [("run", True), ("retry", True), ("cancel", False), ("override", False)]
)
def test_an_order_reopens_its_commit_and_one_to_run_begins_it_anew(verb: str, anew: bool) -> None:
    order = ordered(verb)

    after = recall.ordered(MEMO, order)

    assert (after.known_head.judged, after.known_head.pending) == (False, False)
    assert after.orders == (order,)
    assert after.statuses == MEMO.statuses
    assert (after.report == "") is anew
    assert (after.preview is None) is anew


# -- a look that could not be finished


def test_after_a_look_that_was_cut_short_only_what_people_were_told_is_known_better() -> None:
    now = replace(
        MEMO,
        head=replace(THREE, pending=True, changed=("x",)),
        statuses={VALIDATE: "pending queued"},
        report="other",
        problem="half read",
        read=NOW,
    )

    after = recall.held_up(MEMO, now)

    assert after.statuses == {VALIDATE: "pending queued"}
    assert (after.report, after.problem, after.read) == ("other", "", None)
    assert (after.known_head.pending, after.known_head.judged) == (True, False)
    assert after.known_head.changed == THREE.changed


@pytest.mark.parametrize(
    "seen",
    [
        None,
        replace(THREE, open=False, judged=False),
        replace(THREE, iteration=4, commit="d" * 40),
    ],
)
def test_a_head_that_is_closed_or_another_one_tells_nothing_of_the_one_before(
    seen: PullRequestHead | None,
) -> None:
    after = recall.held_up(MEMO, replace(MEMO, head=seen, preview=None))

    assert after.head == MEMO.head
    assert after.preview == MEMO.preview


# -- the loss of all that was remembered


@pytest.mark.parametrize(
    ("state", "judged", "pending"),
    [
        ("succeeded", True, False),
        ("failed", True, False),
        ("notApplicable", True, False),
        ("error", False, False),
        ("pending", False, True),
    ],
)
def test_a_status_tells_whether_the_newest_commit_is_judged(
    state: str, judged: bool, pending: bool
) -> None:
    checks = [posted(state, told="said"), posted("failed", name="train", told="bad")]

    after = recalled(checks)

    assert (after.known_head.judged, after.known_head.pending) == (judged, pending)
    assert after.statuses == {VALIDATE: f"{state} said", "train": "failed bad"}


def test_a_verdict_does_not_outlive_an_order_that_came_after_it() -> None:
    order = replace(ordered("run"), at=NOW + timedelta(minutes=1))

    after = recalled([posted("failed")], (order,))
    again = recalled([posted("failed", minutes=2)], (order,))

    assert (after.known_head.judged, after.statuses) == (False, {})
    assert again.known_head.judged
    assert after.orders == again.orders == (order,)


def test_earlier_commits_are_known_by_their_statuses_and_the_last_verdict_by_its_time() -> None:
    checks = [
        posted("failed", 1, "rmse 0.8", minutes=9),
        posted("pending", 2, "running", minutes=5),
        posted("notApplicable", 3, "nothing"),
    ]

    after = recalled(checks)

    assert after.earlier == (Earlier(SECOND, "superseded"), Earlier(FIRST, "failed", "rmse 0.8"))
    assert after.told == Earlier(FIRST, "failed", "rmse 0.8")


@pytest.mark.parametrize("state", ["succeeded", "failed", "pending"])
def test_a_status_that_somebody_else_posted_tells_nothing(state: str) -> None:
    theirs = [posted(state, by="eve-id"), posted(state, 1, by="eve-id"), posted(state, 2, by="")]

    after = recalled([*theirs, posted("succeeded", name="train")])

    assert (after.known_head.judged, after.known_head.pending, after.statuses) == (False, False, {})
    assert after.told is None
    assert {became.state for became in after.earlier} == {"superseded"}
