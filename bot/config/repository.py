"""What a repository wants of Signalman: the shape of `config/mlops.yml`.

Only shapes and their checks live here; nothing is read from disk or from the environment.
"""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, field_validator, model_validator

from bot.config.yaml_file import RepositoryPath, Seconds, Shape, Tolerance, Value, WorkspacePath

MLOPS_FILE = "config/mlops.yml"


class BranchRule(Shape):
    """Which source branches may be validated: their name becomes part of an experiment's path."""

    forbidden: tuple[str, ...] = Field(
        ("/", ":", "."), description="Characters a branch name may not contain."
    )
    pattern: str | None = Field(
        None, description="A regular expression that the whole name must match."
    )
    longest: int = Field(
        100, ge=8, le=200, description="The most characters a branch name may have."
    )

    @field_validator("forbidden")
    @classmethod
    def _single(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(len(character) != 1 for character in value):
            raise ValueError("must be a list of single characters")
        return value

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"must be a regular expression ({error})") from None
        return value


class Metric(Shape):
    """A metric that a run is judged by."""

    name: str = Field(description="As the run logs it.")
    goal: Literal["lower", "higher"] = Field("lower", description="Which direction is better.")
    required: bool = Field(
        True, description="A run that does not log it, or logs no number, has failed."
    )
    limit: float | None = Field(
        None,
        allow_inf_nan=False,
        description="The worst value that may be merged, whatever serves.",
    )
    tolerance: Tolerance | None = Field(
        None,
        description="How much worse than the serving version (or, while none serves, the target "
        "branch's last run) may be merged: in the metric's unit, such as 0.02, or as a share of "
        "the value, such as 2%. None: only shown.",
    )


BackendName = Literal["databricks-jobs", "databricks", "local"]


class Retrain(Shape):
    """How `/mlops retrain` trains a project for production, from the target branch, on all of the
    data.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "description": "How `/mlops retrain` trains a project for production, from the target "
            "branch, on all of the data."
        }
    )

    model: str = Field(
        description="The registered model that gets the new version, such as wine_quality."
    )
    parameters: Mapping[str, Value] = Field(
        default_factory=dict, description="What differs from `parameters`, such as {data: full}."
    )
    timeout: Seconds = Field(14400.0, description="A training that takes longer has failed.")


class Project(Shape):
    """An MLflow project that pull requests run on toy data."""

    path: RepositoryPath = Field(description="Its folder, which holds the MLproject file.")
    entry_point: str = "main"
    parameters: Mapping[str, Value] = Field(
        default_factory=dict,
        description="Texts may hold {branch}, {model_name} and {model_version} (of the training it "
        "comes after).",
    )
    after: tuple[RepositoryPath, ...] = Field(
        (), description="Projects that must have succeeded before this one runs."
    )
    model: str | None = Field(
        None,
        description="The model it registers, such as {branch}_model, or dev.ml.{branch}_model in "
        "Unity Catalog.",
    )
    metrics: tuple[Metric, ...] = Field(
        (), description="What a run is judged by; shown in the report."
    )
    signature: Literal["any", "equal"] = Field(
        "any",
        description="equal: the model's inputs and outputs must be those of the version that "
        "serves.",
    )
    retrain: Retrain | None = Field(
        None, description="How it is trained for production by /mlops retrain."
    )
    timeout: Seconds = Field(1800.0, description="A run that takes longer counts as failed.")
    cluster: str = Field("cluster.json", description="The cluster file in the project's folder.")
    backend: BackendName | None = Field(
        None, description="Where it runs, if not where the others do."
    )

    @property
    def name(self) -> str:
        """The last part of its path: what people call it."""
        return PurePosixPath(self.path).name


Drift = Literal["report", "restore"]


class Folder(Shape):
    """A folder of the repository that the workspace mirrors."""

    from_: RepositoryPath = Field(alias="from", description="The folder in the repository ...")
    to: WorkspacePath = Field(
        description="... and the folder in the production workspace that is kept equal to it."
    )
    drift: Drift = Field("report", description="What is done when somebody edits there by hand.")


class Schedule(Shape):
    """When a job runs, in Databricks' own terms. Whether it is paused is yours after the job was
    created.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "description": "When a job runs, in Databricks' own terms. Whether it is paused is "
            "yours after the job was created."
        }
    )

    cron: str = Field(
        description="A Quartz cron expression: seconds minutes hours day month weekday."
    )
    timezone: str = "UTC"
    paused: bool = Field(False, description="Only looked at when the job is created.")


class Smoke(Shape):
    """How a promoted version is tried on toy data before a job scores with it."""

    parameters: Mapping[str, Value] = Field(
        default_factory=dict,
        description="What differs from the project's `parameters`, such as {data: toy}.",
    )
    timeout: Seconds = Field(1800.0, description="A smoke run that takes longer has failed.")


