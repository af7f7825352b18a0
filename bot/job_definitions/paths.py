"""Paths in a job's settings: from the file that names them to where a sync puts them in the
workspace. Pure.
"""

import re
from collections.abc import Mapping
from posixpath import dirname, join, normpath, relpath, splitext
from typing import Any

from bot.config.repository import Folder

_ELSEWHERE = re.compile(r"[a-zA-Z][\w+.-]*:/")
_NOTEBOOKS = (".py", ".ipynb", ".sql", ".scala", ".r", ".R")


class Paths:
    """Translates the paths of one file; collects a sentence for each that leads nowhere."""

    def __init__(self, file: str, folders: tuple[Folder, ...], mistakes: list[str]) -> None:
        self._folder = dirname(file)
        self._folders = folders
        self._mistakes = mistakes

    def translate(self, settings: Mapping[str, Any], place: str) -> dict[str, Any]:
        """Settings whose relative paths have become those of the workspace."""
        translated = dict(settings)
        git = "git_source" in settings
        if isinstance(settings.get("tasks"), list):
            translated["tasks"] = [
                self._task(task, git, f"{place}.tasks[{number}]")
                for number, task in enumerate(settings["tasks"])
            ]
        if isinstance(settings.get("environments"), list):
            translated["environments"] = [
                self._environment(environment, f"{place}.environments[{number}]")
                for number, environment in enumerate(settings["environments"])
            ]
        return translated

    def _task(self, task: Any, git: bool, place: str) -> Any:
        if not isinstance(task, Mapping):
            return task
        translated = dict(task)
        for kind, key, notebook in (
            ("notebook_task", "notebook_path", True),
            ("spark_python_task", "python_file", False),
            ("dbt_task", "project_directory", False),
        ):
            translated = self._within(translated, kind, key, git, place, notebook=notebook)
        sql = task.get("sql_task")
        if isinstance(sql, Mapping) and isinstance(sql.get("file"), Mapping):
            translated["sql_task"] = self._within(sql, "file", "path", git, f"{place}.sql_task")
        repeated = task.get("for_each_task")
        if isinstance(repeated, Mapping) and "task" in repeated:
            inner = self._task(repeated["task"], git, f"{place}.for_each_task.task")
            translated["for_each_task"] = {**repeated, "task": inner}
        if isinstance(task.get("libraries"), list):
            translated["libraries"] = [
                self._library(library, f"{place}.libraries[{number}]")
                for number, library in enumerate(task["libraries"])
            ]
        return translated

    def _within(
        self,
        outer: Mapping[str, Any],
        kind: str,
        key: str,
        git: bool,
        place: str,
        *,
        notebook: bool = False,
    ) -> dict[str, Any]:
        inner = outer.get(kind)
        if not isinstance(inner, Mapping) or not isinstance(inner.get(key), str):
            return dict(outer)
        source = inner.get("source")
        if source == "GIT" or (git and source != "WORKSPACE"):
            return dict(outer)
        path = self._path(inner[key], f"{place}.{kind}.{key}", notebook)
        return {**outer, kind: {**inner, key: path}}

    def _path(self, path: str, place: str, notebook: bool) -> str:
        if path.startswith("/Workspace/"):
            # Two names of one node; the one without is what the sync writes to.
            return path.removeprefix("/Workspace")
        if path.startswith("/") or _ELSEWHERE.match(path):
            return path
        there = self._mirrored(path, place)
        stem, extension = splitext(there)
        if notebook and extension in _NOTEBOOKS:
            return stem
        return there

    def _library(self, library: Any, place: str) -> Any:
        if not isinstance(library, Mapping):
            return library
        translated = dict(library)
        for kind in ("whl", "jar", "egg", "requirements"):
            file = library.get(kind)
            if isinstance(file, str) and _relative(file):
                translated[kind] = self._file(file, f"{place}.{kind}")
        return translated

    def _environment(self, environment: Any, place: str) -> Any:
        spec = None
        if isinstance(environment, Mapping):
            spec = environment.get("spec")
        if not isinstance(spec, Mapping) or not isinstance(spec.get("dependencies"), list):
            return environment
        named = [
            self._dependency(line, f"{place}.spec.dependencies[{number}]")
            for number, line in enumerate(spec["dependencies"])
        ]
        return {**environment, "spec": {**spec, "dependencies": named}}

    def _dependency(self, line: Any, place: str) -> Any:
        option, path = re.fullmatch(r"(-r\s+|-e\s+)?(.*)", str(line), re.DOTALL).groups()  # type: ignore[union-attr]
        local = path.startswith(("./", "../")) or (option and _relative(path))
        if local:
            return f"{option or ''}{self._file(path, place)}"
        return line

    def _file(self, path: str, place: str) -> str:
        if any(sign in path for sign in "*?["):
            self._mistakes.append(
                f'{place} is "{path}", which stands for files that a bundle builds; Signalman '
                "builds nothing, so name one file that is in the repository or that lies in the "
                "workspace."
            )
            return path
        return f"/Workspace{self._mirrored(path, place)}"

    def _mirrored(self, path: str, place: str) -> str:
        inside = normpath(join(self._folder, path))
        for folder in self._folders:
            if inside == folder.from_ or inside.startswith(f"{folder.from_}/"):
                return normpath(join(folder.to, relpath(inside, folder.from_)))
        if inside == ".." or inside.startswith("../"):
            self._mistakes.append(f'{place} is "{path}", which leads out of the repository.')
        else:
            mirrored = ", ".join(folder.from_ for folder in self._folders) or "none"
            self._mistakes.append(
                f'{place} is "{path}", which is {inside} in the repository; no folder of '
                "config/mlops.yml brings that to the workspace. Add one to `folders`, or move it "
                f"below one of: {mirrored}."
            )
        return path


def _relative(path: str) -> bool:
    return not path.startswith("/") and not _ELSEWHERE.match(path)
