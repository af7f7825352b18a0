"""Packs a project's folder into the archive that travels to where it runs."""

import gzip
import hashlib
import io
import stat
import tarfile
from pathlib import Path

from bot.errors import ProjectError

LARGEST_ARCHIVE = 10 * 1024 * 1024
LARGEST_FOLDER = 100 * 1024 * 1024
NOT_PACKED = frozenset({".git", ".venv", "__pycache__", "mlruns"})


def archive(folder: Path) -> bytes:
    """The project's folder as a .tar.gz that is the same for the same content, whoever packs it and
    when.

    Links and special files are refused with a ProjectError; .git, mlruns and
    caches are left out; more than 10 MB is refused, because the workspace takes
    no larger file (https://docs.databricks.com/api/workspace/workspace/import).
    """
    files = _files(folder)
    total = sum(path.stat().st_size for path in files)
    if total > LARGEST_FOLDER:
        raise ProjectError(_too_big(folder, files, total, LARGEST_FOLDER, "in all"))
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in files:
            content = path.read_bytes()
            member = tarfile.TarInfo(path.relative_to(folder).as_posix())
            member.size = len(content)
            member.mode = 0o644
            if path.stat().st_mode & 0o100:
                member.mode = 0o755
            tar.addfile(member, io.BytesIO(content))
    packed = buffer.getvalue()
    if len(packed) > LARGEST_ARCHIVE:
        raise ProjectError(_too_big(folder, files, len(packed), LARGEST_ARCHIVE, "packed"))
    return packed


def digest(content: bytes) -> str:
    """What names an archive: the same content has the same name everywhere (SHA-256,
    hexadecimal).
    """
    return hashlib.sha256(content).hexdigest()


def _files(folder: Path) -> list[Path]:
    """The plain files to pack, in an order that no file system decides."""
    files = []
    waiting = [folder]
    while waiting:
        for path in waiting.pop().iterdir():
            if path.name in NOT_PACKED:
                continue
            mode = path.lstat().st_mode
            if stat.S_ISDIR(mode):
                waiting.append(path)
            elif stat.S_ISREG(mode):
                files.append(path)
            else:
                kind = "neither a file nor a folder"
                if stat.S_ISLNK(mode):
                    kind = "a symbolic link"
                name = path.relative_to(folder).as_posix()
                raise ProjectError(
                    f"Project {folder.name}: {name!r} is {kind}; a project may hold only plain "
                    "files and folders."
                )
    return sorted(files, key=lambda path: path.relative_to(folder).as_posix())


def _too_big(folder: Path, files: list[Path], size: int, limit: int, how: str) -> str:
    largest = sorted(files, key=lambda path: path.stat().st_size, reverse=True)[:3]
    named = ", ".join(
        f"{path.relative_to(folder).as_posix()} ({_mb(path.stat().st_size)})" for path in largest
    )
    return (
        f"Project {folder.name} is {_mb(size)} {how}, and {_mb(limit)} is the most that can be "
        "sent to a cluster;"
        f" its largest files are {named}. Keep data in a volume or table and give its path as a "
        "parameter."
    )


def _mb(size: int) -> str:
    return f"{size / 2**20:.1f} MB"
