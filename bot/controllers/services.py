"""Whom a pass may speak to: the one bundle of real services that passes are given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from bot.backends.run import Backend
from bot.config.deployment import Policies, Reporting
from bot.config.environment import Served
from bot.controllers.permissions import Rights
from bot.facts.pull_request import QueuePosition
from bot.facts.runs import ProjectRun
from bot.passes import Memo
from bot.queue import RunRecord
from bot.services.azure_devops import AzureDevOps
from bot.services.databricks import Databricks
from bot.services.git import Mirror
from bot.services.mlflow import Mlflow
from bot.services.service_hooks import ServiceHooks
from bot.subjects import Subject
from bot.webhooks import azure_devops


@dataclass(frozen=True)
class Repository:
    """A served repository: its pull requests and its content."""

    served: Served
    azure: AzureDevOps
    mirror: Mirror


@dataclass(frozen=True)
class Workspace:
    """A workspace, the tracking server and the registry that go with it, and the backends that run projects there."""

    databricks: Databricks
    runs: Mlflow
    models: Mlflow
    backends: Mapping[str, Backend]


class Line(Protocol):
    """Where pull requests stand in line for runs (`Queue.reserve_runs`)."""

    def reserve_runs(self, subject: Subject, running: int, wanted: int, limit: int) -> QueuePosition:
        """Note what a subject has under way and wants more, and tell how many of these it may start now."""


class LogStore(Protocol):
    """Where the pages find runs and what they wrote (`Queue`). Text is masked before it is given."""

    def note_run(self, subject: Subject, run: ProjectRun) -> RunRecord:
        """Write down a run, and return what is known of it."""

    def add_log(self, token: str, start: int, end: int, content: str) -> bool:
        """Add what a run's log holds between two bytes; False when somebody else read on from there."""

    def log_end(self, token: str, longest: int) -> tuple[str, int]:
        """The last characters of a run's log, and how many characters of it are kept."""

    def put_log(self, token: str, content: str | None, *, cut: bool = False) -> None:
        """Let a run's log be this and final; None: what was added before."""


class Memos(Protocol):
    """What the rows of subjects keep (`Queue`)."""

    def memo(self, subject: Subject) -> Memo:
        """What the last pass over a subject left behind; empty where nothing is known of it."""


@dataclass(frozen=True)
class Services:
    """Everybody. `validation` runs pull-request code, `production` serves; `now` is aware UTC.

    `heard`: the repositories, as readers of webhooks know them. `most_runs` project runs are under way at a time, and
    `calls` workspace calls of a sync.
    `secrets`: what nobody may be shown. `polls`: so many seconds after a look the registry is asked again what serves;
    None: it tells by itself.
    """

    repositories: Mapping[str, Repository]
    hooks: ServiceHooks
    heard: tuple[azure_devops.Served, ...]
    validation: Workspace
    production: Workspace
    run_environment: Mapping[str, str]
    public_url: str
    policies: Policies
    reporting: Reporting
    most_runs: int
    calls: int
    rights: Rights
    now: Callable[[], datetime]
    line: Line
    logs: LogStore
    memos: Memos
    secrets: tuple[str, ...] = field(default=(), repr=False)
    polls: float | None = None
