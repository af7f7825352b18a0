"""Webhooks and sweeps make subjects due, once and for sure."""

import threading

from clock_and_senders import Clock, Senders

from bot.passes import Outcome
from bot.queue import Queue
from bot.subjects import Branch, Model, PullRequest

HERE = PullRequest("o/p/r", 1)


def take(queue: Queue, n: int = 10) -> list[PullRequest | Branch | Model]:
    return [lease.subject for lease in queue.take(n, lease=30, worker="w")]


def test_a_webhook_makes_its_subject_due(queue: Queue, senders: Senders) -> None:
    assert queue.mark(senders.delivery(HERE))
    assert take(queue) == [HERE]


def test_a_redelivery_is_recognised_and_changes_nothing(queue: Queue, senders: Senders) -> None:
    delivery = senders.delivery(HERE)
    queue.mark(delivery)
    before = queue.subjects()
    assert not queue.mark(delivery)
    assert queue.subjects() == before


def test_a_burst_of_webhooks_is_one_pass(queue: Queue, senders: Senders) -> None:
    for _ in range(20):
        queue.mark(senders.delivery(HERE))
    [lease] = queue.take(10, lease=30, worker="w")
    assert lease.generation == 20
    assert queue.settle(lease, Outcome())
    assert take(queue) == []


def test_names_from_outside_come_back_as_they_were(queue: Queue, senders: Senders) -> None:
    subjects = [
        PullRequest("a/b c/d", 2147483647),
        Branch("o/Ünïcode & more/%2F"),
        Model("a/b'; DROP TABLE subjects; --"),
        Model("*_model"),
        Model("模型 🚀"),
    ]
    for subject in subjects:
        queue.mark(senders.delivery(subject))
    assert sorted(take(queue), key=str) == sorted(subjects, key=str)


def test_a_sweep_makes_everything_due_as_news(queue: Queue, senders: Senders) -> None:
    queue.mark(senders.delivery(HERE))
    [lease] = queue.take(1, lease=30, worker="w")
    queue.settle(lease, Outcome(look_again=1000))
    queue.wake([HERE, Branch("o/p/r"), HERE, *(Model(f"m{n}") for n in range(250))])
    leases = queue.take(1000, lease=30, worker="w")
    assert len(leases) == 252
    assert all(lease.look.news for lease in leases)


def test_who_has_waited_longest_is_taken_first(
    queue: Queue, senders: Senders, clock: Clock
) -> None:
    for number in (3, 1, 2):
        queue.mark(senders.delivery(PullRequest("o/p/r", number)))
        clock.pass_by(1)
    queue.mark(
        senders.delivery(PullRequest("o/p/r", 3))
    )  # more news does not send it back to the end
    assert take(queue, 2) == [PullRequest("o/p/r", 3), PullRequest("o/p/r", 1)]


def test_webhooks_of_many_threads_are_all_kept(queue: Queue, senders: Senders) -> None:
    deliveries = [senders.delivery(PullRequest("o/p/r", number % 3)) for number in range(60)]
    threads = [
        threading.Thread(target=lambda part=n: [queue.mark(d) for d in deliveries[part::6]])
        for n in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(queue.deliveries(100)) == 60
    assert sum(row.generation for row in queue.subjects()) == 60


def test_of_one_delivery_sent_many_times_at_once_one_is_accepted(
    queue: Queue, senders: Senders
) -> None:
    delivery, accepted = senders.delivery(HERE), []
    threads = [
        threading.Thread(target=lambda: accepted.append(queue.mark(delivery))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(accepted) == [False] * 7 + [True]
