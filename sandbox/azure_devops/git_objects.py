"""What git holds, as plain data, and how it is read out of git's output."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

COMMIT_FIELDS = "%H%x1f%T%x1f%P%x1f%an%x1f%ae%x1f%at%x1f%cn%x1f%ce%x1f%ct%x1f%B"


@dataclass(frozen=True)
class Signature:
    """Who wrote or committed, and when."""

    name: str
    email: str
    when: datetime


@dataclass(frozen=True)
class Commit:
    """A commit object, read."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Signature
    committer: Signature
    message: str


@dataclass(frozen=True)
class Change:
    """One difference between two trees. `kind` is git's letter: A, D, M, R, T; paths have no
    leading slash.
    """

    kind: str
    path: str
    old_path: str
    old_id: str
    new_id: str
    is_tree: bool
    edited: bool


@dataclass(frozen=True)
class Entry:
    """A file or folder in a tree. `kind` is blob, tree or commit."""

    mode: str
    kind: str
    object_id: str
    path: str


@dataclass(frozen=True)
class File:
    """A file to be committed; `mode` is git's."""

    content: bytes
    mode: str = "100644"


def commit_of_record(record: str) -> Commit:
    """A commit out of a record in `COMMIT_FIELDS`."""
    sha, tree, parents, an, ae, at, cn, ce, ct, message = record.split("\x1f", 9)
    author = Signature(an, ae, datetime.fromtimestamp(int(at), UTC))
    committer = Signature(cn, ce, datetime.fromtimestamp(int(ct), UTC))
    return Commit(
        sha.strip(), tree, tuple(parents.split()), author, committer, message.rstrip("\n")
    )


def entry_of_record(record: str) -> Entry:
    """A tree entry out of a record of `git ls-tree -z`."""
    meta, path = record.split("\t", 1)
    mode, kind, object_id = meta.split(" ")
    return Entry(mode, kind, object_id, path)


def changes_of_records(parts: list[str]) -> Iterator[Change]:
    """Changes out of the parts of `git diff-tree --raw -z`."""
    position = 0
    while position < len(parts) and parts[position].startswith(":"):
        old_mode, new_mode, old_id, new_id, status = parts[position][1:].split(" ")
        old_path = parts[position + 1]
        renamed = status[0] in "RC"
        path = parts[position + 2] if renamed else old_path
        position += 3 if renamed else 2
        is_tree = "040000" in (old_mode, new_mode)
        yield Change(
            status[0], path, old_path, old_id, new_id, is_tree, edited=renamed and old_id != new_id
        )
