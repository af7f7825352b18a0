"""What a notebook finds around it on a cluster: its cells, `dbutils`, `display`. No `spark`.

Runs inside the process of a task, together with `task_main.py`, and imports
nothing of this repository.
"""

import ast
import linecache
import os
import re
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

SEPARATOR = re.compile(r"^# COMMAND -{10}\s*$", re.MULTILINE)
MAGIC = re.compile(r"^# MAGIC ?", re.MULTILINE)
HEADER = "# Databricks notebook source"


class InputWidgetNotDefined(Exception):
    """A widget was read that neither the notebook nor the run defines."""


class UnsupportedMagic(Exception):
    """A cell is in a language that this machine cannot run."""


class Exit(BaseException):
    """`dbutils.notebook.exit`; not an `Exception`, so that a notebook's own `except` lets
    it pass.
    """


class Widgets:
    """`dbutils.widgets`: the run's parameters first, then what the notebook declares."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self._given = dict(given)
        self._declared: dict[str, str] = {}

    def text(self, name: str, defaultValue: str = "", label: str | None = None) -> None:  # noqa: N803, ARG002 - dbutils names them so
        """Declare a text widget."""
        self._declared[name] = str(defaultValue)

    def dropdown(
        self,
        name: str,
        defaultValue: str,  # noqa: N803 - dbutils names it so
        choices: list[str],
        label: str | None = None,  # noqa: ARG002
    ) -> None:
        """Declare a choice; the default has to be one of the choices."""
        if defaultValue not in choices:
            raise ValueError(
                f"The default value {defaultValue!r} of widget {name} is not one of its choices."
            )
        self._declared[name] = str(defaultValue)

    combobox = multiselect = dropdown

    def get(self, name: str) -> str:
        """The value of a widget or of a parameter of the run."""
        if name in self._given:
            return self._given[name]
        if name in self._declared:
            return self._declared[name]
        raise InputWidgetNotDefined(f"No input widget named {name} is defined")

    def getAll(self) -> dict[str, str]:  # noqa: N802
        """All values by name."""
        return {**self._declared, **self._given}

    getArgument = get  # noqa: N815

    def remove(self, name: str) -> None:
        """Take a declared widget away."""
        self._declared.pop(name, None)

    def removeAll(self) -> None:  # noqa: N802
        """Take all declared widgets away."""
        self._declared.clear()


class NotebookUtilities:
    """`dbutils.notebook`."""

    def __init__(self, tree: Path) -> None:
        self._tree = tree

    @staticmethod
    def exit(value: object = "") -> NoReturn:
        """End the notebook; `value`, as text, is its result."""
        raise Exit(str(value))

    def run(
        self,
        path: str,
        timeout_seconds: int = 0,  # noqa: ARG002
        arguments: Mapping[str, str] | None = None,
    ) -> str:
        """Run another notebook with names of its own and give its result. The timeout is not
        enforced here.
        """
        return run(resolved(path, Path.cwd(), self._tree), arguments or {}, self._tree)


class Library:
    """`dbutils.library`: nothing is installed here, so there is nothing to restart."""

    @staticmethod
    def restartPython() -> None:  # noqa: N802
        """Does nothing."""


def display(*values: object) -> None:
    """Show values in the output of the run."""
    for value in values:
        print(value.to_string() if hasattr(value, "to_string") else value)


def display_html(html: str) -> None:
    """Accepted and not shown: the output of a run here is text."""


def run(notebook: Path, parameters: Mapping[str, str], tree: Path) -> str:
    """Run a notebook from its first cell to its last, or to `exit`; gives its result.

    `parameters` are what its widgets hold; `tree` is the folder of the
    workspace, where absolute paths of `%run` begin.
    """
    widgets = Widgets(parameters)
    module = types.ModuleType("__main__")
    module.__dict__.update(
        dbutils=types.SimpleNamespace(
            widgets=widgets, notebook=NotebookUtilities(tree), library=Library()
        ),
        display=display,
        displayHTML=display_html,
        getArgument=widgets.get,
    )
    around = sys.modules["__main__"]
    sys.modules["__main__"] = module
    try:
        _run_cells(notebook, module.__dict__, tree)
    except Exit as end:
        return str(end.args[0])
    finally:
        sys.modules["__main__"] = around
    return ""


def cells(source: str) -> list[str]:
    """The cells of notebook source, without header; magic cells with their `# MAGIC` taken off."""
    text = source.removeprefix(HEADER)
    found = [cell.strip("\n") for cell in SEPARATOR.split(text)]
    return [
        MAGIC.sub("", cell) if _first_line(cell).startswith("# MAGIC") else cell for cell in found
    ]


def resolved(path: str, directory: Path, tree: Path) -> Path:
    """Where a notebook named by `%run` lies on disk."""
    name = path.strip().strip("\"'")
    if name.startswith("/"):
        return tree / name.removeprefix("/Workspace").lstrip("/")
    return Path(os.path.normpath(directory / name))


def _run_cells(notebook: Path, names: dict[str, Any], tree: Path) -> None:
    for number, cell in enumerate(cells(notebook.read_text()), start=1):
        first = _first_line(cell)
        if not first.startswith(("%", "!")):
            _execute(cell, f"{notebook}#cell{number}", names)
            continue
        magic, _, rest = first.partition(" ")
        if magic == "%python":
            _execute(cell.replace("%python", "", 1), f"{notebook}#cell{number}", names)
        elif magic == "%run":
            _run_cells(resolved(rest.split("$", 1)[0], notebook.parent, tree), names, tree)
        elif magic in ("%pip", "%conda"):
            print(f"Not installed here, the environment of the stand-in is used as it is: {first}")
        elif not magic.startswith("%md"):
            raise UnsupportedMagic(f"A cell with {magic} in {notebook.name} needs a real cluster.")


def _execute(code: str, name: str, names: dict[str, Any]) -> None:
    linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
    tree = ast.parse(code, name)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, name, "exec"), names)  # noqa: S102 - running a notebook is what this is for
    if isinstance(last, ast.Expr):
        value = eval(compile(ast.Expression(last.value), name, "eval"), names)  # noqa: S307
        if value is not None:
            print(repr(value))


def _first_line(cell: str) -> str:
    return next(
        (line for line in cell.splitlines() if line.strip() and not line.startswith("# DBTITLE")),
        "",
    )
