"""Which files Databricks would import as notebooks."""

import pytest

from bot.facts.branch import is_notebook

PYTHON = b"# Databricks notebook source"


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("hooks/a.py", PYTHON + b"\nprint(1)\n"),
        ("hooks/a.py", PYTHON + b"\r\nprint(1)\r\n"),
        ("hooks/a.PY", PYTHON),
        ("hooks/a.r", PYTHON + b"\n"),
        ("hooks/a.sql", b"-- Databricks notebook source\nSELECT 1\n"),
        ("hooks/a.scala", b"// Databricks notebook source\nval a = 1\n"),
        ("hooks/a.ipynb", b"{}"),
    ],
)
def test_a_file_that_begins_as_databricks_writes_them_is_a_notebook(
    path: str, content: bytes
) -> None:
    assert is_notebook(path, lambda size: content[:size])


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("hooks/a.py", b"print(1)\n" + PYTHON),
        ("hooks/a.py", PYTHON + b"s are nice\n"),
        ("hooks/a.py", b" " + PYTHON + b"\n"),
        ("hooks/a.py", b""),
        ("hooks/a.sql", PYTHON + b"\n"),
        ("hooks/a.md", PYTHON + b"\n"),
        ("hooks/a", PYTHON + b"\n"),
    ],
)
def test_any_other_file_is_a_file(path: str, content: bytes) -> None:
    assert not is_notebook(path, lambda size: content[:size])


@pytest.mark.parametrize("path", ["hooks/a.ipynb", "hooks/a.csv", "hooks/a"])
def test_a_file_is_not_read_where_its_name_says_it(path: str) -> None:
    def never(size: int) -> bytes:
        raise AssertionError(f"{size} bytes of {path} were read")

    assert is_notebook(path, never) == path.endswith(".ipynb")
