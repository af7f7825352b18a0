"""REST: files and folders at a version, and blobs by id."""

import mimetypes
from typing import Any
from urllib.parse import quote

from sandbox.azure_devops import shapes
from sandbox.azure_devops.api_repositories import REPOSITORY, resolved
from sandbox.azure_devops.calls import Answer, Call, Routes, listed
from sandbox.azure_devops.git_objects import Entry
from sandbox.azure_devops.refusal import Refusal

routes = Routes()


@routes("GET", f"{REPOSITORY}/items")
def items(call: Call) -> Answer:
    """One item (`path`): its raw text, or JSON with `$format=json`; or a list below `scopePath`."""
    kind = call.asked("versionDescriptor.versionType", "versionType")
    version = call.asked("versionDescriptor.version", "version")
    commit = resolved(call, version, kind)
    path, scope = call.asked("path"), call.asked("scopePath")
    level = (call.asked("recursionLevel") or "none").lower()
    wanted = (path or scope or "/").strip("/")
    entry = call.world.git.entry(commit, wanted)
    if entry is None:
        raise _missing(call, wanted, version, kind, commit)
    form = (call.asked("$format") or "").lower()
    if form == "zip":
        content = call.world.git.run(
            "archive", "--format=zip", commit, *([wanted] if wanted else [])
        )
        return Answer(content, content_type="application/zip")
    if path is None or entry.kind == "tree":
        return listed(_list(call, commit, entry, level))
    content = call.world.git.blob(entry.object_id) or b""
    if form == "json" or "application/json" in (call.asked("accept") or ""):
        shape = _item(call, commit, entry)
        if call.asked_yes("includeContent"):
            shape["content"] = content.decode("utf-8", "replace")
        if call.asked_yes("includeContentMetadata"):
            shape["contentMetadata"] = _metadata(call, entry, content)
        return Answer(shape)
    binary = form == "octetstream" or call.asked_yes("download") or b"\0" in content[:8000]
    return Answer(content, content_type="application/octet-stream" if binary else "text/plain")


@routes("GET", f"{REPOSITORY}/blobs/{{sha1}}")
def blob(call: Call) -> Answer:
    """A blob by its object id: raw, or its size with `$format=json`."""
    world, sha = call.world, call.path["sha1"]
    content = world.git.blob(sha) if len(sha) == 40 else None
    if content is None:
        raise Refusal(
            404, "GitObjectDoesNotExistException", f"TF401035: The object '{sha}' does not exist."
        )
    if (call.asked("$format") or "").lower() != "json":
        return Answer(content, content_type="application/octet-stream")
    url, base = f"{shapes.repository_url(world)}/blobs/{sha}", shapes.repository_url(world)
    links = {"self": {"href": url}, "repository": {"href": base}}
    return Answer({"objectId": sha, "size": len(content), "url": url, "_links": links})


def _list(call: Call, commit: str, top: Entry, level: str) -> list[dict[str, Any]]:
    below: list[Entry] = []
    if top.kind == "tree" and level != "none":
        below = call.world.git.tree(commit, top.path, recursive=level == "full")
    return [_item(call, commit, entry) for entry in [top, *below]]


def _item(call: Call, commit: str, entry: Entry) -> dict[str, Any]:
    url = f"{shapes.repository_url(call.world)}/items/{quote(entry.path)}?versionType=Commit&version={commit}"  # noqa: E501 a table, or a text as it is sent
    shape: dict[str, Any] = {
        "objectId": entry.object_id,
        "gitObjectType": entry.kind,
        "commitId": commit,
        "path": f"/{entry.path}",
        "url": url,
    }
    if entry.kind == "tree":
        shape["isFolder"] = True
    if entry.mode == "120000":
        shape["isSymLink"] = True
    return shape


def _metadata(call: Call, entry: Entry, content: bytes) -> dict[str, Any]:
    name = entry.path.rsplit("/", 1)[-1]
    guessed = mimetypes.guess_type(name)[0] or "text/plain"
    binary = b"\0" in content[:8000]
    shape: dict[str, Any] = {"encoding": 65001, "contentType": guessed, "fileName": name}
    shape["extension"] = name.rsplit(".", 1)[-1] if "." in name else ""
    shape["vsLink"] = f"{shapes.web_url(call.world)}?path=/{quote(entry.path)}"
    return shape | ({"isBinary": True, "encoding": -1} if binary else {})


def _missing(call: Call, path: str, version: str | None, kind: str | None, commit: str) -> Refusal:
    descriptor = f"<{(kind or 'branch').capitalize()}: {version or call.world.default_branch} >"
    return Refusal(
        404,
        "GitItemNotFoundException",
        f"TF401174: The item '/{path}' could not be found in the repository "
        f"'{call.world.repository}' at the version specified by '{descriptor}' (resolved to commit "
        f"'{commit}').",
    )
