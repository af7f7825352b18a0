"""The libraries a project asks for, from its conda or Python environment file, in the form the Jobs
API takes.
"""

import re
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from bot.backends.project_files import at, text_of, yaml_of
from bot.errors import ProjectError

CONDA = re.compile(
    r"^(?:[\w.-]+::)?(?P<name>[\w.-]+)\s*(?P<comparison>==|=|>=|<=|>|<|!=|~=)?\s*(?P<rest>[\w.*+!,<>=~-]*)$"
)


def environment(folder: Path, file: str, conda: bool) -> tuple[str | None, list[str]]:
    """The Python version (None when not stated) and the pip requirements of an environment file.

    Databricks has neither conda nor this file's channels: a conda dependency
    is asked of PyPI under the same name. Requirements are names and versions
    only; an index, a URL or an option is refused, since a pull request could
    otherwise choose where code is installed from.
    """
    content = yaml_of(folder, file)
    dependencies = content.get("dependencies") or []
    if not isinstance(dependencies, list):
        raise ProjectError(f"{at(folder, file)}: `dependencies` must be a list.")
    python = content.get("python")
    version = None
    if python is not None:
        version = str(python)
    requirements: list[str] = []
    for entry in dependencies:
        if isinstance(entry, dict) and set(entry) == {"pip"}:
            for line in entry["pip"] or []:
                requirements += _pip(folder, file, str(line))
        elif not isinstance(entry, str):
            raise ProjectError(
                f"{at(folder, file)}: {entry!r} is neither a requirement nor a `pip` list."
            )
        elif not conda:
            requirements += _pip(folder, file, entry)
        else:
            name, requirement = _conda(folder, file, entry)
            if name == "python":
                version = requirement.removeprefix("python").lstrip("=").removesuffix(".*") or None
            elif name not in ("pip", "setuptools", "wheel"):
                requirements.append(requirement)
    return version, requirements


def _conda(folder: Path, file: str, entry: str) -> tuple[str, str]:
    """Name and pip form of a conda dependency: `numpy=2.1` means any 2.1, `numpy=2.1.3`
    that one.
    """
    match = CONDA.match(entry.strip())
    if not match:
        raise ProjectError(
            f"{at(folder, file)}: {entry!r} is not a conda dependency; write name=version."
        )
    name = match["name"]
    comparison = match["comparison"] or ""
    rest = match["rest"]
    if comparison == "=":
        version = rest.split("=")[0].rstrip("*").rstrip(".")
        if version.count(".") >= 2:
            return name, f"{name}=={version}"
        return name, f"{name}=={version}.*"
    return name, _pip(folder, file, f"{name}{comparison}{rest}")[0]


def _pip(folder: Path, file: str, line: str, *, deep: bool = True) -> list[str]:
    """One line of a pip list; `-r other.txt` of the same folder is followed once."""
    line = re.sub(r"(^|\s)#.*$", "", line).strip()
    if not line:
        return []
    if deep and (option := re.fullmatch(r"(?:-r|--requirement)[ =](\S+)", line)):
        other = option[1]
        requirements: list[str] = []
        for text in text_of(folder, other).splitlines():
            requirements += _pip(folder, other, text, deep=False)
        return requirements
    try:
        requirement = Requirement(line)
    except InvalidRequirement:
        raise ProjectError(
            f"{at(folder, file)}: {line!r} is refused; a library is given by name and version,"
            " like scikit-learn==1.9.1, without options, indexes or addresses."
        ) from None
    if requirement.url:
        raise ProjectError(
            f"{at(folder, file)}: {line!r} names an address to install from; give name and version "
            "instead."
        )
    return [str(requirement)]
