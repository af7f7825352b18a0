"""The one place where real things are chosen: settings in, a door or a worker out.

What only the worker needs (mlflow, databricks-sdk) is imported when a worker is
made, so that the web process starts quickly and stays small.
"""

import contextlib
import logging
import os
import shutil
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bot import log as logs
from bot import own_templates
from bot.config import deployment, environment
from bot.config.environment import UNITY_CATALOG, Credentials, Settings, WorkspaceAccess
from bot.errors import SignalmanError
from bot.passes import Look, Outcome
from bot.queue import Queue, migrate
from bot.subjects import Branch, Model, PullRequest, Retraining
from bot.worker import Worker

if TYPE_CHECKING:
    from flask import Flask

    from bot.controllers.services import Repository, Services, Workspace
    from bot.services.azure_client import Client
    from bot.services.databricks import Databricks
    from bot.services.mlflow import Mlflow
    from bot.web import Door
    from bot.webhooks.azure_devops import WatchedRepository

log = logging.getLogger(__name__)


def prepare() -> Settings:
    """Read the settings, set up the log, have the database ready. Raises ConfigError."""
    settings = environment.read()
    logs.set_up(secret.get_secret_value() for secret in settings.secrets)
    own_templates.load(settings.templates)  # So that a mistake in them is told now.
    settings.var.mkdir(parents=True, exist_ok=True, mode=0o700)
    migrate(settings.database_url)
    if settings.shares_workspace:
        log.warning(
            "pull-request code runs in the production workspace; set DATABRICKS_VALIDATION_HOST "
            "and DATABRICKS_VALIDATION_TOKEN to run it in another one"
        )
    if settings.shares_identity:
        log.warning(
            "pull-request code runs with the identity that the production workspace knows the bot "
            "by; set DATABRICKS_VALIDATION_TOKEN to a token of another service principal"
        )
    return settings


def web() -> "Flask":
    """The door, as gunicorn starts it: `gunicorn 'bot.app:web()'`."""
    from bot.web import create_app

    try:
        settings = prepare()
    except SignalmanError as error:
        raise SystemExit(f"Signalman cannot start.\n{error}") from None
    if not settings.dashboard:
        log.warning(
            "the dashboard is open to whoever reaches it; set DASHBOARD_USERNAME and "
            "DASHBOARD_PASSWORD"
        )
    return create_app(door(settings))


def door(settings: Settings) -> "Door":
    """What the web process needs of the settings."""
    from bot.web import Door

    return Door(
        queue=Queue(settings.database_url),
        served=_watched(settings),
        azure_devops_credentials=_pairs(settings.azure_hooks),
        databricks_secrets=tuple(secret.get_secret_value() for secret in settings.databricks_hooks),
        mlflow_secrets=tuple(secret.get_secret_value() for secret in settings.mlflow_hooks),
        dashboard_credentials=_pairs(settings.dashboard),
    )


def worker(settings: Settings) -> Worker:
    """A worker with everything it needs, imported now and not in its first pass."""
    import bot.controllers.pull_request.controller  # noqa: F401
    from bot import sweep

    work_in(settings.var / "tmp")
    queue = Queue(settings.database_url)
    services = services_of(settings, queue)
    return Worker(
        queue,
        lambda look: pass_over(look, services),
        sweep=lambda: sweep.due(services, lambda key: queue.delivery(key) is not None),
        passes=settings.limits.passes,
        lease=settings.limits.lease,
        sweep_every=settings.limits.sweep,
        retention=settings.limits.history,
    )


