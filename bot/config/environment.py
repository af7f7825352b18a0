"""The environment and `config/bot.yml`, read once at start: addresses, secrets, what is served.

Secrets come from the environment only (or from a file that `X_FILE` names) and
are kept in a type that does not print them.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from pydantic import SecretStr

from bot.config import yaml_file
from bot.config.deployment import Client, Commands, Deployment, Limits, Policies, Reporting
from bot.errors import ConfigError

UNITY_CATALOG = "databricks-uc"
"""MLflow's own address of the registry that is Unity Catalog."""

Secrets = tuple[SecretStr, ...]
"""One secret, or two while it is being changed: both are accepted."""

Credentials = tuple[tuple[SecretStr, SecretStr], ...]
"""Pairs of a user name and a password, each of which is accepted."""

PERSON = "AZURE_DEVOPS_PERSON_TOKEN"
_OWN_TOKEN = (
    "Make one of yours: Azure DevOps > User settings > Personal access tokens, Code (read & write)."  # noqa: S105 (says where to get one)
)

_WHERE = {
    "AZURE_DEVOPS_ORG_URL": "the address of your organisation, such as "
    "https://dev.azure.com/contoso",
    "AZURE_DEVOPS_PROJECT": "the Azure DevOps project that holds the repository",
    "AZURE_DEVOPS_REPOSITORY": "the name of the repository to serve",
    "AZURE_DEVOPS_TOKEN": "a token of the bot's own user, from Azure DevOps > User settings > "
    "Personal access tokens: Code (read & write) and Code (status)",
    "AZURE_DEVOPS_WEBHOOK_USERNAME": "any name; the service hooks must present the same",
    "AZURE_DEVOPS_WEBHOOK_PASSWORD": "a long random text; the service hooks must present the same",
    PERSON: "a token of your own, so that what you say is said by you; Azure DevOps > "
    "User settings > Personal access tokens: Code (read & write)",
    "DATABRICKS_HOST": "the address of the production workspace, such as "
    "https://adb-123.4.azuredatabricks.net",
    "DATABRICKS_WEBHOOK_SECRET": "the secret given to the registry webhook in Databricks",
    "MLFLOW_WEBHOOK_SECRET": "the secret given to the webhook on the MLflow server",
}


@dataclass(frozen=True)
class WorkspaceAccess:
    """A Databricks workspace and how to sign in there; without tokens databricks-sdk looks for its
    own.
    """

    host: str
    tokens: Secrets


@dataclass(frozen=True)
class ServedRepository:
    """A served repository: `key` is `organization/project/repository`."""

    key: str
    organization_url: str
    project: str
    repository: str
    target: str

    @property
    def url(self) -> str:
        """The repository's address for people and for Git."""
        return f"{self.organization_url}/{quote(self.project)}/_git/{quote(self.repository)}"


@dataclass(frozen=True)
class Settings:
    """Everything that a deployment fixes."""

    organization_url: str
    served: tuple[ServedRepository, ...]
    limits: Limits
    policies: Policies
    report: Reporting
    commands: Commands
    templates: Path | None
    database: SecretStr
    public_url: str
    var: Path
    azure_tokens: Secrets
    azure_hooks: Credentials
    dashboard: Credentials
    databricks_hooks: Secrets
    mlflow_hooks: Secrets
    production: WorkspaceAccess
    validation: WorkspaceAccess
    client: Client
    tracking_uri: str
    registry_uri: str
    mlflow_sign_in: Secrets
    others: Secrets = field(default=(), compare=False)

    @property
    def database_url(self) -> str:
        """The work queue's database; its address may hold a password."""
        return self.database.get_secret_value()

    @property
    def secrets(self) -> Secrets:
        """Every secret there is, so that a log can keep them out."""
        words = (word for _, word in (*self.azure_hooks, *self.dashboard))
        workspaces = (*self.production.tokens, *self.validation.tokens)
        return (
            *self.azure_tokens,
            *self.databricks_hooks,
            *self.mlflow_hooks,
            *self.mlflow_sign_in,
            *workspaces,
            *words,
            *self.others,
        )

    @property
    def registry_tells(self) -> bool:
        """Whether the registry tells of promotions by webhooks; else it is asked every
        `limits.poll` seconds.
        """
        # Unity Catalog has none
        # (https://docs.databricks.com/aws/en/machine-learning/manage-model-lifecycle/).
        hooks = {"databricks": self.databricks_hooks, UNITY_CATALOG: ()}
        return bool(hooks.get(self.registry_uri, self.mlflow_hooks))

    @property
    def shares_workspace(self) -> bool:
        """Whether pull-request code runs in the production workspace, which the start-up
        warns of.
        """
        return _machine(self.production.host) == _machine(self.validation.host)

    @property
    def shares_identity(self) -> bool:
        """Whether one sign-in, databricks-sdk's own, is used in two workspaces, which the start-up
        warns of.
        """
        return not (self.shares_workspace or self.production.tokens or self.validation.tokens)


