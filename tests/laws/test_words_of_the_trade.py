"""Who greps for a word of the trade finds the right file: by its name, or by its first line."""

import ast
from pathlib import Path

import pytest

BOT = Path(__file__).parents[2] / "bot"
FIRST = 5


def ranked(word: str) -> list[str]:
    """The files that hold a word: those named after it first, then those that begin with it."""
    found: list[tuple[bool, bool, int, str]] = []
    for file in BOT.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        name = str(file.relative_to(BOT))
        doc = (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
        named = word.replace(" ", "_") in name
        begins = word in doc.casefold()
        often = text.casefold().count(word)
        if named or often:
            found.append((not named, not begins, -often, name))
    return [name for *_, name in sorted(found)]


@pytest.mark.parametrize(
    ("word", "file"),
    [
        ("reconcile", "rules/branch/sync.py"),
        ("rate limit", "services/rate_limit.py"),
        ("parallel", "controllers/parallel.py"),
        ("concurrency", "controllers/parallel.py"),
        ("cache", "services/git.py"),
        ("permission", "controllers/permissions.py"),
        ("notification", "controllers/thread.py"),
        ("throttle", "services/rate_limit.py"),
        ("missed webhook", "sweep.py"),
        ("quality gate", "rules/pull_request/gates.py"),
        ("retry", "queue/leases.py"),
        ("secret", "config/environment.py"),
        ("schedule", "rules/schedule.py"),
    ],
)
def test_a_word_of_the_trade_leads_to_its_file(word: str, file: str) -> None:
    assert file in ranked(word)[:FIRST]
