"""The table of laws in `docs/architecture.md` is true: each law names tests, and they exist."""

import ast
import re
from pathlib import Path

import pytest

from tests.laws.purity import faults, files_of, pure_packages

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def section(heading: str) -> str:
    """What stands below a heading of the document."""
    return DOCUMENT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def rows(heading: str) -> list[list[str]]:
    """The cells of the rows of a section's table, without its head."""
    lines = [line for line in section(heading).splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


LAWS = rows("The laws, and what holds each")
HELD_BY = [(law, name) for law, _, held_by in LAWS for name in re.findall(r"`([^`]+)`", held_by)]


def test_each_law_names_a_test() -> None:
    assert len(LAWS) >= 10
    assert {law for law, _, _ in LAWS} == {law for law, _ in HELD_BY}


@pytest.mark.parametrize("name", sorted({name for _, name in HELD_BY}))
def test_a_test_that_holds_a_law_exists(name: str) -> None:
    path, _, function = name.partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    tests = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}

    assert function in tests


@pytest.mark.parametrize("package", pure_packages())
def test_the_law_of_purity_breaks_with_its_test(package: str) -> None:
    (source, *_) = (file.read_text(encoding="utf-8") for file in files_of(package))

    assert faults(package, source) == []
    assert faults(package, f"{source}\nimport requests\n") == ["imports requests"]


CHANGES = rows("Where a change goes")


def test_twenty_changes_and_more_have_a_place() -> None:
    assert len(CHANGES) >= 20


@pytest.mark.parametrize(
    ("change", "path"),
    [
        pytest.param(change, path, id=f"{change}: {path}")
        for change, files in CHANGES
        for path in re.findall(r"`([\w./]+/[\w./-]+|[\w.]+\.(?:md|py|example))`", files)
    ],
)
def test_each_file_that_a_change_touches_exists(change: str, path: str) -> None:
    assert (ROOT / path).exists(), f"{change}: {path} is not there"


def test_each_room_that_the_tree_shows_exists() -> None:
    tree = section("The rooms").partition("```\n")[2].partition("```")[0]
    shown = re.findall(r"[\w]+(?:/|\.py)", tree)
    folders = [ROOT, ROOT / "bot", ROOT / "bot" / "controllers", ROOT / "bot" / "rules"]

    missing = [name for name in shown if not any((folder / name).exists() for folder in folders)]
    assert missing == []


@pytest.mark.parametrize("document", sorted((ROOT / "docs").rglob("*.md")), ids=lambda at: at.name)
def test_each_file_that_a_document_speaks_of_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    named = re.findall(r"`((?:bot|sandbox|tests|bench)/[\w./-]+)`", text)

    assert [path for path in named if not (ROOT / path).exists()] == []
