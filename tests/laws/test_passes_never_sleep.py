"""A pass never waits: nothing below `bot/controllers` sleeps, or knows a clock that could."""

import ast
from collections.abc import Iterator
from pathlib import Path

CONTROLLERS = Path(__file__).parents[2] / "bot" / "controllers"


def waits(source: str) -> Iterator[str]:
    """A sentence for each import of `time`, and for each call of something named sleep or wait."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names):
                yield from (f"imports {name.name}" for name in names if name.name == "time")
            case ast.ImportFrom("time"):
                yield "imports from time"
            case ast.Call(ast.Attribute(_, "sleep" | "wait") | ast.Name("sleep" | "wait")):
                yield f"calls {ast.unparse(node.func)}"


def test_no_pass_sleeps() -> None:
    found = {
        str(file.relative_to(CONTROLLERS)): faults
        for file in sorted(CONTROLLERS.rglob("*.py"))
        if (faults := list(waits(file.read_text(encoding="utf-8"))))
    }

    assert found == {}


def test_a_pass_that_would_sleep_is_found() -> None:
    planted = "import time\nfrom time import sleep\ntime.sleep(1)\nsleep(2)\nevent.wait(3)\n"

    assert len(list(waits(planted))) == 5
