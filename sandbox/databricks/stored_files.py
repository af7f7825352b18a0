"""The files of runs and of registered versions, handed out as a workspace does: by addresses signed
for a while.

What belongs to a run or a version is what MLflow says: the folder it names, and
nothing that leads out of it. The calls, and what is in them, are those of
MLflow's clients (mlflow/store/artifact/databricks_models_artifact_repo.py,
databricks_artifact_repo.py).
"""

import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from sandbox.databricks.mlflow_proxy import MlflowProxy
from sandbox.databricks.wire import Answer, Call, Refusal, missing

SIGNED = "/stored-files/"
"""Where signed addresses begin; they are asked without a token, like those of cloud storage."""

VALID_SECONDS = 900.0
PAGE = 1000
PIECE = 1024 * 1024
BINARY = "application/octet-stream"


class StoredFiles:
    """Lists a version's files, and signs addresses of those and of runs'. `valid_seconds` is how
    long one works.
    """

    def __init__(self, mlflow: MlflowProxy, url: Callable[[], str]) -> None:
        self.valid_seconds = VALID_SECONDS
        self._mlflow = mlflow
        self._url = url
        self._signed: dict[str, tuple[Path, float]] = {}
        self._lock = threading.Lock()

    def list(self, call: Call) -> dict[str, Any]:
        """`model-versions/list-artifacts`: what is directly in a folder; a file lists itself;
        nothing lists nothing.
        """
        asked = call.asked()
        folder, place = self._place(asked)
        found = [place] if place.is_file() else sorted(place.iterdir()) if place.is_dir() else []
        # A link that leads out of the folder is no file of the version.
        found = [path for path in found if path.resolve().is_relative_to(folder)]
        start = int(asked.get("page_token") or 0)
        files = [_described(path, folder) for path in found[start : start + PAGE]]
        more = {"next_page_token": str(start + PAGE)} if start + PAGE < len(found) else {}
        return ({"files": files} if files else {}) | more

    def sign(self, call: Call) -> dict[str, Any]:
        """`model-versions/get-signed-download-uri` of one file."""
        asked = call.asked()
        _, place = self._place(asked)
        if not place.is_file():
            raise Refusal(
                404, "RESOURCE_DOES_NOT_EXIST", f"{asked.get('path') or 'The model'} is not a file."
            )
        return {"signed_uri": self._address(place), "headers": []}

    def sign_for_reading(self, call: Call) -> dict[str, Any]:
        """`artifacts/credentials-for-read` of files of a run, which need not be there, as in cloud
        storage.
        """
        asked = call.json()
        if not asked.get("run_id"):
            raise missing("run_id")
        run = self._mlflow.ask("GET", "runs/get", run_id=asked["run_id"])["run"]["info"]
        paths = asked.get("path") or []
        places = [_within(str(run.get("artifact_uri") or ""), str(path))[1] for path in paths]
        signed = [
            {
                "run_id": asked["run_id"],
                "path": path,
                "signed_uri": self._address(place),
                "headers": [],
                "type": "AZURE_SAS_URI",
            }
            for path, place in zip(paths, places, strict=True)
        ]
        return {"credential_infos": signed} if signed else {}

    def _address(self, place: Path) -> str:
        signature, now = secrets.token_urlsafe(32), time.monotonic()
        with self._lock:
            self._signed = {key: kept for key, kept in self._signed.items() if kept[1] > now}
            self._signed[signature] = (place, now + self.valid_seconds)
        return f"{self._url()}{SIGNED}{signature}"

    def fetch(self, call: Call) -> Answer:
        """The file behind a signed address, or the part of it that a `Range` asks for."""
        with self._lock:
            place, until = self._signed.get(call.path.removeprefix(SIGNED), (Path(), 0.0))
        if call.method in ("GET", "HEAD") and time.monotonic() < until and not place.is_file():
            said = b"<Error><Code>BlobNotFound</Code><Message>The specified blob does not exist.</Message></Error>"  # noqa: E501 a table, or a text as it is sent
            return Answer(said, 404, content_type="application/xml")
        if call.method not in ("GET", "HEAD") or time.monotonic() >= until:
            # As cloud storage answers, not as the workspace does.
            said = b"<Error><Code>AuthenticationFailed</Code><Message>Signature not valid.</Message></Error>"  # noqa: E501 a table, or a text as it is sent
            return Answer(said, 403, content_type="application/xml")
        size = place.stat().st_size
        ranged = re.fullmatch(r"bytes=(\d+)-(\d*)", call.headers.get("Range", ""))
        if ranged is None:
            return Answer(
                _pieces(place, 0, size), headers={"Content-Length": str(size)}, content_type=BINARY
            )
        first, last = int(ranged[1]), min(int(ranged[2] or size), size - 1)
        if first > last:
            return Answer(b"", 416, {"Content-Range": f"bytes */{size}"}, BINARY)
        length = last - first + 1
        headers = {"Content-Length": str(length), "Content-Range": f"bytes {first}-{last}/{size}"}
        return Answer(_pieces(place, first, length), 206, headers, BINARY)

    def _place(self, asked: dict[str, Any]) -> tuple[Path, Path]:
        """The folder of a version, and what `path` names in it."""
        for name in ("name", "version"):
            if not asked.get(name):
                raise missing(name)
        found = self._mlflow.ask(
            "GET", "model-versions/get-download-uri", name=asked["name"], version=asked["version"]
        )
        return _within(str(found.get("artifact_uri") or ""), str(asked.get("path") or ""))


def _within(artifact_uri: str, path: str) -> tuple[Path, Path]:
    """The folder that MLflow names, and what `path` names in it."""
    parts = urlsplit(artifact_uri)
    if parts.scheme not in ("", "file") or parts.netloc or not parts.path:
        raise Refusal(
            501,
            "NOT_IMPLEMENTED",
            f"These files are at {parts.scheme or '?'}:, out of this machine.",
        )
    folder = Path(unquote(parts.path) if parts.scheme else parts.path).resolve()
    place = (folder / path.lstrip("/")).resolve()
    if not place.is_relative_to(folder):
        raise Refusal(400, "INVALID_PARAMETER_VALUE", f"Invalid path: {path}")
    return folder, place


def _described(path: Path, folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {"path": path.relative_to(folder).as_posix(), "is_dir": path.is_dir()}
    return found if path.is_dir() else {**found, "file_size": path.stat().st_size}


def _pieces(path: Path, start: int, length: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        while length > 0 and (piece := file.read(min(PIECE, length))):
            length -= len(piece)
            yield piece
