"""Which file of the bot may know which library: an allow-list, so that a new file knows none.

Imports are read off the syntax tree, those inside functions and for type checkers too.
"""

import ast
from pathlib import Path

import pytest

BOT = Path(__file__).parents[2] / "bot"

KNOWN_BY = {
    "sqlalchemy": {"queue", "migrations"},
    "alembic": {"queue", "migrations"},
    "psycopg": {"queue"},
    "mlflow": {
        "services/mlflow.py",
        "services/mlflow_artifacts.py",
        "services/unity_catalog.py",
        "backends/databricks_mlflow.py",
        "backends/plugin.py",
        "cli/run.py",  # the command that runs a project from a laptop
    },
    "databricks": {
        "services/databricks_sdk.py",
        "services/job_fields.py",  # reads the types off it, and calls nothing
        "backends/launcher.py",  # runs on the cluster, and not in the bot
    },
    "databricks_cli": {"services/databricks_cli.py"},
    "flask": {"web.py", "dashboard", "app.py"},
    "git": {"services/git.py", "cli/run.py"},
    "requests": {
        "services/azure_client.py",
        "services/databricks_cli.py",
        "services/databricks_sdk.py",
        "services/mlflow_artifacts.py",
    },
    "prometheus_client": {"metrics.py"},
}


def libraries(source: str) -> set[str]:
    """The top-level names of what a source text imports from elsewhere."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names):
                found |= {name.name.partition(".")[0] for name in names}
            case ast.ImportFrom(module, level=0):
                found.add((module or "").partition(".")[0])
    return found


def strangers(library: str, files: dict[str, str]) -> list[str]:
    """The files that import a library and may not."""
    allowed = KNOWN_BY[library]
    return [
        name
        for name, source in files.items()
        if library in libraries(source)
        and name not in allowed
        and name.partition("/")[0] not in allowed
    ]


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    """Name -> content of every source file of the bot."""
    return {
        str(file.relative_to(BOT)): file.read_text(encoding="utf-8")
        for file in sorted(BOT.rglob("*.py"))
    }


@pytest.mark.parametrize("library", KNOWN_BY)
def test_a_library_is_known_where_it_belongs_and_nowhere_else(
    library: str, files: dict[str, str]
) -> None:
    assert strangers(library, files) == []


@pytest.mark.parametrize("library", KNOWN_BY)
def test_a_file_that_comes_to_know_one_is_found(library: str, files: dict[str, str]) -> None:
    planted = {"sweep.py": f"{files['sweep.py']}\n\ndef f():\n    import {library}.anything\n"}

    assert strangers(library, planted) == ["sweep.py"]