_SECRET_NAME = re.compile(
    r"(?:^|_)(?:SECRET|PASSWORD|PASSWD|TOKEN|(?:API|ACCESS|ACCOUNT|PRIVATE)_KEY)$"
)
_SHORTEST = 8
"""Characters of a variable that is taken for a secret by its name alone."""


def read(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the environment (`os.environ` unless given) and the file that BOT_CONFIG names.

    Raises ConfigError that names each variable or key at fault, and where to get it.
    """
    env: Mapping[str, str] = os.environ
    if environ is not None:
        env = environ
    file, deployment, referred = _configured(env)
    _refuse(_missing(env, deployment, referred), file, referred)

    organization = _address(env, "AZURE_DEVOPS_ORG_URL")
    production = _production(env)
    validation = where_projects_run(env)
    var = Path(env.get("SIGNALMAN_VAR") or "var").absolute()
    tracking = _mlflow(env, "MLFLOW_TRACKING_URI", "databricks")
    return Settings(
        organization_url=organization,
        served=_served(organization, deployment),
        limits=deployment.limits,
        policies=deployment.policies,
        report=deployment.report,
        commands=deployment.commands,
        templates=Path(deployment.templates) if deployment.templates else None,
        database=SecretStr(_text(env, "DATABASE_URL") or f"sqlite:///{var / 'signalman.db'}"),
        public_url=(_text(env, "PUBLIC_URL") or "").rstrip("/"),
        var=var,
        azure_tokens=_secrets(env, "AZURE_DEVOPS_TOKEN"),
        azure_hooks=_credentials(env, "AZURE_DEVOPS_WEBHOOK"),
        dashboard=_credentials(env, "DASHBOARD"),
        databricks_hooks=_hooks(env, deployment, "databricks"),
        mlflow_hooks=_hooks(env, deployment, "mlflow"),
        production=production,
        validation=validation,
        client=deployment.client,
        tracking_uri=tracking,
        registry_uri=_mlflow(env, "MLFLOW_REGISTRY_URI", tracking, UNITY_CATALOG),
        mlflow_sign_in=_secrets(env, "MLFLOW_TRACKING_TOKEN")
        + _secrets(env, "MLFLOW_TRACKING_PASSWORD"),
        others=_others(env),
    )


def _missing(env: Mapping[str, str], deployment: Deployment, referred: list[str]) -> list[str]:
    """The variables that a deployment needs and that are not set, in the order of `_WHERE`."""
    plain = ["AZURE_DEVOPS_ORG_URL", *referred, "DATABRICKS_HOST"]
    secret = [
        "AZURE_DEVOPS_TOKEN",
        "AZURE_DEVOPS_WEBHOOK_USERNAME",
        "AZURE_DEVOPS_WEBHOOK_PASSWORD",
    ]
    secret += [f"{sender.upper()}_WEBHOOK_SECRET" for sender in deployment.registry_webhooks]
    missing = [name for name in plain if not _text(env, name)]
    missing += [name for name in secret if not _secrets(env, name)]
    order = [*_WHERE, *referred]
    return sorted(dict.fromkeys(missing), key=order.index)


@dataclass(frozen=True)
class Person:
    """What somebody needs to speak on a pull request from a terminal: the repositories, and a token
    of their own.
    """

    organization_url: str
    served: tuple[ServedRepository, ...]
    token: SecretStr


def person(environ: Mapping[str, str] | None = None) -> Person:
    """Read what a person's own commands need, and none of the bot's secrets.

    Raises ConfigError that names each variable or key at fault, and where to get it.
    """
    env: Mapping[str, str] = os.environ
    if environ is not None:
        env = environ
    file, deployment, referred = _configured(env)
    needed = ("AZURE_DEVOPS_ORG_URL", *dict.fromkeys(referred), PERSON)
    missing = [name for name in needed if not _text(env, name)]
    _refuse(missing, file, referred)
    token = SecretStr((_text(env, PERSON) or "").strip())
    if token in _secrets(env, "AZURE_DEVOPS_TOKEN"):
        raise ConfigError(
            f"{PERSON} is the bot's own token, and the bot does not listen to itself. {_OWN_TOKEN}"
        )
    organization = _address(env, "AZURE_DEVOPS_ORG_URL")
    return Person(organization, _served(organization, deployment), token)


def _configured(env: Mapping[str, str]) -> tuple[str, Deployment, list[str]]:
    """The file that BOT_CONFIG names, what it says, and the variables it refers to."""
    file = env.get("BOT_CONFIG") or "config/bot.yml"
    referred: list[str] = []

    def value_of(name: str) -> str:
        referred.append(name)
        return _text(env, name) or f"<{name}>"

    return file, deployed(Path(file), value_of), referred


def where_projects_run(env: Mapping[str, str]) -> WorkspaceAccess:
    """The workspace that runs what pull requests change: the validation workspace, or else the
    production one.

    Raises ConfigError when it is not named as it must be, or would be shown the other one's token.
    """
    return _validation(env) or _production(env)


def _production(env: Mapping[str, str]) -> WorkspaceAccess:
    return WorkspaceAccess(_address(env, "DATABRICKS_HOST"), _secrets(env, "DATABRICKS_TOKEN"))


def _validation(env: Mapping[str, str]) -> WorkspaceAccess | None:
    tokens = _secrets(env, "DATABRICKS_VALIDATION_TOKEN")
    if not _text(env, "DATABRICKS_VALIDATION_HOST"):
        if tokens:
            raise ConfigError(
                "DATABRICKS_VALIDATION_TOKEN is set and DATABRICKS_VALIDATION_HOST is not: "
                "pull-request code would run in the production workspace. Set the address of the "
                "validation workspace, or remove the token."
            )
        return None
    host = _address(env, "DATABRICKS_VALIDATION_HOST")
    if not tokens and env.get("DATABRICKS_TOKEN"):
        # databricks-sdk would find that variable and present it there.
        raise ConfigError(
            "DATABRICKS_VALIDATION_TOKEN is not set, and DATABRICKS_TOKEN is the production "
            "workspace's: it is not presented at DATABRICKS_VALIDATION_HOST. Set a token of the "
            "validation workspace."
        )
    return WorkspaceAccess(host, tokens)


def _served(organization: str, deployment: Deployment) -> tuple[ServedRepository, ...]:
    parts = urlsplit(organization)
    return tuple(
        ServedRepository(
            key=f"{parts.path.strip('/') or parts.netloc}/{entry.project}/{entry.repository}",
            organization_url=organization,
            project=entry.project,
            repository=entry.repository,
            target=entry.target,
        )
        for entry in deployment.repositories
    )


def deployed(file: Path, value_of: Callable[[str], str]) -> Deployment:
    """Read and validate `config/bot.yml` alone; `value_of` gives what a `${NAME}` in it stands for.

    Raises ConfigError.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{file} cannot be read ({_why(error)}). Set BOT_CONFIG to where it is."
        ) from error
    return yaml_file.check(
        Deployment, _filled(yaml_file.load(text, str(file)), value_of), str(file)
    )


