"""What Prometheus may know: how webhooks were answered, and how much there is to do.

No names of branches, people or models: they would be private, and too many.
"""

import os
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, generate_latest, multiprocess
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from bot.queue import Queue, QueueError


class Metrics:
    """The numbers of one web process, or of all of them when PROMETHEUS_MULTIPROC_DIR names a
    folder they share.
    """

    def __init__(self, queue: Queue) -> None:
        own = CollectorRegistry()
        self._answers = Counter(
            "signalman_webhooks",
            "Webhooks by sender and answer.",
            ["sender", "answer"],
            registry=own,
        )
        self._registry = own
        if (
            "PROMETHEUS_MULTIPROC_DIR" in os.environ
        ):  # https://prometheus.github.io/client_python/multiprocess/
            self._registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(self._registry)  # type: ignore[no-untyped-call]
        self._registry.register(_Work(queue))

    def answered(self, sender: str, answer: str) -> None:
        """Count a webhook."""
        self._answers.labels(sender, answer).inc()

    def text(self) -> bytes:
        """Everything, in Prometheus' text format 0.0.4."""
        return generate_latest(self._registry)


class _Work(Collector):
    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def describe(self) -> list[GaugeMetricFamily]:
        """Nothing in advance, so that registering asks no database."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Ask the queue; when it cannot say, only that is told."""
        try:
            counts = self._queue.counts()
        except QueueError:
            yield GaugeMetricFamily(
                "signalman_database_up", "Whether the work queue can be read.", 0
            )
            return
        yield GaugeMetricFamily("signalman_database_up", "Whether the work queue can be read.", 1)
        yield GaugeMetricFamily(
            "signalman_subjects_due", "Subjects that wait for a worker.", counts.due
        )
        yield GaugeMetricFamily("signalman_subjects_leased", "Subjects in a pass.", counts.leased)
        yield GaugeMetricFamily(
            "signalman_subjects_failing", "Subjects whose last pass failed.", counts.failing
        )
        yield GaugeMetricFamily(
            "signalman_oldest_due_seconds", "How long the oldest has waited.", counts.oldest_due_age
        )
