"""Reads an MLflow project's folder for the bot: what it is, which command runs it, on what cluster,
packed how.

Everything here is reading: no network, no fluent MLflow, nothing of the folder
is executed. The folder comes from a pull request, so it is not trusted: what it
may ask for is an allow-list, and a mistake in it is a ProjectError with a
sentence for its author. The parts live in `archive`, `cluster` and
`environment_file`; this is the door to all of them.
"""

import shlex
import string
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import urlparse

from bot.backends.archive import archive, digest
from bot.backends.cluster import cluster
from bot.backends.environment_file import environment
from bot.backends.project_files import at, kind, listed, yaml_of
from bot.errors import ProjectError

__all__ = ["EntryPoint", "Parameter", "Project", "archive", "cluster", "command", "digest", "read"]


@dataclass(frozen=True)
class Parameter:
    """One parameter of an entry point; `default` is None when a value must be given."""

    name: str
    kind: str
    default: str | None


@dataclass(frozen=True)
class EntryPoint:
    """A named way to run a project: a command with {placeholders} and what may fill them."""

    name: str
    command: str
    parameters: tuple[Parameter, ...]


@dataclass(frozen=True)
class Project:
    """What an MLproject file and its environment file say.

    `libraries` is in the form the Jobs API takes; `python_version` is what the
    environment file asks for, None when it does not say.
    """

    name: str
    folder: Path
    entry_points: Mapping[str, EntryPoint]
    env_file: str | None
    python_version: str | None
    libraries: tuple[dict[str, dict[str, str]], ...]


def read(folder: Path) -> Project:
    """The project in this folder; ProjectError when it is none or cannot be understood.

    Format: https://mlflow.org/docs/latest/ml/projects/
    """
    file = _find(folder)
    content = yaml_of(folder, file)
    for key in ("docker_env", "databricks_spark_job"):
        if key in content:
            raise ProjectError(
                f"{at(folder, file)}: `{key}` projects cannot be run here; use `entry_points`"
                " with `conda_env` or `python_env`."
            )
    env_file = _env_file(folder, file, content)
    conda = "conda_env" in content or env_file == "conda.yaml"
    python_version: str | None = None
    libraries: list[str] = []
    if env_file:
        python_version, libraries = environment(folder, env_file, conda)
    return Project(
        name=str(content.get("name") or folder.name),
        folder=folder,
        entry_points=_entry_points(at(folder, file), content.get("entry_points") or {}),
        env_file=env_file,
        python_version=python_version,
        libraries=tuple({"pypi": {"package": library}} for library in libraries),
    )


def command(project: Project, entry_point: str, parameters: Mapping[str, object]) -> str:
    """The shell command of an entry point, every value quoted, as `mlflow run` would compute it.

    Values the entry point does not declare are appended as `--name value`.
    Written anew rather than taken from MLflow, which fills in by `str.format`:
    a width in a pull request's placeholder could then take all the bot's memory.
    """
    point = project.entry_points.get(entry_point) or _script(project, entry_point)
    values = _values(project, point, parameters)
    extra = {name: str(value) for name, value in parameters.items() if name not in values}
    if any("\0" in text for text in [*values.values(), *extra, *extra.values()]):
        raise ProjectError(
            f"Project {project.name}: a parameter holds a NUL character, which no command can "
            "carry."
        )
    words = [_fill(project, point, values)]
    words += [f"--{shlex.quote(name)} {shlex.quote(value)}" for name, value in extra.items()]
    return " ".join(words)


def _find(folder: Path) -> str:
    if folder.is_dir():
        names = sorted(path.name for path in folder.iterdir())
    else:
        names = []
    for name in names:
        if name.lower() == "mlproject":  # MLflow does not look at case either
            return name
    raise ProjectError(f"{folder.name} is not an MLflow project: it has no MLproject file.")


