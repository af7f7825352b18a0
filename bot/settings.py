"""How this Signalman is deployed: `config/bot.yml` and the environment, read once at start.

Secrets come from the environment only (or from a file that `X_FILE` names) and
are kept in a type that does not print them.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlsplit

import yaml
from pydantic import Field, SecretStr

from bot import config
from bot.errors import ConfigError

Secrets = tuple[SecretStr, ...]
"""One secret, or two while it is being changed: both are accepted."""

_WHERE = {
    "AZURE_DEVOPS_ORG_URL": "the address of your organisation, such as https://dev.azure.com/contoso",
    "AZURE_DEVOPS_PROJECT": "the Azure DevOps project that holds the repository",
    "AZURE_DEVOPS_REPOSITORY": "the name of the repository to serve",
    "AZURE_DEVOPS_TOKEN": "Azure DevOps, User settings, Personal access tokens: Code (read & write) and Code (status)",
    "AZURE_DEVOPS_WEBHOOK_USERNAME": "any name; the service hooks must present the same",
    "AZURE_DEVOPS_WEBHOOK_PASSWORD": "a long random text; the service hooks must present the same",
    "DATABRICKS_HOST": "the address of the production workspace, such as https://adb-123.4.azuredatabricks.net",
    "DATABRICKS_WEBHOOK_SECRET": "the secret given to the registry webhook in Databricks",
    "MLFLOW_WEBHOOK_SECRET": "the secret given to the webhook on the MLflow server",
}


class Repository(config.Shape):
    """A repository that is served."""

    project: str
    repository: str
    target: str = Field("main", description="The branch whose tip holds config/mlops.yml.")


class Limits(config.Shape):
    """How much this deployment does at once, and how long it keeps what it did."""

    passes: int = Field(8, ge=1, le=64, description="Subjects that one worker looks at side by side.")
    lease: config.Seconds = Field(30.0, description="A dead worker's subjects are taken over after this.")
    sweep: config.Seconds = Field(300.0, description="How often everything is looked at, webhook or not.")
    history: config.Seconds = Field(30 * 86400.0, description="How long deliveries and passes are kept.")


class Deployment(config.Shape):
    """`config/bot.yml`."""

    repositories: tuple[Repository, ...] = Field(min_length=1)
    registry_webhooks: tuple[Literal["databricks", "mlflow"], ...] = ("databricks", "mlflow")
    limits: Limits = Limits()


@dataclass(frozen=True)
class Workspace:
    """A Databricks workspace and how to sign in there; without tokens databricks-sdk looks for its own."""

    host: str
    tokens: Secrets


@dataclass(frozen=True)
class Served:
    """A served repository: `key` is `organization/project/repository`."""

    key: str
    organization_url: str
    project: str
    repository: str
    target: str

    @property
    def url(self) -> str:
        """Its address for people and for Git."""
        return f"{self.organization_url}/{quote(self.project)}/_git/{quote(self.repository)}"


@dataclass(frozen=True)
class Settings:
    """Everything that a deployment fixes."""

    served: tuple[Served, ...]
    limits: Limits
    database_url: str
    public_url: str
    var: Path
    azure_tokens: Secrets
    azure_hooks: tuple[tuple[SecretStr, SecretStr], ...]
    dashboard: tuple[tuple[SecretStr, SecretStr], ...]
    databricks_hooks: Secrets
    mlflow_hooks: Secrets
    production: Workspace
    validation: Workspace
    tracking_uri: str
    registry_uri: str

    @property
    def secrets(self) -> Secrets:
        """Every secret there is, so that a log can keep them out."""
        words = (word for _, word in (*self.azure_hooks, *self.dashboard))
        workspaces = (*self.production.tokens, *self.validation.tokens)
        return (*self.azure_tokens, *self.databricks_hooks, *self.mlflow_hooks, *workspaces, *words)

    @property
    def shares_workspace(self) -> bool:
        """Whether pull-request code runs in the production workspace, which the start-up warns of."""
        return self.production.host == self.validation.host


def read(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the environment (`os.environ` unless given) and the file that BOT_CONFIG names.

    Raises ConfigError that names each variable or key at fault, and where to get it.
    """
    env = os.environ if environ is None else environ
    file = env.get("BOT_CONFIG") or "config/bot.yml"
    deployment = deployed(Path(file), lambda name: _named(name, env, file))
    wanted = ["AZURE_DEVOPS_ORG_URL", "AZURE_DEVOPS_TOKEN", "DATABRICKS_HOST"]
    wanted += ["AZURE_DEVOPS_WEBHOOK_USERNAME", "AZURE_DEVOPS_WEBHOOK_PASSWORD"]
    wanted += [f"{sender.upper()}_WEBHOOK_SECRET" for sender in deployment.registry_webhooks]
    missing = [name for name in wanted if not _text(env, name)]
    if missing:
        raise ConfigError("\n".join(f"{name} is not set. It is {_WHERE[name]}." for name in missing))

    organization = _address(env, "AZURE_DEVOPS_ORG_URL")
    production = Workspace(_address(env, "DATABRICKS_HOST"), _secrets(env, "DATABRICKS_TOKEN"))
    validation = production
    if _text(env, "DATABRICKS_VALIDATION_HOST"):
        validation = Workspace(
            _address(env, "DATABRICKS_VALIDATION_HOST"), _secrets(env, "DATABRICKS_VALIDATION_TOKEN")
        )
    var = Path(env.get("SIGNALMAN_VAR") or "var").absolute()
    tracking = _mlflow(env, "MLFLOW_TRACKING_URI", "databricks")
    return Settings(
        served=tuple(
            Served(
                key=f"{urlsplit(organization).path.strip('/') or urlsplit(organization).netloc}"
                f"/{one.project}/{one.repository}",
                organization_url=organization,
                project=one.project,
                repository=one.repository,
                target=one.target,
            )
            for one in deployment.repositories
        ),
        limits=deployment.limits,
        database_url=_text(env, "DATABASE_URL") or f"sqlite:///{var / 'signalman.db'}",
        public_url=(_text(env, "PUBLIC_URL") or "").rstrip("/"),
        var=var,
        azure_tokens=_secrets(env, "AZURE_DEVOPS_TOKEN"),
        azure_hooks=_credentials(env, "AZURE_DEVOPS_WEBHOOK"),
        dashboard=_credentials(env, "DASHBOARD"),
        databricks_hooks=_hooks(env, deployment, "databricks"),
        mlflow_hooks=_hooks(env, deployment, "mlflow"),
        production=production,
        validation=validation,
        tracking_uri=tracking,
        registry_uri=_mlflow(env, "MLFLOW_REGISTRY_URI", "databricks" if tracking == "databricks" else tracking),
    )


