"""The DBFS root: a plain folder, the DBFS API 2.0 on it, and the upload address that MLflow's own
backend uses.

Workspaces of today come with the root disabled, and so does this one unless it
is asked for. https://docs.databricks.com/api/workspace/dbfs
"""

import base64
import binascii
import itertools
import os
import re
import threading
from pathlib import Path
from typing import Any

from sandbox.databricks.wire import Call, Handler, Refusal, missing

UPLOADS = "/dbfs/"
"""`POST /dbfs/<path>` takes a file as its body (mlflow/projects/databricks.py, `_upload_to_dbfs`).
"""

BLOCK = 1024 * 1024
READ = 1024 * 1024
# Not inside a longer path or a scheme: `/Shared/dbfs/x` and `https://host/dbfs/x` are other things.
MOUNTS = re.compile(r"(?<![\w./:-])/(dbfs|databricks)(?=/)")


class Dbfs:
    """The DBFS root below `root`, when it is `enabled`; else every call is refused as in new
    workspaces.
    """

    def __init__(self, root: Path, *, enabled: bool) -> None:
        self.enabled = enabled
        self.folder = root / "dbfs"
        self._streams: dict[int, tuple[Path, Path]] = {}
        self._handles = itertools.count(7_904_256)
        self._lock = threading.RLock()
        self._incoming = root / "dbfs-incoming"
        self._routes: dict[tuple[str, str], Handler] = {
            ("GET", "get-status"): self.get_status,
            ("GET", "list"): self.list,
            ("GET", "read"): self.read,
            ("POST", "put"): self.put,
            ("POST", "create"): self.create,
            ("POST", "add-block"): self.add_block,
            ("POST", "close"): self.close,
        }
        if enabled:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._incoming.mkdir(exist_ok=True)

    def handler(self, call: Call) -> Handler | None:
        """What answers a call, None when nothing does; a refusal when the root is disabled."""
        if not self.enabled:
            raise Refusal(
                403, "PERMISSION_DENIED", "Public DBFS root is disabled in this workspace."
            )
        if call.path.startswith(UPLOADS):
            return self.upload if call.method == "POST" else None
        return self._routes.get((call.method, call.path.removeprefix("/api/2.0/dbfs/")))

    def on_disk(self, path: str) -> Path:
        """Where a DBFS path (`/x` or `dbfs:/x`) lies on this machine."""
        bare = path.removeprefix("dbfs:")
        parts = [part for part in bare.split("/") if part]
        if not bare.startswith("/") or any(part in (".", "..") or "\0" in part for part in parts):
            raise Refusal(400, "INVALID_PARAMETER_VALUE", f"Path must be absolute: {path}")
        return self.folder.joinpath(*parts)

    def local(self, text: str, machine: Path) -> str:
        """A command or program with `/dbfs/` and `/databricks/` where they are here: the root, and
        the cluster's disk.

        The one thing a task could notice; without it only root could run it, and on a machine of
        its own.
        """
        places = {"dbfs": self.folder, "databricks": machine}
        return MOUNTS.sub(lambda found: str(places[found[1]]), text)

    def get_status(self, call: Call) -> dict[str, Any]:
        """One file or directory, described."""
        return self._described(self._existing(call))

    def list(self, call: Call) -> dict[str, Any]:
        """What is directly in a directory; a file lists itself."""
        place = self._existing(call)
        found = sorted(place.iterdir()) if place.is_dir() else [place]
        return {"files": [self._described(path) for path in found]} if found else {}

    def read(self, call: Call) -> dict[str, Any]:
        """At most 1 MB of a file, from `offset` on."""
        place, asked = self._existing(call), call.asked()
        if place.is_dir():
            raise Refusal(
                400, "INVALID_PARAMETER_VALUE", f"Cannot read a directory: {asked['path']}"
            )
        length = int(asked.get("length") or READ // 2)
        if length > READ:
            raise Refusal(400, "MAX_READ_SIZE_EXCEEDED", "Cannot read more than 1 MB at once.")
        with place.open("rb") as file:
            file.seek(int(asked.get("offset") or 0))
            piece = file.read(length)
        return {"bytes_read": len(piece), "data": base64.b64encode(piece).decode()}

    def put(self, call: Call) -> dict[str, Any]:
        """A whole file of at most 1 MB in base64, or of any size as the file of a form."""
        asked: dict[str, Any] = dict(call.form) if call.uploads else call.json()
        content = (
            call.uploads["contents"]
            if "contents" in call.uploads
            else _block(asked.get("contents") or "")
        )
        overwrite = str(asked.get("overwrite", "")).lower() == "true"
        self._write(self._asked(asked), content, overwrite=overwrite, status=400)
        return {}

    def upload(self, call: Call) -> dict[str, Any]:
        """The whole body as one file, never over another."""
        self._write(call.path.removeprefix("/dbfs"), call.body, overwrite=False, status=409)
        return {}

    def create(self, call: Call) -> dict[str, Any]:
        """Open a stream to a file; gives its handle."""
        asked = call.json()
        place = self.on_disk(self._asked(asked))
        self._refuse_existing(place, overwrite=asked.get("overwrite") is True, status=400)
        with self._lock:
            handle = next(self._handles)
            self._streams[handle] = (self._incoming / str(handle), place)
            self._streams[handle][0].touch()
        return {"handle": handle}

    def add_block(self, call: Call) -> dict[str, Any]:
        """At most 1 MB more of a stream."""
        asked = call.json()
        if asked.get("data") is None:
            raise missing("data")
        with self._lock, self._stream(asked)[0].open("ab") as file:
            file.write(_block(asked["data"]))
        return {}

    def close(self, call: Call) -> dict[str, Any]:
        """End a stream; its file is there from now on."""
        with self._lock:
            written, place = self._stream(call.json())
            place.parent.mkdir(parents=True, exist_ok=True)
            os.replace(written, place)
            del self._streams[int(call.json()["handle"])]
        return {}

    def _existing(self, call: Call) -> Path:
        place = self.on_disk(self._asked(call.asked()))
        if not place.exists():
            raise Refusal(
                404,
                "RESOURCE_DOES_NOT_EXIST",
                f"No file or directory exists on path {call.asked()['path']}.",
            )
        return place

    def _described(self, place: Path) -> dict[str, Any]:
        found = place.stat()
        return {
            "path": "/" + "/".join(place.relative_to(self.folder).parts),
            "is_dir": place.is_dir(),
            "file_size": 0 if place.is_dir() else found.st_size,
            "modification_time": int(found.st_mtime * 1000),
        }

    def _write(self, path: str, content: bytes, *, overwrite: bool, status: int) -> None:
        place = self.on_disk(path)
        with self._lock:
            self._refuse_existing(place, overwrite=overwrite, status=status)
            place.parent.mkdir(parents=True, exist_ok=True)
            written = self._incoming / str(next(self._handles))
            written.write_bytes(content)
            os.replace(written, place)

    def _stream(self, asked: dict[str, Any]) -> tuple[Path, Path]:
        found = self._streams.get(int(asked.get("handle") or 0))
        if found is None:
            raise Refusal(
                404,
                "RESOURCE_DOES_NOT_EXIST",
                f"No stream exists with handle {asked.get('handle')}.",
            )
        return found

    def _refuse_existing(self, place: Path, *, overwrite: bool, status: int) -> None:
        if place.is_dir() or (place.exists() and not overwrite):
            path = "/" + place.relative_to(self.folder).as_posix()
            raise Refusal(status, "RESOURCE_ALREADY_EXISTS", f"File already exists: {path}")

    @staticmethod
    def _asked(asked: dict[str, Any]) -> str:
        if not asked.get("path"):
            raise missing("path")
        return str(asked["path"])


def _block(data: str) -> bytes:
    try:
        content = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise Refusal(400, "INVALID_PARAMETER_VALUE", "The content is not valid base64.") from None
    if len(content) > BLOCK:
        raise Refusal(400, "MAX_BLOCK_SIZE_EXCEEDED", "A block can have at most 1 MB.")
    return content
