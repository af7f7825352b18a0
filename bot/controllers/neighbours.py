"""Whom a pass may speak to: the one bundle of real services that passes are given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from bot.backends.run import Backend
from bot.services.azure_devops import AzureDevOps
from bot.services.databricks import Databricks
from bot.services.git import Mirror
from bot.services.mlflow import Mlflow
from bot.services.service_hooks import ServiceHooks
from bot.settings import Policies, Served
from bot.webhooks import azure_devops


@dataclass(frozen=True)
class Repository:
    """A served repository: its pull requests and its content."""

    served: Served
    azure: AzureDevOps
    mirror: Mirror


@dataclass(frozen=True)
class Place:
    """A workspace, the tracking server and the registry that go with it, and the backends that run projects there."""

    databricks: Databricks
    runs: Mlflow
    models: Mlflow
    backends: Mapping[str, Backend]


@dataclass(frozen=True)
class Neighbours:
    """Everybody. `validation` runs pull-request code, `production` serves; `now` is aware UTC.

    `heard`: the repositories, as readers of webhooks know them.
    """

    repositories: Mapping[str, Repository]
    hooks: ServiceHooks
    heard: tuple[azure_devops.Served, ...]
    validation: Place
    production: Place
    run_environment: Mapping[str, str]
    public_url: str
    policies: Policies
    now: Callable[[], datetime]
