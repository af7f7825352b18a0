"""The Workspace API 2.0: import, export, get-status, list, delete, mkdirs.

https://docs.databricks.com/api/workspace/workspace
"""

import base64
import binascii
from pathlib import PurePosixPath
from typing import Any

from sandbox.databricks import jupyter
from sandbox.databricks.tree import EXTENSION, LANGUAGE, Tree, header, language_of_source, normal
from sandbox.databricks.wire import Answer, Call, Refusal, missing

LIMIT = 10 * 1024 * 1024


class WorkspaceApi:
    """Answers the calls below `/api/2.0/workspace/`."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree

    def get_status(self, call: Call) -> dict[str, Any]:
        """One object, described."""
        return self.tree.info(self._path(call.asked()))

    def list(self, call: Call) -> dict[str, Any]:
        """The objects in a directory, or the object itself; an empty directory has no `objects` at
        all.
        """
        found = self.tree.listing(self._path(call.asked()))
        return {"objects": found} if found else {}

    def make_directories(self, call: Call) -> dict[str, Any]:
        """`mkdirs`."""
        self.tree.make_directories(self._path(call.json()))
        return {}

    def delete(self, call: Call) -> dict[str, Any]:
        """`delete`."""
        asked = call.json()
        self.tree.remove(self._path(asked), recursive=_true(asked.get("recursive")))
        return {}

    def put(self, call: Call) -> dict[str, Any]:
        """`import`, with the content in base64 or as the file of a form."""
        asked: dict[str, Any] = dict(call.form) if call.form or call.uploads else call.json()
        path = normal(self._path(asked))
        if "content" in call.uploads:
            content = call.uploads["content"]
            too_much = len(content) > LIMIT
        else:
            if asked.get("content") is None:
                raise missing("content")
            too_much = len(asked["content"]) > LIMIT
            content = _decoded(asked["content"])
        if too_much:
            raise Refusal(
                400,
                "MAX_NOTEBOOK_SIZE_EXCEEDED",
                f"The content of {path} exceeds the limit of 10 MB.",
            )
        place, kind, language, stored = self._read_as(path, content, asked)
        self.tree.write(place, stored, kind, language, overwrite=_true(asked.get("overwrite")))
        return {}

    def export(self, call: Call) -> dict[str, Any] | Answer:
        """`export`, as base64 or directly."""
        asked = call.asked()
        path = normal(self._path(asked))
        info = self.tree.info(path)
        if info["object_type"] == "DIRECTORY":
            raise Refusal(
                400,
                "INVALID_PARAMETER_VALUE",
                f"{path} is a directory; this workspace exports single objects only.",
            )
        content = self.tree.read(path)
        extension = PurePosixPath(path).suffix
        if info["object_type"] == "NOTEBOOK":
            extension = EXTENSION[str(info["language"])]
            wanted = asked.get("format", "SOURCE")
            if wanted == "JUPYTER":
                content, extension = jupyter.from_source(content), ".ipynb"
            elif wanted not in ("SOURCE", "AUTO", "RAW"):
                raise Refusal(
                    400, "INVALID_PARAMETER_VALUE", f"Format {wanted} is not supported for {path}."
                )
        if len(content) > LIMIT:
            raise Refusal(
                400,
                "MAX_NOTEBOOK_SIZE_EXCEEDED",
                f"The content of {path} exceeds the limit of 10 MB.",
            )
        if _true(asked.get("direct_download")):
            name = PurePosixPath(path).stem + extension
            return Answer(
                content,
                content_type="application/octet-stream",
                headers={"Content-Disposition": f'attachment; filename="{name}"'},
            )
        return {"content": base64.b64encode(content).decode(), "file_type": extension.lstrip(".")}

    def _read_as(
        self, path: str, content: bytes, asked: dict[str, Any]
    ) -> tuple[str, str, str | None, bytes]:
        """Path, kind, language and stored bytes that a format makes of what was sent."""
        wanted = asked.get("format") or "SOURCE"
        suffix = PurePosixPath(path).suffix
        bare = path.removesuffix(suffix) if suffix else path
        if wanted == "RAW":
            return path, "FILE", None, content
        if wanted == "JUPYTER":
            return path.removesuffix(".ipynb"), "NOTEBOOK", "PYTHON", jupyter.to_source(content)
        if wanted == "AUTO":
            if suffix == ".ipynb":
                return bare, "NOTEBOOK", "PYTHON", jupyter.to_source(content)
            language = LANGUAGE.get(suffix.lower())
            if language and language_of_source(content) == (
                "PYTHON" if language == "R" else language
            ):
                return bare, "NOTEBOOK", language, content
            return path, "FILE", None, content
        if wanted == "SOURCE":
            language = asked.get("language")
            if not language:
                raise missing("language")
            if language not in EXTENSION:
                raise Refusal(400, "INVALID_PARAMETER_VALUE", f"Unknown language: {language}")
            if not content.startswith(header(language).encode()):
                content = header(language).encode() + b"\n" + content
            return path, "NOTEBOOK", language, content
        raise Refusal(
            400, "INVALID_PARAMETER_VALUE", f"Importing the format {wanted} is not supported here."
        )

    @staticmethod
    def _path(asked: dict[str, Any]) -> str:
        path = asked.get("path")
        if not path:
            raise missing("path")
        return str(path)


def _true(value: object) -> bool:
    return value is True or str(value).lower() == "true"


def _decoded(content: str) -> bytes:
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        raise Refusal(400, "INVALID_PARAMETER_VALUE", "The content is not valid base64.") from None
