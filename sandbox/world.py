"""Everything Signalman needs to be tried without an account, started and stopped together.

Three neighbours on 127.0.0.1: a stand-in Azure DevOps with a real Git
repository, a stand-in Databricks that really runs tasks, and a real MLflow
server; with `two_workspaces` a second Databricks with an MLflow of its own.
What they do is theirs; this only puts them beside each other.
"""

import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from sandbox.azure_devops import AzureDevOps
from sandbox.databricks import Databricks
from sandbox.mlflow_server import MlflowServer

ORGANIZATION, PROJECT, REPOSITORY = "contoso", "ml", "models"
WEBHOOK_USER = "azure-devops"


def _word() -> str:
    return secrets.token_urlsafe(24)


@dataclass(frozen=True)
class Keys:
    """Made-up secrets, new for every world."""

    azure: str = field(default_factory=_word, repr=False)
    azure_hooks: str = field(default_factory=_word, repr=False)
    databricks: str = field(default_factory=_word, repr=False)
    validation: str = field(default_factory=_word, repr=False)
    person: str = field(default_factory=_word, repr=False)
    databricks_hooks: str = field(default_factory=_word, repr=False)
    mlflow_hooks: str = field(default_factory=_word, repr=False)


class World:
    """The neighbours below `root`, the repository being a copy of the folder `content`.

    With `two_workspaces` what pull requests change runs in a workspace of its own, which knows no
    token of the other's. `latency` is added to every call of Azure DevOps and of Databricks, in
    seconds. An `mlflow` that is given runs already, and goes on when the world stops.
    """

    def __init__(
        self,
        root: Path,
        content: Path,
        *,
        slots: int = 2,
        latency: float = 0.0,
        two_workspaces: bool = False,
        mlflow: MlflowServer | None = None,
    ) -> None:
        self.root = root
        self.keys = Keys()
        self._content = content
        self.mlflow = mlflow or MlflowServer(root / "mlflow")
        self._second_mlflow = MlflowServer(root / "mlflow-validation") if two_workspaces else None
        own = () if mlflow else (self.mlflow,)
        self._servers = (*own, self._second_mlflow) if self._second_mlflow else own
        self.azure = AzureDevOps(
            root / "azure",
            organization=ORGANIZATION,
            project=PROJECT,
            repository=REPOSITORY,
            bot_token=self.keys.azure,
            latency=latency,
        )
        self._slots = slots
        self._latency = latency
        self._databricks: Databricks | None = None
        self._validation: Databricks | None = None

    @property
    def databricks(self) -> Databricks:
        """The production workspace; it exists once the world has started."""
        if self._databricks is None:
            raise RuntimeError("The world was not started.")
        return self._databricks

    @property
    def validation(self) -> Databricks:
        """The workspace that runs what pull requests change, which is the production one unless
        there are two.
        """
        return self._validation or self.databricks

    def start(self, azure_port: int = 0, databricks_port: int = 0) -> Self:
        """Start all of them, side by side; none goes on where one cannot be started."""
        try:
            self._start(azure_port, databricks_port)
        except BaseException:
            self.stop()
            raise
        return self

    def _start(self, azure_port: int, databricks_port: int) -> None:
        with ThreadPoolExecutor(2) as pool:
            starting = [pool.submit(one.start) for one in self._servers]
            self.azure.start(azure_port)
            self.azure.seed(self._content)
            for one in starting:
                one.result()
        tokens = {self.keys.databricks: "signalman", self.keys.person: "ada@contoso.example"}
        validation = {self.keys.validation: "signalman-validation"}
        if self._second_mlflow is None:
            tokens |= validation
        else:
            self._validation = self._workspace(
                "databricks-validation", validation, self._second_mlflow
            ).start()
        self._databricks = self._workspace("databricks", tokens, self.mlflow).start(databricks_port)

    def _workspace(self, folder: str, tokens: dict[str, str], mlflow: MlflowServer) -> Databricks:
        return Databricks(
            self.root / folder,
            tokens=tokens,
            mlflow_url=mlflow.url,
            slots=self._slots,
            latency=self._latency,
        )

    def stop(self) -> None:
        """Stop whatever runs."""
        for workspace in (self._databricks, self._validation):
            if workspace is not None:
                workspace.stop()
        self.azure.stop()
        for server in self._servers:
            server.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def environment(self, bot_url: str, var: Path, *, mlflow: str | None = None) -> dict[str, str]:
        """What an operator would set for a bot at `bot_url`, as the contract lists it.

        `mlflow` is the tracking server and registry: the real one, or where
        there are two workspaces, `databricks`, each its own.
        """
        mlflow = mlflow or ("databricks" if self._second_mlflow is not None else self.mlflow.url)
        return {
            "PUBLIC_URL": bot_url,
            "SIGNALMAN_VAR": str(var),
            "DATABASE_URL": f"sqlite:///{var / 'signalman.db'}",
            "AZURE_DEVOPS_ORG_URL": self.azure.organization_url,
            "AZURE_DEVOPS_PROJECT": PROJECT,
            "AZURE_DEVOPS_REPOSITORY": REPOSITORY,
            "AZURE_DEVOPS_TOKEN": self.keys.azure,
            "AZURE_DEVOPS_WEBHOOK_USERNAME": WEBHOOK_USER,
            "AZURE_DEVOPS_WEBHOOK_PASSWORD": self.keys.azure_hooks,
            "DATABRICKS_HOST": self.databricks.url,
            "DATABRICKS_TOKEN": self.keys.databricks,
            "DATABRICKS_VALIDATION_HOST": self.validation.url,
            "DATABRICKS_VALIDATION_TOKEN": self.keys.validation,
            "DATABRICKS_WEBHOOK_SECRET": self.keys.databricks_hooks,
            "MLFLOW_WEBHOOK_SECRET": self.keys.mlflow_hooks,
            "MLFLOW_TRACKING_URI": mlflow,
            "MLFLOW_REGISTRY_URI": mlflow,
        }

    def subscribe(self, bot_url: str) -> None:
        """Point every webhook at the bot, as an administrator does once."""
        self.azure.subscribe_bot(
            f"{bot_url}/webhooks/azure-devops", WEBHOOK_USER, self.keys.azure_hooks
        )
        self.databricks.subscribe_bot(f"{bot_url}/webhooks/databricks", self.keys.databricks_hooks)
        self.mlflow.subscribe(f"{bot_url}/webhooks/mlflow", self.keys.mlflow_hooks)
