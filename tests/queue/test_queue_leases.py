"""A subject is in one pass at a time, and what a pass leaves behind is written once or not
at all.
"""

from dataclasses import replace

import pytest
from clock_and_senders import Clock, Senders

from bot.passes import Outcome
from bot.queue import Lease, Queue
from bot.subjects import Branch, Model, PullRequest

HERE = PullRequest("o/p/r", 1)


@pytest.fixture
def lease(queue: Queue, senders: Senders) -> Lease:
    queue.mark(senders.delivery(HERE))
    [lease] = queue.take(1, lease=30, worker="first")
    return lease


def test_a_taken_subject_is_not_taken_again(queue: Queue, lease: Lease) -> None:
    assert queue.take(10, lease=30, worker="second") == []


def test_a_dead_workers_subject_is_taken_over_when_its_lease_runs_out(
    queue: Queue, lease: Lease, clock: Clock
) -> None:
    clock.pass_by(29.9)
    assert queue.take(10, lease=30, worker="second") == []
    clock.pass_by(0.1)
    [again] = queue.take(10, lease=30, worker="second")
    assert again.subject == HERE
    assert again.token != lease.token


def test_a_heartbeat_keeps_a_lease(queue: Queue, lease: Lease, clock: Clock) -> None:
    clock.pass_by(20)
    assert queue.renew([lease], 30) == {lease.token}
    clock.pass_by(20)
    assert queue.take(10, lease=30, worker="second") == []


def test_a_worker_that_was_stopped_too_long_writes_nothing(
    queue: Queue, lease: Lease, clock: Clock
) -> None:
    clock.pass_by(31)
    [other] = queue.take(1, lease=30, worker="second")
    before = queue.subjects()
    outcome = Outcome(memo={"mine": 1}, performed=("wrote",), wake=(Branch("o/p/r"),))
    assert queue.renew([lease], 30) == set()
    assert not queue.settle(lease, outcome)
    assert not queue.fail(lease, "too late")
    queue.give_back([lease])
    assert queue.subjects() == before
    assert queue.passes() == []
    assert queue.settle(other, Outcome())


def test_an_outcome_is_written_once(queue: Queue, lease: Lease) -> None:
    assert queue.settle(lease, Outcome(performed=("one",)))
    assert not queue.settle(lease, Outcome(performed=("two",)))
    assert [row.performed for row in queue.passes()] == [("one",)]


def test_a_memo_is_there_at_the_next_look(queue: Queue, lease: Lease) -> None:
    memo = {"thread": 7, "runs": ["a", "ü"], "nothing": None}
    queue.settle(lease, Outcome(look_again=0, memo=memo))
    [again] = queue.take(1, lease=30, worker="w")
    assert again.look.memo == memo


def test_a_memo_that_is_not_json_is_refused_and_the_lease_kept(queue: Queue, lease: Lease) -> None:
    with pytest.raises(TypeError):
        queue.settle(lease, Outcome(memo={"clock": Clock()}))
    assert queue.settle(lease, Outcome())


def test_a_subject_that_asked_for_it_is_looked_at_again_without_news(
    queue: Queue, lease: Lease, clock: Clock
) -> None:
    assert lease.look.news
    queue.settle(lease, Outcome(look_again=10))
    clock.pass_by(9.9)
    assert queue.take(1, lease=30, worker="w") == []
    clock.pass_by(0.1)
    [again] = queue.take(1, lease=30, worker="w")
    assert not again.look.news


def test_a_look_ahead_takes_what_will_be_due(queue: Queue, lease: Lease) -> None:
    queue.settle(lease, Outcome(look_again=10))
    assert queue.take(1, lease=30, worker="w", ahead=9) == []
    assert len(queue.take(1, lease=30, worker="w", ahead=10)) == 1


def test_news_during_a_pass_makes_the_subject_due_at_once(
    queue: Queue, lease: Lease, senders: Senders
) -> None:
    queue.mark(senders.delivery(HERE))
    assert queue.take(1, lease=30, worker="w") == []
    queue.settle(lease, Outcome(look_again=1000, memo={"kept": True}))
    [again] = queue.take(1, lease=30, worker="w")
    assert again.look.news
    assert again.look.memo == {"kept": True}


def test_news_before_the_next_look_makes_it_sooner(
    queue: Queue, lease: Lease, senders: Senders
) -> None:
    queue.settle(lease, Outcome(look_again=1000))
    queue.mark(senders.delivery(HERE))
    [again] = queue.take(1, lease=30, worker="w")
    assert again.look.news


def test_a_subject_that_has_nothing_to_wait_for_waits_for_news(
    queue: Queue, lease: Lease, clock: Clock
) -> None:
    queue.settle(lease, Outcome())
    clock.pass_by(1e9)
    assert queue.take(1, lease=30, worker="w") == []