def _filled(value: Any, value_of: Callable[[str], str]) -> Any:
    match value:
        case str():
            return re.sub(r"\$\{(\w+)\}", lambda match: value_of(match[1]), value)
        case list():
            return [_filled(entry, value_of) for entry in value]
        case dict():
            return {key: _filled(entry, value_of) for key, entry in value.items()}
        case _:
            return value


def _text(environ: Mapping[str, str], name: str) -> str | None:
    if environ.get(name):
        return environ[name]
    path = environ.get(f"{name}_FILE")
    if not path:
        return None
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{name}_FILE is {path}, which cannot be read ({_why(error)})."
        ) from error


def _secrets(environ: Mapping[str, str], name: str) -> Secrets:
    words = [word.strip() for word in (_text(environ, name) or "").split(",")]
    return tuple(SecretStr(word) for word in words if word)


def _others(environ: Mapping[str, str]) -> Secrets:
    """What else the environment holds that looks like a secret by its name, such as the sign-ins of
    Azure and of databricks-sdk (https://learn.microsoft.com/azure/databricks/dev-tools/auth/), and
    the password in the database's address.
    """
    words = [
        word
        for name, word in environ.items()
        if _SECRET_NAME.search(name) and word and len(word) >= _SHORTEST
    ]
    password = _password(_text(environ, "DATABASE_URL") or "")
    if password:
        words += [password, unquote(password)]
    return tuple(SecretStr(word) for word in dict.fromkeys(words))