def deployed(file: Path, value_of: Callable[[str], str]) -> Deployment:
    """Read and validate `config/bot.yml` alone; `value_of` gives what a `${NAME}` in it stands for.

    Raises ConfigError.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{file} cannot be read ({error.strerror}). Set BOT_CONFIG to where it is.") from error
    try:
        loaded = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{file} is not valid YAML: {' '.join(str(error).split())}.") from error
    return config.check(Deployment, _filled({} if loaded is None else loaded, value_of), str(file))


def _filled(value: Any, value_of: Callable[[str], str]) -> Any:
    match value:
        case str():
            return re.sub(r"\$\{(\w+)\}", lambda found: value_of(found[1]), value)
        case list():
            return [_filled(one, value_of) for one in value]
        case dict():
            return {key: _filled(one, value_of) for key, one in value.items()}
        case _:
            return value


def _named(name: str, environ: Mapping[str, str], file: str) -> str:
    found = _text(environ, name)
    if not found:
        raise ConfigError(f"{name} is not set, and {file} refers to it. It is {_WHERE.get(name, 'yours to set')}.")
    return found


def _text(environ: Mapping[str, str], name: str) -> str | None:
    if environ.get(name):
        return environ[name]
    path = environ.get(f"{name}_FILE")
    if not path:
        return None
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"{name}_FILE is {path}, which cannot be read ({error.strerror}).") from error


def _secrets(environ: Mapping[str, str], name: str) -> Secrets:
    return tuple(SecretStr(one.strip()) for one in (_text(environ, name) or "").split(",") if one.strip())


def _credentials(environ: Mapping[str, str], name: str) -> tuple[tuple[SecretStr, SecretStr], ...]:
    words = _secrets(environ, f"{name}_PASSWORD")
    return tuple((user, word) for user in _secrets(environ, f"{name}_USERNAME") for word in words)


def _hooks(environ: Mapping[str, str], deployment: Deployment, sender: str) -> Secrets:
    return _secrets(environ, f"{sender.upper()}_WEBHOOK_SECRET") if sender in deployment.registry_webhooks else ()


def _address(environ: Mapping[str, str], name: str) -> str:
    value = (_text(environ, name) or "").strip().rstrip("/")
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise ConfigError(f'{name} is "{parts.scheme}://{parts.hostname or ""}…"; it must be an http(s) address.')
    if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise ConfigError(f"{name} is an http address; a token is only sent over https, except to this machine.")
    return value


def _mlflow(environ: Mapping[str, str], name: str, default: str) -> str:
    value = (_text(environ, name) or default).strip().rstrip("/")
    if value != "databricks" and urlsplit(value).scheme not in ("http", "https"):
        raise ConfigError(f'{name} is "{value}"; it must be "databricks" or the http(s) address of an MLflow server.')
    return value
