"""What came in and what became of it can be read back, counted and, in time, forgotten."""

import pytest
from clock_and_senders import Clock, Senders

from bot.passes import Outcome
from bot.queue import Counts, Queue
from bot.subjects import Model, PullRequest, key

HERE, THERE = PullRequest("o/p/r", 1), Model("m")


def test_deliveries_are_told_newest_first(queue: Queue, senders: Senders, clock: Clock) -> None:
    sent = [senders.delivery(HERE), senders.delivery(THERE), senders.delivery(HERE)]
    for delivery in sent:
        queue.mark(delivery)
        clock.pass_by(0.001)
    told = queue.deliveries(2)
    assert [row.key for row in told] == [sent[2].key, sent[1].key]
    assert [row.generation for row in queue.deliveries(3)] == [2, 1, 1]


def test_one_delivery_can_be_asked_for(queue: Queue, senders: Senders, clock: Clock) -> None:
    delivery = senders.delivery(HERE)
    queue.mark(delivery)
    found = queue.delivery(delivery.key)
    assert found is not None
    assert (found.sender, found.event, found.subject, found.received_at) == (
        delivery.sender, delivery.event, HERE, clock(),
    )  # fmt: skip
    assert queue.delivery("azure-never-came") is None


def test_a_pass_leaves_a_row_when_it_did_something_or_failed(
    queue: Queue, senders: Senders, clock: Clock
) -> None:
    for outcome in (Outcome(), Outcome(performed=("started a run", "said so"))):
        queue.mark(senders.delivery(HERE))
        [lease] = queue.take(1, lease=30, worker="w1")
        clock.pass_by(1.5)
        queue.settle(lease, outcome)
    queue.mark(senders.delivery(THERE))
    [lease] = queue.take(1, lease=30, worker="w2")
    queue.fail(lease, "Broken.")
    failed, done = queue.passes()
    assert (done.subject, done.worker, done.performed, done.error) == (
        HERE,
        "w1",
        ("started a run", "said so"),
        None,
    )
    assert done.ended_at - done.started_at == 1.5
    assert (failed.subject, failed.performed, failed.error) == (THERE, (), "Broken.")
    assert queue.passes(key(HERE)) == [done]
    assert queue.passes(limit=1) == [failed]


def test_an_empty_queue_counts_nothing(queue: Queue) -> None:
    assert queue.counts() == Counts(due=0, leased=0, failing=0, oldest_due_age=0.0)


def test_counts_tell_who_waits_and_how_long(queue: Queue, senders: Senders, clock: Clock) -> None:
    for number in range(4):
        queue.mark(senders.delivery(PullRequest("o/p/r", number)))
        clock.pass_by(10)
    first, _ = queue.take(2, lease=30, worker="w")
    queue.fail(first, "Broken.", retry_after=100)
    assert queue.counts() == Counts(due=2, leased=1, failing=1, oldest_due_age=20.0)


def test_a_queue_that_can_store_a_webhook_says_so_and_stores_nothing(queue: Queue) -> None:
    assert queue.writable()
    assert queue.subjects() == []


def test_the_old_is_forgotten_and_the_rest_kept(
    queue: Queue, senders: Senders, clock: Clock
) -> None:
    for number in range(12):
        queue.mark(senders.delivery(PullRequest("o/p/r", number)))
    for lease in queue.take(12, lease=30, worker="w"):
        queue.settle(
            lease, Outcome(performed=("x",), look_again=None if lease.subject != HERE else 1e6)
        )
    clock.pass_by(100)
    kept = senders.delivery(PullRequest("o/p/r", 5))
    queue.mark(kept)
    assert queue.prune(older_than=50, page=5) == 12 + 12 + 10
    assert [row.key for row in queue.deliveries()] == [kept.key]
    assert queue.passes() == []
    assert {row.subject for row in queue.subjects()} == {HERE, PullRequest("o/p/r", 5)}
    assert queue.prune(older_than=50) == 0


