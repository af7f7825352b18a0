"""Compares what the bot says with what it was agreed to say: one Markdown file per text in `said/`.

`SIGNALMAN_ACCEPT=1 make test` writes the files anew; the change is then read in the commit like any
other.
"""

import difflib
import os
from pathlib import Path

SAID = Path(__file__).parent / "said"


def agreed(name: str, text: str) -> None:
    """Fail with the difference unless `said/<name>.md` holds exactly this text."""
    file = SAID / f"{name}.md"
    if os.environ.get("SIGNALMAN_ACCEPT") == "1":
        file.write_text(text, encoding="utf-8")
        return
    known = file.read_text(encoding="utf-8") if file.exists() else ""
    lines = difflib.unified_diff(
        known.splitlines(),
        text.splitlines(),
        f"said/{name}.md",
        "what the bot says now",
        lineterm="",
    )
    difference = "\n".join(lines)
    assert known == text, (
        f"\n{difference or 'Only the end of the text differs.'}\n\n"
        "If the new wording is meant: SIGNALMAN_ACCEPT=1 .venv/bin/python -m pytest tests/words, "
        "then read the diff."
    )
