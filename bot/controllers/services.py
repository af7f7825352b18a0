"""Whom a pass may speak to: the one bundle of real services that passes are given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import assert_never

from bot.backends.run import Backend
from bot.config.deployment import Policies, Reporting
from bot.config.environment import ServedRepository
from bot.controllers.permissions import Rights
from bot.facts.runs import Where
from bot.own_templates import OwnTemplates
from bot.queue import Queue
from bot.services.azure_devops import AzureDevOps
from bot.services.databricks import Databricks
from bot.services.git import Mirror
from bot.services.mlflow import Mlflow
from bot.services.service_hooks import ServiceHooks
from bot.webhooks import azure_devops


@dataclass(frozen=True)
class Repository:
    """A served repository: its pull requests and its content."""

    served: ServedRepository
    azure: AzureDevOps
    mirror: Mirror


@dataclass(frozen=True)
class Workspace:
    """A workspace, the tracking server and the registry that go with it, and the backends that run
    projects there.
    """

    databricks: Databricks
    runs: Mlflow
    models: Mlflow
    backends: Mapping[str, Backend]


@dataclass(frozen=True)
class Services:
    """All services of a deployment. `validation` runs pull-request code, `production` serves; `now`
    is aware UTC.

    `heard`: the repositories, as readers of webhooks know them. `most_runs` project runs are under
    way at a time, and `calls` workspace calls of a sync. `secrets`: what nobody may be shown.
    `polls`: so many seconds after a look the registry is asked again what serves; None: it tells by
    itself.
    """

    repositories: Mapping[str, Repository]
    hooks: ServiceHooks
    heard: tuple[azure_devops.WatchedRepository, ...]
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
    queue: Queue
    secrets: tuple[str, ...] = field(default=(), repr=False)
    polls: float | None = None
    templates: OwnTemplates = field(default_factory=OwnTemplates)

    def workspace(self, where: Where) -> Workspace:
        """The workspace in which a run is made: what a pull request changed never in the production
        workspace.
        """
        match where:
            case "validation":
                return self.validation
            case "production":
                return self.production
            case _:
                assert_never(where)
