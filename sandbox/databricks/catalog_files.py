"""The files of models in Unity Catalog, where Databricks keeps them by itself: each is written and
read by an address.

The calls are those of MLflow's client (mlflow/store/artifact/
presigned_url_artifact_repo.py). An address works for a while and needs no token,
like those of cloud storage; here it leads to the workspace itself.
"""

import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sandbox.databricks.wire import Answer, Call, Handler, Refusal, missing

SIGNED = "/catalog-files/"
"""Where signed addresses begin."""

ASKED = "/api/2.0/fs/"
DIRECTORIES = f"{ASKED}directories"
VALID_SECONDS = 900.0
MODELS = "/Models/"


class CatalogFiles:
    """Everything below `/Models`, kept in `root`. `valid_seconds` is how long an address works."""

    def __init__(self, root: Path, url: Callable[[], str]) -> None:
        self.valid_seconds = VALID_SECONDS
        self._root = root
        self._url = url
        self._signed: dict[str, tuple[str, Path, float]] = {}
        self._lock = threading.Lock()

    def handler(self, call: Call) -> Handler | None:
        """What answers a call, if anything does."""
        if call.method == "POST" and call.path == f"{ASKED}create-upload-url":
            return lambda asked: self._sign("PUT", asked)
        if call.method == "POST" and call.path == f"{ASKED}create-download-url":
            return lambda asked: self._sign("GET", asked)
        if call.method == "GET" and call.path.startswith(DIRECTORIES):
            return self._list
        return None

    def put(self, name: str, version: int, files: Mapping[str, bytes]) -> None:
        """Let a version have these files."""
        for path, content in files.items():
            place = self._place(f"{MODELS}{name.replace('.', '/')}/{version}/{path}")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)

    def remove(self, name: str, version: int | str) -> None:
        """Remove all files of a version."""
        shutil.rmtree(
            self._place(f"{MODELS}{name.replace('.', '/')}/{version}"), ignore_errors=True
        )

    def exchange(self, call: Call) -> Answer:
        """Write or read the file behind a signed address."""
        with self._lock:
            method, place, until = self._signed.get(
                call.path.removeprefix(SIGNED), ("", Path(), 0.0)
            )
        if call.method != method or time.monotonic() >= until:
            # As cloud storage answers, not as the workspace does.
            said = b"<Error><Code>AuthenticationFailed</Code><Message>Signature not valid.</Message></Error>"  # noqa: E501 a table, or a text as it is sent
            return Answer(said, 403, content_type="application/xml")
        if method == "PUT":
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(call.body)
            return Answer(b"", 201)
        if not place.is_file():
            said = b"<Error><Code>BlobNotFound</Code><Message>The specified blob does not exist.</Message></Error>"  # noqa: E501 a table, or a text as it is sent
            return Answer(said, 404, content_type="application/xml")
        return Answer(place.read_bytes(), content_type="application/octet-stream")

    def _sign(self, method: str, call: Call) -> dict[str, Any]:
        path = str(call.json().get("path") or "")
        if not path:
            raise missing("path")
        place = self._place(path)
        signature, now = secrets.token_urlsafe(32), time.monotonic()
        with self._lock:
            self._signed = {key: kept for key, kept in self._signed.items() if kept[2] > now}
            self._signed[signature] = (method, place, now + self.valid_seconds)
        return {"url": f"{self._url()}{SIGNED}{signature}", "headers": []}

    def _list(self, call: Call) -> dict[str, Any]:
        path = call.path.removeprefix(DIRECTORIES).rstrip("/")
        place = self._place(path)
        if not place.is_dir():
            raise Refusal(404, "NOT_FOUND", f"The directory being accessed is not found: {path}")
        found = []
        for child in sorted(place.iterdir()):
            shown: dict[str, Any] = {
                "path": f"{path}/{child.name}",
                "name": child.name,
                "is_directory": child.is_dir(),
            }
            found.append(shown if child.is_dir() else {**shown, "file_size": child.stat().st_size})
        return {"contents": found}

    def _place(self, path: str) -> Path:
        named = re.match(rf"{MODELS}[^/]+/[^/]+/[^/]+/(?=\d+(/|$))", path)
        if named is not None:
            # Unity Catalog does not tell names apart by case alone; storage does so with what is
            # below them.
            place = (
                self._root / named[0].removeprefix(MODELS).lower() / path[named.end() :]
            ).resolve()
            if place.is_relative_to(self._root.resolve()):
                return place
        raise Refusal(400, "INVALID_PARAMETER_VALUE", f"Invalid path: {path}")