@pytest.mark.parametrize("page", [1, 500])
def test_what_waits_or_is_in_a_pass_is_never_forgotten(
    queue: Queue, senders: Senders, clock: Clock, page: int
) -> None:
    queue.mark(senders.delivery(HERE))
    queue.mark(senders.delivery(THERE))
    queue.take(1, lease=1e9, worker="w")
    clock.pass_by(1e6)
    queue.prune(older_than=0.5, page=page)
    assert len(queue.subjects()) == 2


def test_a_delivery_tells_when_it_was_looked_at_and_by_which_pass(
    queue: Queue, senders: Senders, clock: Clock
) -> None:
    burst = [senders.delivery(HERE), senders.delivery(HERE), senders.delivery(THERE)]
    for delivery in burst:
        queue.mark(delivery)
    assert [row.waiting for row in queue.deliveries()] == [True, True, True]
    leases = {lease.subject: lease for lease in queue.take(2, lease=30, worker="w")}
    during = senders.delivery(HERE)
    queue.mark(during)
    clock.pass_by(2)
    queue.settle(leases[HERE], Outcome())
    told = {row.key: (row.waiting, row.answered_at, row.answered_by) for row in queue.deliveries()}
    assert told == {
        burst[0].key: (False, clock(), 2),
        burst[1].key: (False, clock(), 2),
        burst[2].key: (True, None, None),
        during.key: (True, None, None),
    }


def test_the_passes_since_a_delivery_and_before_the_next_are_its_own(
    queue: Queue, senders: Senders
) -> None:
    burst = [senders.delivery(HERE), senders.delivery(HERE)]
    for delivery in burst:
        queue.mark(delivery)
    [lease] = queue.take(1, lease=30, worker="w")
    queue.settle(lease, Outcome(performed=("started a run",), look_again=0))
    queue.wake([HERE])  # a sweep is nobody's delivery
    [lease] = queue.take(1, lease=30, worker="w")
    queue.settle(lease, Outcome(performed=("said so",)))
    later = senders.delivery(HERE)
    queue.mark(later)
    [lease] = queue.take(1, lease=30, worker="w")
    queue.settle(lease, Outcome(performed=("started another",)))
    done = [
        [row.performed[0] for row in queue.passes_for(one)] for one in reversed(queue.deliveries())
    ]
    assert done == [["said so", "started a run"], ["said so", "started a run"], ["started another"]]


def test_of_a_failing_subject_what_waits_is_told_or_else_the_newest(
    queue: Queue, senders: Senders, clock: Clock
) -> None:
    answered, newest, waiting, fine = (
        senders.delivery(one) for one in (HERE, HERE, THERE, Model("fine"))
    )
    for delivery in (answered, newest, waiting, fine):
        queue.mark(delivery)
        clock.pass_by(1)
    leases = {lease.subject: lease for lease in queue.take(3, lease=30, worker="w")}
    queue.settle(leases[HERE], Outcome(look_again=0))
    queue.settle(leases[Model("fine")], Outcome())
    queue.fail(leases[THERE], "Broken.")
    [lease] = queue.take(1, lease=30, worker="w")
    queue.fail(lease, "Broken too.")
    assert [row.key for row in queue.deliveries(failing=True)] == [waiting.key, newest.key]
    assert queue.unanswered() == [THERE, HERE]
    assert queue.deliveries(1, failing=True)[0].key == waiting.key


def test_one_subject_can_be_asked_for(queue: Queue, senders: Senders) -> None:
    queue.mark(senders.delivery(HERE))
    found = queue.subject(HERE)
    assert found is not None
    assert (found.subject, found.generation, found.seen) == (HERE, 1, 0)
    assert queue.subject(THERE) is None


def test_what_the_last_pass_over_a_subject_left_behind_can_be_asked_for(
    queue: Queue, senders: Senders
) -> None:
    queue.mark(senders.delivery(HERE))
    (lease,) = queue.take(1, lease=30, worker="w")
    assert queue.memo(HERE) == {}
    queue.settle(lease, Outcome(memo={"thread": 4}))

    assert queue.memo(HERE) == {"thread": 4}
    assert queue.memo(THERE) == {}