def test_a_pass_wakes_others_with_its_outcome(queue: Queue, lease: Lease) -> None:
    queue.settle(lease, Outcome(wake=(Branch("o/p/r"), Model("m"), Branch("o/p/r"))))
    taken = queue.take(10, lease=30, worker="w")
    assert {one.subject for one in taken} == {Branch("o/p/r"), Model("m")}
    assert all(one.look.news for one in taken)


def test_a_pass_may_wake_its_own_subject(queue: Queue, lease: Lease) -> None:
    queue.settle(lease, Outcome(look_again=500, wake=(HERE,)))
    [again] = queue.take(10, lease=30, worker="w")
    assert again.look.news


def test_failures_are_tried_again_less_and_less_often(
    queue: Queue, lease: Lease, clock: Clock
) -> None:
    waits = []
    for _ in range(10):
        queue.fail(lease, "Databricks did not answer.")
        [row] = queue.subjects()
        assert row.due_at is not None
        waits.append(row.due_at - clock())
        clock.pass_by(waits[-1])
        [lease] = queue.take(1, lease=30, worker="w")
    assert waits == [2, 4, 8, 16, 32, 32, 32, 32, 32, 32]
    assert lease.look.failures == 10


def test_a_neighbour_that_asked_for_patience_gets_it(
    queue: Queue, lease: Lease, clock: Clock
) -> None:
    queue.fail(lease, "Azure DevOps asked us to wait.", retry_after=900)
    clock.pass_by(899)
    assert queue.take(1, lease=30, worker="w") == []
    clock.pass_by(1)
    assert len(queue.take(1, lease=30, worker="w")) == 1


def test_a_failure_forgets_neither_memo_nor_news(queue: Queue, lease: Lease, clock: Clock) -> None:
    queue.settle(lease, Outcome(memo={"thread": 7}, wake=(HERE,)))
    [lease] = queue.take(1, lease=30, worker="w")
    queue.fail(lease, "Broken.")
    clock.pass_by(2)
    [again] = queue.take(1, lease=30, worker="w")
    assert again.look.memo == {"thread": 7}
    assert again.look.news


def test_a_good_pass_ends_the_back_off(queue: Queue, lease: Lease, clock: Clock) -> None:
    queue.fail(lease, "Broken.")
    clock.pass_by(2)
    [again] = queue.take(1, lease=30, worker="w")
    queue.settle(again, Outcome())
    [row] = queue.subjects()
    assert (row.attempts, row.last_error) == (0, None)


def test_one_subjects_failures_do_not_hold_up_another(
    queue: Queue, lease: Lease, senders: Senders
) -> None:
    queue.fail(lease, "Broken.")
    queue.mark(senders.delivery(Model("m")))
    assert [one.subject for one in queue.take(10, lease=30, worker="w")] == [Model("m")]


def test_what_a_worker_gives_back_is_due_at_once(queue: Queue, lease: Lease) -> None:
    queue.give_back([lease])
    [again] = queue.take(1, lease=30, worker="second")
    assert again.look == replace(lease.look, resumed=True)
    assert again.look.failures == 0


def test_whoever_takes_over_knows_that_a_pass_was_cut_off(
    queue: Queue, lease: Lease, clock: Clock
) -> None:
    clock.pass_by(31)
    [again] = queue.take(1, lease=30, worker="second")
    assert (lease.look.resumed, again.look.resumed) == (False, True)


def test_whoever_comes_after_a_pass_that_ended_knows_that_it_did(
    queue: Queue, lease: Lease, clock: Clock
) -> None:
    clock.pass_by(31)
    [again] = queue.take(1, lease=30, worker="second")
    queue.settle(again, Outcome(look_again=0))
    [third] = queue.take(1, lease=30, worker="third")
    assert not third.look.resumed


def test_any_error_text_can_be_stored(queue: Queue, lease: Lease) -> None:
    assert queue.fail(lease, "a\0b\ud800" + "x" * 10_000)
    [row] = queue.subjects()
    assert row.last_error is not None
    assert row.last_error.startswith("ab?")
    assert len(row.last_error) == 2000


def test_asking_for_nothing_takes_nothing(queue: Queue, senders: Senders) -> None:
    queue.mark(senders.delivery(HERE))
    assert queue.take(0, lease=30, worker="w") == []


def test_news_during_a_pass_that_fails_ends_the_back_off_before_it_began(
    queue: Queue, lease: Lease, senders: Senders
) -> None:
    queue.mark(senders.delivery(HERE))
    queue.fail(lease, "Broken.")
    [again] = queue.take(1, lease=30, worker="w")
    assert again.look.news
    assert again.look.failures == 1


def test_news_is_taken_before_what_only_asked_to_be_looked_at_again(
    queue: Queue, lease: Lease, senders: Senders, clock: Clock
) -> None:
    queue.settle(lease, Outcome(look_again=1))
    clock.pass_by(60)
    queue.mark(senders.delivery(Model("m")))
    assert [one.subject for one in queue.take(1, lease=30, worker="w")] == [Model("m")]
    assert [one.subject for one in queue.take(1, lease=30, worker="w")] == [HERE]
