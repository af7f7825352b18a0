"""How this Signalman is deployed: the shape of `config/bot.yml`, with its limits and policies.

Only shapes and their checks live here; `environment.py` reads the file.
"""

from typing import Literal

from pydantic import ConfigDict, Field, field_validator

from bot.config.yaml_file import Seconds, Shape


class Repository(Shape):
    """A repository that is served."""

    project: str
    repository: str
    target: str = Field("main", description="The branch whose tip holds config/mlops.yml.")


class Limits(Shape):
    """How much this deployment does at once, and how long it keeps what it did."""

    passes: int = Field(
        8, ge=1, le=64, description="Subjects that one worker looks at side by side."
    )
    runs: int = Field(
        20, ge=1, le=1000, description="Project runs under way at a time, over all pull requests."
    )
    lease: Seconds = Field(30.0, description="A dead worker's subjects are taken over after this.")
    sweep: Seconds = Field(300.0, description="How often everything is looked at, webhook or not.")
    poll: Seconds = Field(
        60.0, description="How often the models of a registry without webhooks are looked at."
    )
    calls: int = Field(20, ge=1, le=50, description="Workspace calls in flight during a sync.")
    history: Seconds = Field(
        30 * 86400.0, description="How long deliveries, passes, runs and logs are kept."
    )


Cleanup = Literal["keep", "archive", "delete"]
Client = Literal["databricks-sdk", "databricks-cli"]


ThreadStatus = Literal["active", "pending", "fixed", "wontFix", "closed", "byDesign"]


class Reporting(Shape):
    """How the bot speaks on a pull request."""

    progress: Seconds | None = Field(
        10.0,
        description="While it runs, the report is edited at most this often; null: not at all.",
    )
    steps: bool = Field(True, description="Post a status for each step beside signalman/validate.")
    passed: ThreadStatus = Field(
        "closed",
        description="The thread's status when nothing is wrong, and while it is new; closed ones "
        "are folded.",
    )
    failed: ThreadStatus = Field(
        "active", description="The thread's status when something has to be done."
    )

    @field_validator("progress")
    @classmethod
    def _rarely(cls, value: float | None) -> float | None:
        if value is not None and value < 10:
            raise ValueError(
                "must be at least 10s: each edit is a call, and an event for everybody who listens"
            )
        return value


class Policies(Shape):
    """What is a matter of taste."""

    abandoned: Cleanup = Field(
        "archive",
        description="What becomes of the runs and model versions of an abandoned pull request.",
    )


class Commands(Shape):
    """Who may give which command on a pull request: permissions, as teams of the Azure DevOps
    project that holds the repository.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "description": "Who may give which command on a pull request: teams of the Azure "
            "DevOps project that holds the repository."
        }
    )

    contributors: tuple[str, ...] = Field(
        (),
        description="Teams that may run, retry, cancel, read logs, and let a fork's code run. "
        "None: whoever may comment on the pull request, but nobody lets a fork's code run.",
    )
    model_owners: tuple[str, ...] = Field(
        (), description="Teams that may override a failed check and retrain. None: nobody may."
    )
    release_managers: tuple[str, ...] = Field(
        (), description="Teams that may roll back. None: nobody may."
    )
    own: bool = Field(
        False,
        description="Whether who opened a pull request may override its checks.",
    )


class Deployment(Shape):
    """`config/bot.yml`."""

    repositories: tuple[Repository, ...] = Field(min_length=1)
    client: Client = Field(
        "databricks-sdk", description="What speaks to Databricks; databricks-cli is the legacy one."
    )
    registry_webhooks: tuple[Literal["databricks", "mlflow"], ...] = ("databricks", "mlflow")
    limits: Limits = Limits()
    policies: Policies = Policies()
    report: Reporting = Reporting()
    commands: Commands = Commands()
    templates: str | None = Field(
        None,
        min_length=1,
        description="A folder whose templates replace those that the bot's texts are made of.",
    )
