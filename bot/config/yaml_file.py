"""How a configuration file is read: YAML held against a shape, each mistake in one sentence.

Nothing is read from disk here. A sentence names file, key, what was found and what is allowed.
"""

import math
import re
from collections.abc import Hashable, Iterator
from pathlib import PurePosixPath
from typing import Annotated, Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from bot.config import budget
from bot.errors import ConfigError

T = TypeVar("T", bound=BaseModel)

_PATH = "must be a path inside the repository, such as projects/ExampleTrainingProject"
_OBJECT = "must be an absolute workspace path of at least two parts, such as /Shared/mlflow_hooks"
_DURATION = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(s|m|h|d)?\s*$")
_PERCENT = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*%\s*$")
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, None: 1.0}


def _seconds(value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    match = None
    if isinstance(value, str):
        match = _DURATION.match(value)
    if match is None:
        raise ValueError("must be a time such as 90s, 30m or 2h")
    return float(match[1]) * _UNITS[match[2]]


def _repository_path(value: Any) -> str:
    if not isinstance(value, str) or "\\" in value:
        raise ValueError(_PATH)
    path = PurePosixPath(value)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise ValueError(_PATH)
    return str(path)


def _workspace_path(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(_OBJECT)
    path = PurePosixPath(value)
    if not path.is_absolute() or ".." in path.parts or len(path.parts) < 3:
        raise ValueError(_OBJECT)
    if path.parts[1] == "Workspace":
        # A second name of the same node, which makes MLflow see two
        # (https://github.com/mlflow/mlflow/issues/11077).
        raise ValueError(
            "must be written without /Workspace in front, such as /Shared/mlflow_hooks"
        )
    return str(path)


def _tolerance(value: Any) -> Any:
    match = None
    if isinstance(value, str):
        match = _PERCENT.match(value)
    if match is not None:
        return f"{float(match[1]):g}%"
    number = -1.0
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = value
    if not (math.isfinite(number) and number >= 0):
        raise ValueError(
            "must be a number of at least 0 in the metric's unit, such as 0.02, or a share, such "
            "as 2%"
        )
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


def parse(shape: type[T], text: str, file: str) -> T:
    """Read a configuration file's text. Raises ConfigError with one sentence per mistake."""
    return check(shape, load(text, file), file)


def load(text: str, file: str) -> Any:
    """Read YAML, in which a key that is there twice is a mistake. An empty file holds no keys.
    Raises ConfigError, also for what would become too much.
    """
    try:
        budget.check_yaml(text)
        loaded = _NoKeyTwice(text).get_single_data()
    except budget.OverBudget as excess:
        raise ConfigError(f"{file} {excess}.") from None
    except (yaml.YAMLError, ValueError) as error:
        # A date or a number that is none is a ValueError.
        raise ConfigError(f"{file} is not valid YAML: {' '.join(str(error).split())}.") from error
    if loaded is None:
        return {}
    return loaded


def check(shape: type[T], loaded: Any, file: str) -> T:
    """Validate what a configuration file holds. Raises ConfigError with one sentence per
    mistake.
    """
    if not isinstance(loaded, dict):
        raise ConfigError(
            f"{file} holds {_found(loaded)} at its top; it must hold keys and values."
        )
    try:
        return shape.model_validate(loaded)
    except ValidationError as error:
        mistakes = error.errors()
        places = [mistake["loc"] for mistake in mistakes]
        sentences = []
        for mistake in mistakes:
            # A list of which the only entry is wrong is not also too short.
            if mistake["type"] == "too_short" and any(
                _inside(mistake["loc"], place) for place in places
            ):
                continue
            sentences.append(_sentence(shape, file, mistake))
        raise ConfigError("\n".join(sentences)) from None


def _inside(outer: tuple[Any, ...], place: tuple[Any, ...]) -> bool:
    return len(place) > len(outer) and place[: len(outer)] == outer


class _NoKeyTwice(yaml.SafeLoader):
    """YAML as it is safe to load, in which a key that is there twice is a mistake and not the last
    one's word.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._looked_at: set[int] = set()

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        # Before `<<` is filled in: what it brings may be there twice, and again where it is
        # referred to.
        if id(node) not in self._looked_at:
            self._looked_at.add(id(node))
            named = [key for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
            keys: set[Any] = set()
            for entry in named:
                key = self.construct_object(entry, deep=True)
                if not isinstance(key, Hashable):
                    continue  # Which the reader itself tells.
                if key in keys:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key} is there twice", node.start_mark
                    )
                keys.add(key)
        super().flatten_mapping(node)


def _known(shape: type[BaseModel], place: tuple[Any, ...]) -> str:
    """The keys that may stand at a place."""
    for part in place:
        if isinstance(part, str):
            annotation = _fields(shape)[part].annotation
            shape = next(_models(annotation))
    return ", ".join(_fields(shape))


def _fields(shape: type[BaseModel]) -> dict[str, Any]:
    """The fields of a shape by their keys in the file."""
    return {field.alias or name: field for name, field in shape.model_fields.items()}


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


_ALLOWED = {
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
    key = _key(error["loc"])
    where = f"{file}:"
    if key:
        where = f"{file}: {key}"
    found = _found(error["input"])
    match error["type"]:
        case "extra_forbidden":
            known = _known(shape, error["loc"][:-1])
            return (
                f"{where} is not a key that Signalman knows; remove it or correct its spelling. It "
                f"may be: {known}."
            )
        case "missing":
            return f"{where} is missing."
        case "literal_error":
            return f"{where} is {found}; it must be {error['ctx']['expected']}."
        case kind if kind in _ALLOWED:
            return f"{where} is {found}; it must be {_ALLOWED[kind]}."
        case "greater_than":
            return f"{where} is {found}; it must be more than {error['ctx']['gt']:g}."
        case "greater_than_equal":
            return f"{where} is {found}; it must be at least {error['ctx']['ge']:g}."
        case "less_than_equal":
            return f"{where} is {found}; it must be at most {error['ctx']['le']:g}."
        case "value_error":
            reason = str(error["ctx"]["error"])
            if reason.startswith("must"):
                return f"{where} is {found}; it {reason}."
            return f"{where} {reason}."
        case _:
            message = error["msg"][0].lower() + error["msg"][1:]
            return f"{where} is {found}; {message}."


def _key(place: tuple[Any, ...]) -> str:
    """A place as people write it: `projects[0].gate.goal`."""
    key = ""
    for part in place:
        if isinstance(part, int):
            key += f"[{part}]"
        else:
            key += f".{part}"
    return key.lstrip(".")


def _found(value: Any) -> str:
    text = str(value)
    if isinstance(value, str):
        text = f'"{value}"'
    if len(text) <= 80:
        return text
    return text[:79] + "…"
