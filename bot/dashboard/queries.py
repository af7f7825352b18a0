"""What the dashboard reads from the work queue, page by page. Nothing here writes."""

from typing import NamedTuple, TypedDict

from bot.queue import Counts, DeliveryRecord, PassRecord, Queue, RunRecord, SubjectRecord
from bot.subjects import PullRequest

ROWS = 50
"""How many rows a table shows at most."""

SHOWN = 200_000
"""How many characters of a log a page shows; they are its last."""


class Overview(TypedDict):
    """What the first page shows, under the names by which its template calls it."""

    counts: Counts
    subjects: list[SubjectRecord]
    runs: list[RunRecord]
    deliveries: list[DeliveryRecord]
    passes: list[PassRecord]


def overview(queue: Queue) -> Overview:
    """What waits, what fails, what came in and what was done; trouble and the newest first."""
    return {
        "counts": queue.counts(),
        "subjects": queue.subjects(ROWS),
        "runs": queue.runs(limit=ROWS // 2),
        "deliveries": queue.deliveries(ROWS),
        "passes": queue.passes(limit=ROWS),
    }


class LogEnd(NamedTuple):
    """The end of a run's log, in whole lines, and how many characters are kept of all of it."""

    text: str
    kept: int


def log_end(queue: Queue, token: str) -> LogEnd:
    """The end of what a run wrote, as much as a page shows."""
    text, kept = queue.log_end(token, SHOWN)
    if len(text) < kept:
        # A page does not begin in the middle of a line; one line longer than a page does.
        text = text[text.find("\n") + 1 :]
    return LogEnd(text, kept)


def runs_of(queue: Queue, subject: PullRequest) -> list[RunRecord]:
    """The newest runs for a pull request, the newest first."""
    return queue.runs(subject, ROWS)
