"""Runs a notebook file as Databricks documents it: in its own folder, that folder importable, with
`dbutils`.

https://docs.databricks.com/files/cwd-dbr-14.html and
https://docs.databricks.com/dev-tools/databricks-utils.html
"""

import json
import os
import sys
from types import SimpleNamespace


class NotebookExitError(Exception):
    """`dbutils.notebook.exit` ends a notebook by an exception, as the real one does."""


def _exit(value: str) -> None:
    raise NotebookExitError(value)


def main(path: str, given: dict[str, str]) -> None:
    os.chdir(os.path.dirname(path))
    sys.path[0] = os.getcwd()
    values: dict[str, str] = {}
    widgets = SimpleNamespace(
        text=lambda name, default: values.update({name: given.get(name, default)}), get=values.get
    )
    dbutils = SimpleNamespace(widgets=widgets, notebook=SimpleNamespace(exit=_exit))
    with open(path, encoding="utf-8") as file:
        code = compile(file.read(), path, "exec")
    try:
        exec(code, {"dbutils": dbutils, "__name__": "__main__"})  # noqa: S102 - a notebook is code that is handed to an interpreter
    except NotebookExitError as ended:
        sys.stdout.write(f"{ended}\n")


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]), json.loads(sys.argv[2]))
