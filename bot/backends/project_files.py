"""Reads single files of a project's folder, which a pull request wrote: nothing outside it, nothing
huge, no links.
"""

from collections.abc import Iterable
from pathlib import Path

import yaml

from bot.config import budget
from bot.errors import ProjectError

LARGEST_FILE = 1024 * 1024


def at(folder: Path, file: str) -> str:
    """How sentences name a file of a project."""
    return f"{folder.name}/{file}"


def text_of(folder: Path, file: str) -> str:
    """The text of a file of the project; ProjectError when it is missing, outside, linked, too big
    or not UTF-8.
    """
    where = at(folder, file)
    path = folder / file
    inside = not Path(file).is_absolute() and ".." not in Path(file).parts
    if not inside or path.resolve() != folder.resolve() / file:
        raise ProjectError(
            f"{where} must be a plain file inside the project's folder, not a link or a way out of "
            "it."
        )
    if not path.is_file():
        raise ProjectError(f"{where} does not exist; the project names it.")
    if path.stat().st_size > LARGEST_FILE:
        raise ProjectError(f"{where} is larger than 1 MB, which no file of its kind needs to be.")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ProjectError(f"{where} is not UTF-8 text.") from None


def yaml_of(folder: Path, file: str) -> dict[str, object]:
    """The mapping a YAML file of the project holds; an empty file is an empty one."""
    where = at(folder, file)
    text = text_of(folder, file)
    try:
        budget.check_yaml(text)
        content = yaml.safe_load(text)
    except budget.OverBudget as excess:
        raise ProjectError(f"{where} {excess}.") from None
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        position = ""
        if mark:
            position = f" (line {mark.line + 1}, column {mark.column + 1})"
        problem = getattr(error, "problem", None) or type(error).__name__
        raise ProjectError(f"{where} is not YAML{position}: {problem}.") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ProjectError(f"{where} must be a mapping; found {kind(content)}.")
    return {str(key): value for key, value in content.items()}


def kind(value: object) -> str:
    """What a value is, in words for people who write YAML and JSON."""
    names = {
        dict: "a mapping",
        list: "a list",
        str: "a text",
        bool: "true or false",
        int: "a whole number",
    }
    if isinstance(value, float):
        return "a number"
    return names.get(type(value), "nothing")


def listed(names: Iterable[str]) -> str:
    """Names for a sentence, in order."""
    return ", ".join(f"`{name}`" for name in sorted(names))
