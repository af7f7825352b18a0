"""What the queue hands out: leases to work on, and rows to look at.

All times are seconds since 1970 in UTC.
"""

from dataclasses import dataclass

from bot.passes import Look
from bot.subjects import Subject


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to make one pass over a subject, until it runs out or is renewed.

    `generation` counts how often somebody spoke of the subject before it was taken,
    `seen` how often before the last good pass.
    """

    look: Look
    token: str
    generation: int
    seen: int
    worker: str
    taken_at: float

    @property
    def subject(self) -> Subject:
        """What the pass is over."""
        return self.look.subject


@dataclass(frozen=True, slots=True)
class Counts:
    """How much there is to do: subjects waiting for a worker, in a pass, failing; seconds the
    oldest has waited.
    """

    due: int
    leased: int
    failing: int
    oldest_due_age: float


@dataclass(frozen=True, slots=True)
class SubjectRecord:
    """A subject's row. `due_at` is None when only news makes it due; `seen` is the generation last
    looked at.
    """

    subject: Subject
    due_at: float | None
    generation: int
    seen: int
    lease_until: float | None
    attempts: int
    last_error: str | None
    last_passed_at: float | None


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """A webhook that was accepted.

    The first good pass over `subject` that saw `generation` answered it: at `answered_at`,
    when `answered_by` was the newest generation. Both are None while it is `waiting` for
    that pass, and for what an older Signalman answered.
    """

    key: str
    sender: str
    event: str
    subject: Subject
    generation: int
    received_at: float
    answered_at: float | None
    answered_by: int | None
    waiting: bool


@dataclass(frozen=True, slots=True)
class PassRecord:
    """A pass that performed something or failed; the others leave no row."""

    id: int
    subject: Subject
    generation: int
    worker: str
    started_at: float
    ended_at: float
    performed: tuple[str, ...]
    error: str | None


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A project run. `state` is `starting`, `running`, or how it ended; `reason` why, if badly.

    Of its log `log_read` bytes were read at the backend and `log_size` characters written here, of
    which the first may be gone (`log_cut`). `log_whole`: there will be no more of it.
    """

    token: str
    subject: Subject
    project: str
    commit: str
    state: str
    reason: str
    run_page: str
    mlflow_page: str
    started_at: float | None
    ended_at: float | None
    log_read: int
    log_size: int
    log_cut: bool
    log_whole: bool
