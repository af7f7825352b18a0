"""Notebooks between Jupyter's format and Databricks' source format. Pure, and Python only."""

import json
from typing import Any

from sandbox.databricks.wire import Refusal

SEPARATOR = "\n\n# COMMAND ----------\n\n"
HEADER = "# Databricks notebook source"


def to_source(content: bytes) -> bytes:
    """A Jupyter document as notebook source; a refusal when it is none."""
    try:
        cells = json.loads(content)["cells"]
        texts = [_cell(cell) for cell in cells]
    except (ValueError, KeyError, TypeError):
        raise Refusal(
            400, "INVALID_PARAMETER_VALUE", "The content is not a valid Jupyter notebook."
        ) from None
    return (HEADER + "\n" + SEPARATOR.join(texts) + "\n").encode()


def from_source(content: bytes) -> bytes:
    """Notebook source as a Jupyter document, one cell for one cell."""
    text = content.decode().removeprefix(HEADER).strip("\n")
    cells: list[dict[str, Any]] = []
    for cell in text.split("# COMMAND ----------"):
        lines = cell.strip("\n").splitlines(keepends=True)
        if lines and all(line.startswith("# MAGIC") for line in lines):
            lines = [line.removeprefix("# MAGIC").removeprefix(" ") for line in lines]
        if lines and lines[0].startswith("%md"):
            lines[0] = lines[0].removeprefix("%md").lstrip(" ")
            cells.append({"cell_type": "markdown", "metadata": {}, "source": lines})
        else:
            cells.append(
                {
                    "cell_type": "code",
                    "metadata": {},
                    "source": lines,
                    "outputs": [],
                    "execution_count": None,
                }
            )
    metadata = {"language_info": {"name": "python"}}
    return json.dumps(
        {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 4}
    ).encode()


def _cell(cell: dict[str, Any]) -> str:
    source = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        return "\n".join(f"# MAGIC {line}" for line in f"%md\n{source}".splitlines())
    if source.startswith("%"):
        return "\n".join(f"# MAGIC {line}" for line in source.splitlines())
    return source