def work_in(folder: Path) -> None:
    """Let temporary files lie there, and remove what a killed worker left more than an hour ago."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for left in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # Another worker, just as tidy.
            if left.stat().st_mtime < time.time() - 3600:
                shutil.rmtree(left, ignore_errors=True)
    tempfile.tempdir = str(folder)


def pass_over(look: Look, services: "Services") -> Outcome:
    """One pass over whatever is due."""
    from bot.controllers.branch import controller as branch
    from bot.controllers.model import controller as model
    from bot.controllers.model import retraining
    from bot.controllers.pull_request import controller as pull_request

    match look.subject:
        case PullRequest(repository) | Branch(repository) | Retraining(repository) if (
            repository not in services.repositories
        ):
            # It was served when it was marked; the configuration has changed since.
            return Outcome()
        case PullRequest() as subject:
            return pull_request.pass_over(subject, look, services)
        case Branch() as subject:
            return branch.pass_over(subject, look, services)
        case Model() as subject:
            return model.pass_over(subject, look, services)
        case Retraining() as subject:
            return retraining.pass_over(subject, look, services)


def services_of(settings: Settings, queue: Queue | None = None) -> "Services":
    """The real services of a deployment; with the queue that the process has already, if it has
    one.
    """
    from bot.controllers.permissions import Rights
    from bot.controllers.services import Services
    from bot.services.azure_client import Client
    from bot.services.service_hooks import ServiceHooks

    client = Client(settings.organization_url, settings.azure_tokens)
    validation, production = _workspaces(settings)
    return Services(
        repositories=_repositories(settings, client),
        hooks=ServiceHooks(client),
        heard=_watched(settings),
        validation=validation,
        production=production,
        run_environment={
            "MLFLOW_TRACKING_URI": settings.tracking_uri,
            "MLFLOW_REGISTRY_URI": settings.registry_uri,
        },
        public_url=settings.public_url,
        policies=settings.policies,
        reporting=settings.report,
        most_runs=settings.limits.runs,
        calls=settings.limits.calls,
        rights=Rights(settings.commands),
        now=lambda: datetime.now(UTC),
        queue=queue or Queue(settings.database_url),
        secrets=tuple(secret.get_secret_value() for secret in settings.secrets),
        polls=None if settings.registry_tells else settings.limits.poll,
        templates=own_templates.load(settings.templates),
    )


def _repositories(settings: Settings, client: "Client") -> dict[str, "Repository"]:
    from bot.controllers.services import Repository
    from bot.services.azure_devops import AzureDevOps
    from bot.services.git import Mirror

    return {
        served.key: Repository(
            served,
            AzureDevOps(served, client),
            Mirror(served, settings.azure_tokens, settings.var),
        )
        for served in settings.served
    }


def _workspaces(settings: Settings) -> tuple["Workspace", "Workspace"]:
    """Where pull requests run, and where what was merged does; often one and the same."""
    validation = _workspace(settings, settings.validation)
    # One workspace may still know the bot by two identities, and only one of them may do what
    # production needs.
    if settings.validation == settings.production:
        return validation, validation
    return validation, _workspace(settings, settings.production)


def _workspace(settings: Settings, access: WorkspaceAccess) -> "Workspace":
    from bot.backends.databricks_jobs import DatabricksJobs
    from bot.backends.databricks_mlflow import DatabricksMlflow
    from bot.backends.local import Local
    from bot.controllers.services import Workspace

    databricks = _databricks(settings.client, access)
    return Workspace(
        databricks,
        runs=_mlflow(settings.tracking_uri, access, databricks),
        models=_mlflow(settings.registry_uri, access, databricks),
        backends={
            "databricks-jobs": DatabricksJobs(databricks, live=True),
            "databricks": DatabricksMlflow(databricks, settings.tracking_uri),
            "local": Local(settings.var / "runs"),
        },
    )


def _mlflow(uri: str, access: WorkspaceAccess, databricks: "Databricks") -> "Mlflow":
    """MLflow as its own settings name it: Unity Catalog, the workspace, or a server's address."""
    from bot.services.mlflow import Mlflow

    if uri == UNITY_CATALOG:
        from bot.services.unity_catalog import UnityCatalog

        return UnityCatalog(access.host, sign_in=databricks.bearer)
    if uri == "databricks":
        return Mlflow(access.host, sign_in=databricks.bearer, workspace=True)
    return Mlflow(uri, sign_in=lambda: os.environ.get("MLFLOW_TRACKING_TOKEN"), workspace=False)


def _databricks(client: deployment.Client, access: WorkspaceAccess) -> "Databricks":
    if client == "databricks-cli":
        from bot.services.databricks_cli import DatabricksCli

        return DatabricksCli(access)
    from bot.services.databricks_sdk import DatabricksSdk

    return DatabricksSdk(access)


def _watched(settings: Settings) -> tuple["WatchedRepository", ...]:
    from bot.webhooks.azure_devops import WatchedRepository

    return tuple(
        WatchedRepository(
            repository.key,
            repository.organization_url,
            repository.project,
            repository.repository,
            (repository.target,),
        )
        for repository in settings.served
    )


def _pairs(credentials: Credentials) -> tuple[tuple[str, str], ...]:
    return tuple((name.get_secret_value(), word.get_secret_value()) for name, word in credentials)