def _password(address: str) -> str:
    """The password in an address, as it is written there; empty where there is none."""
    try:
        return urlsplit(address).password or ""
    except ValueError:  # It is no address, which whoever opens it tells.
        return ""


def _credentials(environ: Mapping[str, str], name: str) -> Credentials:
    """Each name with each password. Raises ConfigError where there is only one of both: what they
    were to guard would be open.
    """
    users = _secrets(environ, f"{name}_USERNAME")
    words = _secrets(environ, f"{name}_PASSWORD")
    if bool(users) != bool(words):
        there, lacking = f"{name}_USERNAME", f"{name}_PASSWORD"
        if words:
            there, lacking = lacking, there
        raise ConfigError(
            f"{there} is set and {lacking} is not, so that nothing would be guarded; set both, or "
            "neither."
        )
    return tuple((user, word) for user in users for word in words)


def _hooks(environ: Mapping[str, str], deployment: Deployment, sender: str) -> Secrets:
    if sender in deployment.registry_webhooks:
        return _secrets(environ, f"{sender.upper()}_WEBHOOK_SECRET")
    return ()


def _refuse(missing: list[str], file: str, referred: list[str]) -> None:
    """Raise ConfigError with a sentence for each missing variable: who refers to it, and where to
    get it.
    """
    if not missing:
        return
    sentences = []
    for name in missing:
        refers = ""
        if name in referred:
            refers = f", and {file} refers to it"
        where = _WHERE.get(name, "yours to set")
        sentences.append(f"{name} is not set{refers}. It is {where}.")
    raise ConfigError("\n".join(sentences))


def _why(error: OSError | UnicodeDecodeError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    return str(error.strerror)


def _address(environ: Mapping[str, str], name: str) -> str:
    value = (_text(environ, name) or "").strip().rstrip("/")
    if _checked(value, name, "an http(s) address").startswith("http://") and not _is_here(value):
        raise ConfigError(
            f"{name} is an http address; a token is only sent over https, except to this machine."
        )
    return value


def _mlflow(environ: Mapping[str, str], name: str, default: str, *further: str) -> str:
    value = (_text(environ, name) or default).strip().rstrip("/")
    words = ("databricks", *further)
    if value in words:
        return value
    quoted = ", ".join(f'"{word}"' for word in words)
    return _checked(value, name, f"{quoted} or the http(s) address of an MLflow server")


def _machine(address: str) -> str:
    return urlsplit(address).netloc.lower()


def _is_here(address: str) -> bool:
    return urlsplit(address).hostname in ("localhost", "127.0.0.1", "::1")


def _checked(value: str, name: str, allowed: str) -> str:
    """An http(s) address as it stands. Never tells what is before an @ in it."""
    shown = re.sub(r"(//|^)[^/]*@", r"\1…@", value)
    try:
        parts = urlsplit(value)
        host = parts.hostname
    except ValueError:
        parts = urlsplit("")
        host = None
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigError(f'{name} is "{shown}"; it must be {allowed}.')
    if "@" in parts.netloc:
        raise ConfigError(
            f'{name} is "{shown}"; leave out what is before the @, a sign-in has variables of its '
            "own."
        )
    return value