def _smoke(value: Any) -> Any:
    if isinstance(value, bool):
        return {True: {}, False: None}[value]
    return value


class Job(Shape):
    """A scheduled scoring job and the model it follows.

    Without a `notebook` it is the job of that name in the folder of definitions.
    """

    name: str
    notebook: WorkspacePath | None = None
    model: str = Field(
        description="The registered model it scores with, in Unity Catalog such as "
        "prod.ml.wine_model; * stands for any characters."
    )
    alias: str | None = Field("champion", description="The version with this alias serves ...")
    stage: str | None = Field("Production", description="... or else the newest one in this stage.")
    parameters: Mapping[str, str] = Field(default_factory=dict)
    project: RepositoryPath | None = Field(
        None,
        description="The MLflow project it runs: its cluster file and libraries are the job's. "
        "None: serverless.",
    )
    schedule: Schedule | None = None
    timeout: Seconds = 7200.0
    smoke: Annotated[Smoke | None, BeforeValidator(_smoke, json_schema_input_type=bool | Smoke)] = (
        Field(
            Smoke(),
            description="How a version is tried before the job scores with it, where `project` is "
            "one of `projects`; false: not at all.",
        )
    )
    unvalidated: Literal["refuse", "allow"] = Field(
        "refuse",
        description="What becomes of a promoted version whose commit Signalman never validated, "
        "unless a model owner has accepted it.",
    )

    @model_validator(mode="after")
    def _follows_something(self) -> Self:
        if self.alias is None and self.stage is None:
            raise ValueError(
                f"says of job {self.name} neither an alias nor a stage that its model is promoted "
                "by"
            )
        return self

    @field_validator("model")
    @classmethod
    def _plain(cls, value: str) -> str:
        if not re.fullmatch(r"[\w .*()+-]+", value):
            raise ValueError("must be a model's name, in which * stands for any characters")
        return value


class Mlops(Shape):
    """`config/mlops.yml`, always as it stands at the tip of the target branch."""

    target: str = Field(
        "main", min_length=1, description="Pull requests to other branches are ignored."
    )
    branches: BranchRule = BranchRule()
    experiment: WorkspacePath = Field(
        "/Shared/{user}/{branch}_expr", description="May hold {user} and {branch}."
    )
    backend: BackendName = Field("databricks-jobs", description="Where projects run.")
    projects: tuple[Project, ...] = ()
    folders: tuple[Folder, ...] = ()
    jobs: tuple[Job, ...] = Field(
        (), description="The jobs that score with a promoted version of a model."
    )
    definitions: RepositoryPath = Field(
        "config/jobs",
        description="The folder of job definitions, written as for Databricks Asset Bundles.",
    )
    bundle_target: str | None = Field(
        None, description="What ${bundle.target} stands for in job definitions, such as prod."
    )
    job_drift: Drift = Field(
        "report", description="What is done when somebody edits a job's own fields by hand."
    )
    most_removed: int = Field(
        30,
        ge=0,
        le=100,
        description="A merge that removes a larger share of what was synced, in percent, has to be "
        "confirmed.",
    )

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        paths = [project.path for project in self.projects]
        for path in paths:
            if paths.count(path) > 1:
                raise ValueError(f"projects names {path} twice")
        for number, project in enumerate(self.projects):
            for before in project.after:
                if before not in paths[:number]:
                    raise ValueError(
                        f"projects[{number}].after names {before}, which is not a project further "
                        f"up; it may be one of: {', '.join(paths[:number]) or 'none'}"
                    )
            problem = self._no_name_of_a_model(project)
            if problem:
                raise ValueError(f"projects[{number}].model {problem}")
        names = [job.name for job in self.jobs]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"jobs names {name} twice")
        return self

    def _no_name_of_a_model(self, project: Project) -> str:
        # https://docs.databricks.com/sql/language-manual/sql-ref-names.html
        if (
            project.model is None
            or "{branch}" not in project.model
            or project.model.count(".") != 2
        ):
            return ""
        lacking = " and ".join(
            f'"{character}"' for character in "/." if character not in self.branches.forbidden
        )
        of = f"is {project.model}, a name in Unity Catalog, where no part may hold {lacking}"
        if lacking:
            return f"{of}; add {lacking} to branches.forbidden"
        return ""

    def project(self, path: str) -> Project:
        """The project of that path. Raises KeyError when the file does not name it."""
        for project in self.projects:
            if project.path == path:
                return project
        raise KeyError(path)


def fill(template: str, **names: str) -> str:
    """Put names into the `{placeholders}` of a template; one without a name is left as it
    stands.
    """
    return re.sub(r"\{(\w+)\}", lambda found: names.get(found[1], found[0]), template)
