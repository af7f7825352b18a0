"""The git side of the stand-in: smart HTTP by `git http-backend`, and what a push sets off.

Fetches stream; a push runs under the world's lock, so that its events follow
from exactly the refs it moved. Partial clones are offered as Azure Repos does:
blob:none and tree:0 only.
https://devblogs.microsoft.com/devops/git-partial-clone-now-supported-in-azure-devops
"""

import io
import subprocess
import tempfile
from collections.abc import Iterator
from typing import IO, cast

from werkzeug import Request, Response

from sandbox.azure_devops import policies, pushes
from sandbox.azure_devops.people import Person
from sandbox.azure_devops.plumbing import ZERO, clean_environment
from sandbox.azure_devops.state import FORKS, RefUpdate, World

SETTINGS = {
    "http.receivepack": "true",
    "receive.autogc": "false",
    "receive.advertiseAtomic": "true",
    "gc.auto": "0",
    "transfer.hideRefs": FORKS,
    "uploadpack.allowFilter": "true",
    "uploadpackfilter.allow": "false",
    "uploadpackfilter.blob:none.allow": "true",
    "uploadpackfilter.tree.allow": "true",
    "uploadpackfilter.tree.maxDepth": "0",
}
SERVICES = ("info/refs", "git-upload-pack", "git-receive-pack")
CHUNK = 64 * 1024
# git runs this for every ref of a push; the list beside it is written before.
UPDATE_HOOK = """#!/bin/sh
case "$1" in refs/pull/*) echo "TF401027: refs/pull is written by the service only." >&2; exit 1;; esac
if [ "$2" != "{zero}" ] && grep -qxF "$1" protected-refs 2>/dev/null; then
  echo "TF402455: Pushes to this branch are not permitted; you must use a pull request to update this branch." >&2
  exit 1
fi
""".replace("{zero}", ZERO)  # noqa: E501 a table, or a text as it is sent


def install(world: World) -> None:
    """Make the repository ready to be served."""
    world.git.create(world.default_branch, SETTINGS)
    hook = world.git.path / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(UPDATE_HOOK)
    hook.chmod(0o755)


def serve(world: World, request: Request, service: str, who: Person) -> Response:
    """Answer one request of a git client; `service` is one of `SERVICES`."""
    with tempfile.TemporaryFile() as body:
        while chunk := request.stream.read(CHUNK):
            body.write(chunk)
        size = body.tell()
        body.seek(0)
        if service != "git-receive-pack":
            return _streamed(_start(world, request, service, who, body, size))
        with world.lock:
            (world.git.path / "protected-refs").write_text(
                "".join(f"{ref}\n" for ref in policies.protected(world))
            )
            before = world.git.refs()
            process = _start(world, request, service, who, body, size)
            output, _ = process.communicate()
            moved(world, who, before, world.git.refs())
        head, _, content = output.partition(b"\r\n\r\n")
        status, headers = _headers(head.decode().splitlines())
        return Response(content, status, headers)


def moved(world: World, who: Person, before: dict[str, str], after: dict[str, str]) -> None:
    """Record the difference between two states of the refs as a push of this person."""
    updates = [
        RefUpdate(name, before.get(name, ZERO), after.get(name, ZERO))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]
    pushes.record(world, who, updates)


def _start(
    world: World, request: Request, service: str, who: Person, body: IO[bytes], size: int
) -> subprocess.Popen[bytes]:
    environment = clean_environment(
        {
            "GIT_PROJECT_ROOT": str(world.git.path.parent),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
            "PATH_INFO": f"/{world.git.path.name}/{service}",
            "REMOTE_USER": who.id,
            "REMOTE_ADDR": request.remote_addr or "",
            "REQUEST_METHOD": request.method,
            "QUERY_STRING": request.query_string.decode(),
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(size),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
        }
    )
    command = ["git", "http-backend"]
    return subprocess.Popen(
        command, stdin=body, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    )


def _streamed(process: subprocess.Popen[bytes]) -> Response:
    output = _Output(process)
    status, headers = _headers(output.head())
    return Response(output, status, headers, direct_passthrough=True)


def _headers(lines: list[str]) -> tuple[int, dict[str, str]]:
    headers = dict(line.split(": ", 1) for line in lines if ": " in line)
    return int(headers.pop("Status", "200").split(" ", 1)[0]), headers


class _Output:
    """A process's output: the head, then the rest in chunks; closing it ends the process."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._pipe = cast(io.BufferedReader, process.stdout)

    def head(self) -> list[str]:
        """The CGI headers, one line each."""
        return list(iter(lambda: self._pipe.readline().strip().decode(), ""))

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self._pipe.read1(CHUNK), b"")

    def close(self) -> None:
        """Let go of the pipe and wait for the process."""
        self._pipe.close()
        self._process.wait()
