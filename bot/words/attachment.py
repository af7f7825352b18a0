"""What a file is called that the bot attaches to a pull request.

A name is used once: another run, another path or another content has another.
So a pass that was cut off finds what it has attached, and attaches nothing twice.
"""

import hashlib
import re
from pathlib import PurePosixPath

_LONGEST = 40


def picture(project: str, commit: str, run: str, path: str, content: bytes) -> str:
    """The name of a picture of a project's run; `path` is what the run calls it."""
    digest = hashlib.sha256(path.encode(errors="replace") + b"\0" + content).hexdigest()
    parts = [
        _plain(PurePosixPath(project).name),
        _plain(commit[:7]),
        _plain(run[:8]),
        _plain(PurePosixPath(path).stem),
        digest[:8],
    ]
    return "-".join(filter(None, parts)) + ".png"


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]+", "_", text).strip("_")[:_LONGEST]