def _env_file(folder: Path, file: str, content: Mapping[str, object]) -> str | None:
    named = [key for key in ("python_env", "conda_env") if content.get(key)]
    if len(named) > 1:
        raise ProjectError(
            f"{at(folder, file)} names both `python_env` and `conda_env`; one of them is enough."
        )
    if named:
        return str(content[named[0]])
    for name in ("python_env.yaml", "conda.yaml"):
        if (folder / name).is_file():
            return name
    return None


def _entry_points(where: str, content: object) -> dict[str, EntryPoint]:
    if not isinstance(content, dict):
        raise ProjectError(
            f"{where}: `entry_points` must be a mapping of names; found {kind(content)}."
        )
    points = {}
    for name, entry in content.items():
        here = f"{where}: entry point `{name}`"
        if not isinstance(entry, dict) or not isinstance(entry.get("command"), str):
            raise ProjectError(f"{here} needs a `command`, a text.")
        declared = entry.get("parameters") or {}
        if not isinstance(declared, dict):
            raise ProjectError(f"{here}: `parameters` must be a mapping; found {kind(declared)}.")
        parameters = tuple(_parameter(here, str(key), value) for key, value in declared.items())
        points[str(name)] = EntryPoint(str(name), entry["command"], parameters)
    return points


def _parameter(where: str, name: str, declared: object) -> Parameter:
    if isinstance(declared, str):
        return Parameter(name, declared, None)
    if not isinstance(declared, dict):
        raise ProjectError(
            f"{where}: parameter `{name}` must be a type or a mapping; found {kind(declared)}."
        )
    default = cast(object, declared.get("default"))
    if default is not None:
        default = str(default)
    return Parameter(name, str(declared.get("type", "string")), default)


def _script(project: Project, entry_point: str) -> EntryPoint:
    """As in MLflow, a script of the folder is an entry point of its own."""
    runner = {".py": "python", ".sh": "bash"}.get(Path(entry_point).suffix)
    path = project.folder / entry_point
    if runner and path.is_file() and path.resolve().is_relative_to(project.folder.resolve()):
        quoted = shlex.quote(entry_point).replace("{", "{{").replace("}", "}}")
        return EntryPoint(entry_point, f"{runner} {quoted}", ())
    raise ProjectError(
        f"Project {project.name} has no entry point `{entry_point}`; it has "
        f"{listed(project.entry_points) or 'none'}."
    )


def _values(project: Project, point: EntryPoint, given: Mapping[str, object]) -> dict[str, str]:
    values: dict[str, str] = {}
    missing = []
    for parameter in point.parameters:
        if parameter.name in given:
            values[parameter.name] = str(given[parameter.name])
        elif parameter.default is not None:
            values[parameter.name] = parameter.default
        else:
            missing.append(parameter.name)
            continue
        if parameter.kind == "uri" and not urlparse(values[parameter.name]).scheme:
            raise ProjectError(
                f"Project {project.name}: parameter `{parameter.name}` is a URI; "
                f"{values[parameter.name]!r} is none."
            )
    if missing:
        raise ProjectError(
            f"Project {project.name}: entry point `{point.name}` needs a value for "
            f"{listed(missing)};"
            " give it in config/mlops.yml or as a default in MLproject."
        )
    return values


def _fill(project: Project, point: EntryPoint, values: Mapping[str, str]) -> str:
    subject = f"Project {project.name}: the command of entry point `{point.name}`"
    filled = []
    try:
        parts = list(string.Formatter().parse(point.command))
    except ValueError as error:
        raise ProjectError(
            f"{subject} is not a template: {error}; write a literal brace twice."
        ) from None
    for text, name, width, conversion in parts:
        filled.append(text)
        if name is None:
            continue
        if width or conversion or name not in values:
            raise ProjectError(
                f"{subject} uses {{{name}}}, which is not one of its parameters ({listed(values)})."
            )
        filled.append(shlex.quote(values[name]))
    return "".join(filled)
