"""The workspace tree, kept as plain folders and files so that tasks can read it.

A notebook is a file without an extension which begins with the notebook header,
as in /Workspace on a cluster. Files that a task writes there are found like any
other. Refusals use the words of the Workspace API; their sources are named
where they are raised.
"""

import itertools
import os
import shutil
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sandbox.databricks.wire import Refusal, now

COMMENT = {"PYTHON": "#", "R": "#", "SQL": "--", "SCALA": "//"}
EXTENSION = {"PYTHON": ".py", "R": ".r", "SQL": ".sql", "SCALA": ".scala"}
LANGUAGE = {extension: language for language, extension in EXTENSION.items()}
PROTECTED = {"/", "/Users", "/Shared", "/Repos"}


def header(language: str) -> str:
    """The first line of a notebook in source format."""
    return f"{COMMENT[language]} Databricks notebook source"


def language_of_source(content: bytes) -> str | None:
    """The language a notebook header names by its comment sign (`#` counts as Python), or None
    without a header.
    """
    first = content.split(b"\n", 1)[0].decode(errors="replace").strip()
    return next(
        (language for language in ("PYTHON", "SQL", "SCALA") if first == header(language)), None
    )


def normal(path: str) -> str:
    """A workspace path without `/Workspace` in front or a slash at the end."""
    if not path.startswith("/"):
        raise Refusal(400, "INVALID_PARAMETER_VALUE", f"Path ({path}) doesn't start with '/'")
    parts = [part for part in path.split("/") if part]
    if parts[:1] == ["Workspace"]:
        parts = parts[1:]
    if any(part in (".", "..") or "\0" in part for part in parts):
        raise Refusal(400, "INVALID_PARAMETER_VALUE", f"Invalid path: {path}")
    return "/" + "/".join(parts)


@dataclass
class Node:
    """What is known of an object besides its content."""

    object_id: int
    kind: str
    created: int
    modified: int
    language: str | None = None


