"""What every backend takes and gives: a submission, and how far its run is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from bot.facts.runs import Outcome

MLFLOW_STATUS: Mapping[Outcome, Literal["FINISHED", "FAILED", "KILLED"]] = {
    "succeeded": "FINISHED",
    "failed": "FAILED",
    "timed out": "FAILED",
    "no cluster": "FAILED",
    "cancelled": "KILLED",
}
"""What the MLflow run of a run shows that ended so:
https://mlflow.org/docs/latest/api_reference/rest-api.html#runstatus
"""


@dataclass(frozen=True)
class Submission:
    """A project folder to run once.

    `token` makes a second submission the same run. `environment` is added to the
    project's own: addresses and the MLflow run, never a secret. `timeout` is in
    seconds. `cluster` is the machine in the terms of the Clusters API, where the
    backend needs one.
    """

    token: str
    name: str
    folder: Path
    entry_point: str
    parameters: Mapping[str, str]
    cluster: Mapping[str, Any]
    timeout: float
    environment: Mapping[str, str]
    tags: Mapping[str, str]


@dataclass(frozen=True)
class RunStatus:
    """A run as it stands: `outcome` is None until it has ended, `reason` one line, `log` its last
    lines of `lines` in all (0: not counted).
    """

    outcome: Outcome | None
    reason: str = ""
    log: str = ""
    lines: int = 0
    page: str = ""
    started: datetime | None = None
    ended: datetime | None = None


@dataclass(frozen=True)
class LogChunk:
    """Part of what a run wrote: it begins `start` bytes after the beginning. `cut`: what was before
    it is gone.
    """

    content: bytes
    start: int = 0
    cut: bool = False


class Backend(Protocol):
    """Where MLflow projects run."""

    def submit(self, submission: Submission) -> str:
        """Start a run; gives its id here. Raises ProjectError when the project cannot be run as it
        stands.
        """

    def look(self, run: str) -> RunStatus:
        """Say how far a run is. Raises NotFound when nobody knows it any more."""

    def cancel(self, run: str) -> None:
        """Stop a run; one that has ended stays ended."""

    def live_log(self, run: str, token: str, offset: int) -> LogChunk:
        """What a run that is under way has written from that byte on.

        Its newest part, where that is too much to read at once; nothing, where a backend cannot
        tell.
        """

    def whole_log(self, run: str, token: str) -> LogChunk:
        """All that is kept of what a run has written that has ended; nothing, where nothing is."""
