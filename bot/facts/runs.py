"""Facts about project runs, whoever asked for them.

Plain frozen data. Times are aware UTC datetimes; durations are seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Outcome = Literal["succeeded", "failed", "timed out", "cancelled", "no cluster"]
"""How a run ended. `no cluster`: the workspace's doing, not the project's."""


Where = Literal["validation", "production"]
"""A workspace. What a pull request changed runs in the first one, and never in the other."""


@dataclass(frozen=True)
class RunFault:
    """Why an ended run is no success at all: it passed its `limit` (seconds), it says a `reason` of
    its own, or it did not register its `model`.
    """

    kind: Literal["timed out", "reported", "cancelled", "unexplained", "no model"]
    reason: str = ""
    limit: float = 0.0
    model: str = ""


@dataclass(frozen=True)
class ProjectRun:
    """One run of an MLflow project at one commit: for a pull request, as a smoke run, or as a
    retraining.

    `token` names it everywhere (in MLflow, in Databricks); `cluster_run` is its id at the backend.
    Known once it has ended: `metrics`, `model_version`, its `signature` (canonical JSON; empty:
    none), `log` (its last lines) and `log_lines` (how many it has in all; 0: just those).
    `withdrawn`: the bot stopped it, so that it says nothing of the change. `where` is the workspace
    that it is made in; in production it has an `owner`, the key of the subject that it is made for.
    """

    token: str
    project: str
    commit: str
    iteration: int
    backend: str
    mlflow_run: str = ""
    experiment: str = ""
    cluster_run: str = ""
    outcome: Outcome | None = None
    closed: bool = False
    withdrawn: bool = False
    reason: str = ""
    log: str = ""
    log_lines: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)
    model_name: str = ""
    model_version: str = ""
    signature: str = ""
    run_page: str = ""
    mlflow_page: str = ""
    model_page: str = ""
    started: datetime | None = None
    ended: datetime | None = None
    where: Where = "validation"
    owner: str = ""

    @property
    def over(self) -> bool:
        """Whether it has ended, one way or another."""
        return self.outcome is not None

    @property
    def seconds(self) -> float | None:
        """How long it took, in seconds; None while it is under way."""
        if self.started is None or self.ended is None:
            return None
        return (self.ended - self.started).total_seconds()