class Tree:
    """Directories, notebooks and files of one workspace. All paths are workspace paths."""

    def __init__(self, root: Path, users: Iterable[str]) -> None:
        self.folder = root / "workspace"
        self._incoming = root / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True)
        self._ids = itertools.count(3_914_208_000_000_017, 7919)
        self._nodes: dict[str, Node] = {}
        self._lock = threading.RLock()
        self._homes = {f"/Users/{user}" for user in users}
        for path in PROTECTED | self._homes:
            self.on_disk(path).mkdir(parents=True, exist_ok=True)

    def on_disk(self, path: str) -> Path:
        """Where the object at a workspace path lies, or would lie, on this machine."""
        return self.folder / normal(path).lstrip("/")

    def find(self, path: str) -> Node | None:
        """The object at a path, or None."""
        path = normal(path)
        place = self.on_disk(path)
        with self._lock:
            if not place.exists():
                self._nodes.pop(path, None)
                return None
            node = self._nodes.get(path)
            if node is None:
                node = self._nodes[path] = self._adopted(place)
            return node

    def kind(self, path: str) -> str | None:
        """`DIRECTORY`, `NOTEBOOK`, `FILE`, or None where there is nothing."""
        node = self.find(path)
        return node.kind if node else None

    def info(self, path: str) -> dict[str, object]:
        """The object as get-status and list describe it."""
        path = normal(path)
        node = self.find(path)
        if node is None:
            raise Refusal(404, "RESOURCE_DOES_NOT_EXIST", f"Path ({path}) doesn't exist.")
        found: dict[str, object] = {
            "object_type": node.kind,
            "path": path,
            "object_id": node.object_id,
            "resource_id": str(node.object_id),
        }
        if node.kind != "DIRECTORY":
            found |= {"created_at": node.created, "modified_at": node.modified}
        if node.kind == "FILE":
            found["size"] = self.on_disk(path).stat().st_size
        if node.language:
            found["language"] = node.language
        return found

    def children(self, path: str) -> list[str]:
        """The paths directly in a directory, in order."""
        path = normal(path)
        return [f"{path.rstrip('/')}/{name}" for name in sorted(os.listdir(self.on_disk(path)))]

    def listing(self, path: str) -> list[dict[str, object]]:
        """What is directly in a directory, described; an object that is no directory lists
        itself.
        """
        with self._lock:
            info = self.info(path)
            if info["object_type"] != "DIRECTORY":
                return [info]
            return [self.info(child) for child in self.children(path)]

    def read(self, path: str) -> bytes:
        """The content of a notebook (source) or a file."""
        return self.on_disk(path).read_bytes()

    def make_directories(self, path: str) -> None:
        """Make a directory and its parents; one that is there is no error."""
        path = normal(path)
        with self._lock:
            for parent in self._ancestry(path):
                kind = self.kind(parent)
                if kind == "DIRECTORY":
                    continue
                if kind is not None:
                    name = parent.rsplit("/", 1)[1]
                    # https://github.com/databrickslabs/dbx/issues/613
                    raise Refusal(
                        400,
                        "RESOURCE_ALREADY_EXISTS",
                        f"{name} already exists and it is not a folder",
                    )
                if parent.rsplit("/", 1)[0] == "/Users":
                    raise Refusal(400, "DIRECTORY_PROTECTED", "Folder Users is protected")
                self.on_disk(parent).mkdir()

    def write(
        self, path: str, content: bytes, kind: str, language: str | None, *, overwrite: bool
    ) -> None:
        """Put a notebook or a file where its parent exists, in one step: readers see the old or the
        new content.
        """
        path = normal(path)
        parent = path.rsplit("/", 1)[0] or "/"
        with self._lock:
            if self.kind(parent) != "DIRECTORY":
                # Without an error code, as the service does (databricks/cli, libs/testserver).
                raise Refusal(404, None, f"The parent folder ({parent}) does not exist.")
            old = self.find(path)
            if old is not None and old.kind != kind and overwrite:
                raise Refusal(
                    400,
                    "INVALID_PARAMETER_VALUE",
                    f"Cannot overwrite the asset at {path} due to type mismatch (asked: {kind}, "
                    f"actual: {old.kind})",
                )
            if old is not None and not overwrite:
                # https://github.com/databricks/cli/issues/3386 ·
                # https://github.com/databrickslabs/migrate/issues/15
                name = path.rsplit("/", 1)[1]
                said = (
                    f"Node named '{name}' already exists"
                    if kind == "FILE"
                    else f"Path ({path}) already exists."
                )
                raise Refusal(400, "RESOURCE_ALREADY_EXISTS", said)
            place = self._incoming / str(next(self._ids))
            place.write_bytes(content)
            os.replace(place, self.on_disk(path))
            if old is None:
                self._nodes[path] = Node(next(self._ids), kind, now(), now(), language)
            else:
                old.modified, old.language = now(), language

    def remove(self, path: str, *, recursive: bool) -> None:
        """Delete an object; a directory that is not empty only with `recursive`."""
        path = normal(path)
        with self._lock:
            kind = self.kind(path)
            if kind is None:
                raise Refusal(404, "RESOURCE_DOES_NOT_EXIST", f"Path ({path}) doesn't exist.")
            if path in PROTECTED | self._homes:
                raise Refusal(
                    400, "DIRECTORY_PROTECTED", f"Folder {path.rsplit('/', 1)[1]} is protected"
                )
            place = self.on_disk(path)
            if kind != "DIRECTORY":
                place.unlink()
            elif recursive:
                shutil.rmtree(place)
            elif any(place.iterdir()):
                raise Refusal(400, "DIRECTORY_NOT_EMPTY", f"Folder ({path}) is not empty")
            else:
                place.rmdir()
            for known in [
                known for known in self._nodes if known == path or known.startswith(path + "/")
            ]:
                del self._nodes[known]

    def _adopted(self, place: Path) -> Node:
        """An object that came by another way than `write`: a directory, or a file that a task
        wrote.
        """
        written = int(place.stat().st_mtime * 1000)
        if place.is_dir():
            return Node(next(self._ids), "DIRECTORY", written, written)
        if not place.suffix:
            with place.open("rb") as file:
                language = language_of_source(file.read(100))
            if language:
                return Node(next(self._ids), "NOTEBOOK", written, written, language)
        return Node(next(self._ids), "FILE", written, written)

    @staticmethod
    def _ancestry(path: str) -> list[str]:
        parts = path.strip("/").split("/")
        return ["/" + "/".join(parts[: depth + 1]) for depth in range(len(parts)) if parts[depth]]
