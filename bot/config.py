"""What a repository wants of Signalman: the shape of `config/mlops.yml`.

Only shapes and their checks live here; nothing is read from disk or from the
environment (that is `settings.py`). A mistake becomes one sentence that names
file, key, what was found and what is allowed.
"""

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from bot.errors import ConfigError

MLOPS_FILE = "config/mlops.yml"

T = TypeVar("T", bound=BaseModel)

_PATH = "must be a path inside the repository, such as projects/ExampleTrainingProject"
_OBJECT = "must be an absolute workspace path of at least two parts, such as /Shared/mlflow_hooks"
_DURATION = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(s|m|h|d)?\s*$")
_PERCENT = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*%\s*$")
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, None: 1.0}


def _seconds(value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    found = _DURATION.match(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("must be a time such as 90s, 30m or 2h")
    return float(found[1]) * _UNITS[found[2]]


def _repository_path(value: Any) -> str:
    path = PurePosixPath(value if isinstance(value, str) else "/")
    if path.is_absolute() or ".." in path.parts or not path.parts or "\\" in value:
        raise ValueError(_PATH)
    return str(path)


def _workspace_path(value: Any) -> str:
    path = PurePosixPath(value if isinstance(value, str) else "")
    if not path.is_absolute() or ".." in path.parts or len(path.parts) < 3:
        raise ValueError(_OBJECT)
    if path.parts[1] == "Workspace":
        # A second name of the same node, which makes MLflow see two (https://github.com/mlflow/mlflow/issues/11077).
        raise ValueError("must be written without /Workspace in front, such as /Shared/mlflow_hooks")
    return str(path)


def _tolerance(value: Any) -> Any:
    found = _PERCENT.match(value) if isinstance(value, str) else None
    if found is not None:
        return f"{float(found[1]):g}%"
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else -1.0
    if not (math.isfinite(number) and number >= 0):
        raise ValueError("must be a number of at least 0 in the metric's unit, such as 0.02, or a share, such as 2%")
    return float(number)


def _plain(value: Any) -> Any:
    if not isinstance(value, str | int | float | bool):
        raise ValueError("must be a text, a number, true or false")
    return value


Seconds = Annotated[float, BeforeValidator(_seconds), Field(gt=0)]
RepositoryPath = Annotated[str, BeforeValidator(_repository_path)]
WorkspacePath = Annotated[str, BeforeValidator(_workspace_path)]
Tolerance = Annotated[float | str, BeforeValidator(_tolerance)]
Value = Annotated[str | int | float | bool, BeforeValidator(_plain)]


class Shape(BaseModel):
    """What all parts of a configuration have in common: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class BranchRule(Shape):
    """Which source branches may be validated: their name becomes part of an experiment's path."""

    forbidden: tuple[str, ...] = Field(("/", ":", "."), description="Characters a branch name may not contain.")
    pattern: str | None = Field(None, description="A regular expression that the whole name must match.")
    longest: int = Field(100, ge=8, le=200, description="The most characters a branch name may have.")

    @field_validator("forbidden")
    @classmethod
    def _single(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(len(one) != 1 for one in value):
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
    required: bool = Field(True, description="A run that does not log it, or logs no number, has failed.")
    limit: float | None = Field(
        None, allow_inf_nan=False, description="The worst value that may be merged, whatever serves."
    )
    tolerance: Tolerance | None = Field(
        None,
        description="How much worse than the serving version (or, while none serves, the target branch's last run) may "
        "be merged: in the metric's unit, such as 0.02, or as a share of the value, such as 2%. None: only shown.",
    )


BackendName = Literal["databricks-jobs", "databricks", "local"]


class Retrain(Shape):
    """How `/mlops retrain` trains a project for production, from the target branch, on all of the data."""

    model: str = Field(description="The registered model that gets the new version, such as wine_quality.")
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
        description="Texts may hold {branch}, {model_name} and {model_version} (of the training it comes after).",
    )
    after: tuple[RepositoryPath, ...] = Field((), description="Projects that must have succeeded before this one runs.")
    model: str | None = Field(
        None, description="The model it registers, such as {branch}_model, or dev.ml.{branch}_model in Unity Catalog."
    )
    metrics: tuple[Metric, ...] = Field((), description="What a run is judged by; shown in the report.")
    signature: Literal["any", "equal"] = Field(
        "any", description="equal: the model's inputs and outputs must be those of the version that serves."
    )
    retrain: Retrain | None = Field(None, description="How it is trained for production by /mlops retrain.")
    timeout: Seconds = Field(1800.0, description="A run that takes longer counts as failed.")
    cluster: str = Field("cluster.json", description="The cluster file in the project's folder.")
    backend: BackendName | None = Field(None, description="Where it runs, if not where the others do.")

    @property
    def name(self) -> str:
        """The last part of its path: what people call it."""
        return PurePosixPath(self.path).name


Drift = Literal["report", "restore"]


class Folder(Shape):
    """A folder of the repository that the workspace mirrors."""

    from_: RepositoryPath = Field(alias="from", description="The folder in the repository ...")
    to: WorkspacePath = Field(description="... and the folder in the production workspace that is kept equal to it.")
    drift: Drift = Field("report", description="What is done when somebody edits there by hand.")


class Schedule(Shape):
    """When a job runs, in Databricks' own terms. Whether it is paused is yours after the job was created."""

    cron: str = Field(description="A Quartz cron expression: seconds minutes hours day month weekday.")
    timezone: str = "UTC"
    paused: bool = Field(False, description="Only looked at when the job is created.")


class Smoke(Shape):
    """How a promoted version is tried on toy data before a job scores with it."""

    parameters: Mapping[str, Value] = Field(
        default_factory=dict, description="What differs from the project's `parameters`, such as {data: toy}."
    )
    timeout: Seconds = Field(1800.0, description="A smoke run that takes longer has failed.")


def _smoke(value: Any) -> Any:
    return {True: {}, False: None}[value] if isinstance(value, bool) else value


class Job(Shape):
    """A scheduled scoring job and the model it follows.

    Without a `notebook` it is the job of that name in the folder of definitions.
    """

    name: str
    notebook: WorkspacePath | None = None
    model: str = Field(
        description="The registered model it scores with, in Unity Catalog such as prod.ml.wine_model; * stands for "
        "any characters."
    )
    alias: str | None = Field("champion", description="The version with this alias serves ...")
    stage: str | None = Field("Production", description="... or else the newest one in this stage.")
    parameters: Mapping[str, str] = Field(default_factory=dict)
    project: RepositoryPath | None = Field(
        None, description="The MLflow project it runs: its cluster file and libraries are the job's. None: serverless."
    )
    schedule: Schedule | None = None
    timeout: Seconds = 7200.0
    smoke: Annotated[Smoke | None, BeforeValidator(_smoke, json_schema_input_type=bool | Smoke)] = Field(
        Smoke(),
        description="How a version is tried before the job scores with it, where `project` is one of `projects`; "
        "false: not at all.",
    )
    unvalidated: Literal["refuse", "allow"] = Field(
        "refuse",
        description="What becomes of a promoted version whose commit Signalman never validated, unless a model owner "
        "has accepted it.",
    )

    @model_validator(mode="after")
    def _follows_something(self) -> Self:
        if self.alias is None and self.stage is None:
            raise ValueError(f"says of job {self.name} neither an alias nor a stage that its model is promoted by")
        return self

    @field_validator("model")
    @classmethod
    def _plain(cls, value: str) -> str:
        if not re.fullmatch(r"[\w .*()+-]+", value):
            raise ValueError("must be a model's name, in which * stands for any characters")
        return value


class Mlops(Shape):
    """`config/mlops.yml`, always as it stands at the tip of the target branch."""

    target: str = Field("main", min_length=1, description="Pull requests to other branches are ignored.")
    branches: BranchRule = BranchRule()
    experiment: WorkspacePath = Field("/Shared/{user}/{branch}_expr", description="May hold {user} and {branch}.")
    backend: BackendName = Field("databricks-jobs", description="Where projects run.")
    projects: tuple[Project, ...] = ()
    folders: tuple[Folder, ...] = ()
    jobs: tuple[Job, ...] = Field((), description="The jobs that score with a promoted version of a model.")
    definitions: RepositoryPath = Field(
        "config/jobs", description="The folder of job definitions, written as for Databricks Asset Bundles."
    )
    bundle_target: str | None = Field(
        None, description="What ${bundle.target} stands for in job definitions, such as prod."
    )
    job_drift: Drift = Field("report", description="What is done when somebody edits a job's own fields by hand.")
    most_removed: int = Field(
        30,
        ge=0,
        le=100,
        description="A merge that removes a larger share of what was synced, in percent, has to be confirmed.",
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
                        f"projects[{number}].after names {before}, which is not a project further up; "
                        f"it may be one of: {', '.join(paths[:number]) or 'none'}"
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
        if project.model is None or "{branch}" not in project.model or project.model.count(".") != 2:
            return ""
        lacking = " and ".join(f'"{character}"' for character in "/." if character not in self.branches.forbidden)
        of = f"is {project.model}, a name in Unity Catalog, where no part may hold {lacking}"
        return f"{of}; add {lacking} to branches.forbidden" if lacking else ""

    def project(self, path: str) -> Project:
        """The project of that path. Raises KeyError when the file does not name it."""
        for project in self.projects:
            if project.path == path:
                return project
        raise KeyError(path)


def fill(template: str, **names: str) -> str:
    """Put names into the `{placeholders}` of a template; one without a name is left as it stands."""
    return re.sub(r"\{(\w+)\}", lambda found: names.get(found[1], found[0]), template)


def parse(shape: type[T], text: str, file: str) -> T:
    """Read a configuration file's text. Raises ConfigError with one sentence per mistake."""
    return check(shape, load(text, file), file)


def load(text: str, file: str) -> Any:
    """Read YAML, in which a key that is there twice is a mistake. An empty file holds no keys. Raises ConfigError."""
    try:
        loaded = _NoKeyTwice(text).get_single_data()
    except yaml.YAMLError as error:
        raise ConfigError(f"{file} is not valid YAML: {' '.join(str(error).split())}.") from error
    return {} if loaded is None else loaded


def check(shape: type[T], loaded: Any, file: str) -> T:
    """Validate what a configuration file holds. Raises ConfigError with one sentence per mistake."""
    if not isinstance(loaded, dict):
        raise ConfigError(f"{file} holds {_found(loaded)} at its top; it must hold keys and values.")
    try:
        return shape.model_validate(loaded)
    except ValidationError as error:
        told = error.errors()
        places = [one["loc"] for one in told]
        # A list of which the only entry is wrong is not also too short.
        told = [one for one in told if one["type"] != "too_short" or not any(_inside(one["loc"], p) for p in places)]
        raise ConfigError("\n".join(_sentence(shape, file, one) for one in told)) from None


def _inside(outer: tuple[Any, ...], place: tuple[Any, ...]) -> bool:
    return len(place) > len(outer) and place[: len(outer)] == outer


class _NoKeyTwice(yaml.SafeLoader):
    """YAML as it is safe to load, in which a key that is there twice is a mistake and not the last one's word."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._looked_at: set[int] = set()

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        # Before `<<` is filled in: what it brings may be there twice, and again where it is referred to.
        if id(node) not in self._looked_at:
            self._looked_at.add(id(node))
            named = [key for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
            keys = [self.construct_object(key, deep=True) for key in named]
            for key in keys:
                if keys.count(key) > 1:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key} is there twice", node.start_mark
                    )
        super().flatten_mapping(node)


def _known(shape: type[BaseModel], place: tuple[Any, ...]) -> str:
    """The keys that may stand at a place."""
    found: Any = shape
    for part in place:
        if isinstance(part, str):
            fields = {field.alias or name: field for name, field in found.model_fields.items()}
            found = next(one for one in _models(fields[part].annotation))
    return ", ".join(field.alias or name for name, field in found.model_fields.items())


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


_WANTED = {
    "tuple_type": "a list",
    "string_type": "a text",
    "model_type": "keys and values",
    "model_attributes_type": "keys and values",
    "dict_type": "keys and values",
    "mapping_type": "keys and values",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_too_short": "longer than nothing",
}


def _sentence(shape: type[BaseModel], file: str, error: Any) -> str:
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"]).lstrip(".")
    where = f"{file}: {key}" if key else f"{file}:"
    found = _found(error["input"])
    match error["type"]:
        case "extra_forbidden":
            known = _known(shape, error["loc"][:-1])
            return f"{where} is not a key that Signalman knows; remove it or correct its spelling. It may be: {known}."
        case "missing":
            return f"{where} is missing."
        case "literal_error":
            return f"{where} is {found}; it must be {error['ctx']['expected']}."
        case kind if kind in _WANTED:
            return f"{where} is {found}; it must be {_WANTED[kind]}."
        case "greater_than":
            return f"{where} is {found}; it must be more than {error['ctx']['gt']:g}."
        case "greater_than_equal":
            return f"{where} is {found}; it must be at least {error['ctx']['ge']:g}."
        case "less_than_equal":
            return f"{where} is {found}; it must be at most {error['ctx']['le']:g}."
        case "value_error":
            told = str(error["ctx"]["error"])
            return f"{where} is {found}; it {told}." if told.startswith("must") else f"{where} {told}."
        case _:
            message = error["msg"][0].lower() + error["msg"][1:]
            return f"{where} is {found}; {message}."


def _found(value: Any) -> str:
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 80 else text[:79] + "…"
