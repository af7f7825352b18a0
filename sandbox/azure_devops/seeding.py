"""Which files of a folder become a first commit: not what is local to a machine."""

import fnmatch
import os
from collections.abc import Iterator
from pathlib import Path

from sandbox.azure_devops.git_objects import File

NOT_SEEDED = (
    ".git",
    ".venv",
    ".venv-spark",
    "venv",
    "node_modules",
    "__pycache__",
    ".*_cache",
    ".hypothesis",
    "*.egg-info",
    "*.pyc",
    ".DS_Store",
)


def files_to_seed(folder: Path) -> Iterator[tuple[str, File]]:
    """Every file worth committing, with its path in the repository; symbolic links stay links."""
    for place, folders, names in os.walk(folder):
        top = Path(place) == folder
        folders[:] = sorted(
            name for name in folders if not _skipped(name) and not (top and name == "var")
        )
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        for name in sorted(names + links):
            path = Path(place) / name
            if _skipped(name):
                continue
            inside = path.relative_to(folder).as_posix()
            if path.is_symlink():
                yield inside, File(os.readlink(path).encode(), "120000")
            else:
                yield (
                    inside,
                    File(path.read_bytes(), "100755" if os.access(path, os.X_OK) else "100644"),
                )


def _skipped(name: str) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in NOT_SEEDED)
