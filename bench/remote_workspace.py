"""The stand-in workspace as a process of its own that answers as late as a distant one, and
somebody who watches it.

The watcher is a third process. It looks at the tree on disk, where an object is there from the
moment at which a caller would find it, and gone from the moment at which none would.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from sandbox.databricks import Databricks

TOKEN = "dapi-bench"  # noqa: S105 (made up, for a workspace on this machine)
FOLDER = "/Shared/mlflow_hooks"
LOOKS_EVERY = 0.002

_process = get_context("spawn")


@dataclass(frozen=True)
class Measured:
    """What a deployment took. `missing`: seconds in which a notebook was away that was there before
    and is after.
    """

    seconds: float
    calls: int
    in_flight: int
    missing: float


class RemoteWorkspace:
    """A workspace with everything it keeps below `root`; `latency` seconds for each call once
    `be_distant` was said.
    """

    def __init__(self, root: Path, host: str = "127.0.0.1", port: int = 0) -> None:
        self._conn, theirs = _process.Pipe()
        self._server = _process.Process(target=_serve, args=(root, host, port, theirs), daemon=True)
        self._server.start()
        self.url, trouble = self._conn.recv()
        self._disk = root / "workspace" / FOLDER.lstrip("/")
        if trouble:
            raise OSError(trouble)

    def be_distant(self, latency: float) -> None:
        """Take so many seconds for each call from now on."""
        self._ask("latency", latency)

    def holds(self) -> dict[str, bytes]:
        """The content of each object in the folder by its name."""
        return (
            {one.name: one.read_bytes() for one in self._disk.iterdir()}
            if self._disk.is_dir()
            else {}
        )

    def measure(self, deploy: Callable[[], object]) -> Measured:
        """Deploy once, and tell what it took."""
        self._ask("forget")
        with _watched(self._disk, set(os.listdir(self._disk))) as missing:
            begun = time.monotonic()
            deploy()
            seconds = time.monotonic() - begun
        spans: list[tuple[float, float]] = self._ask("calls")
        edges = sorted([(begin, 1) for begin, _ in spans] + [(end, -1) for _, end in spans])
        open_, most = 0, 0
        for _, step in edges:
            open_ += step
            most = max(most, open_)
        return Measured(seconds, len(spans), most, missing[0])

    def stop(self) -> None:
        """End it; what it kept stays."""
        self._conn.send(("stop", None))
        self._server.join()

    def _ask(self, what: str, value: object = None) -> Any:
        self._conn.send((what, value))
        return self._conn.recv()


def _serve(root: Path, host: str, port: int, conn: Connection) -> None:
    workspace = Databricks(root, tokens={TOKEN: "signalman"})
    try:
        workspace.start(port, host)
    except (OSError, SystemExit) as error:  # werkzeug leaves by the latter.
        conn.send(("", f"{host}:{port} cannot be had ({error})"))
        return
    conn.send((workspace.url, ""))
    with workspace:
        while True:
            what, value = conn.recv()
            match what:
                case "latency":
                    workspace.latency = value
                    conn.send(None)
                case "forget":
                    workspace.calls.clear()
                    conn.send(None)
                case "calls":
                    # What a client asks before its first call is no part of a deployment.
                    asked = [call for call in workspace.calls if call.path.startswith("/api/")]
                    conn.send([(call.at - call.seconds, call.at) for call in asked])
                case _:
                    return


@contextmanager
def _watched(folder: Path, names: set[str]) -> Iterator[list[float]]:
    """Look at a folder all the while; afterwards the list holds for how many seconds one of the
    names was not there.
    """
    missing: list[float] = []
    conn, theirs = _process.Pipe()
    watcher = _process.Process(target=_watch, args=(folder, names, theirs), daemon=True)
    watcher.start()
    conn.recv()
    try:
        yield missing
    finally:
        conn.send("stop")
        missing.append(conn.recv())
        watcher.join()


def _watch(folder: Path, names: set[str], conn: Connection) -> None:
    missing, since = 0.0, 0.0
    conn.send("watching")
    stop = False
    while not stop:
        stop = conn.poll(LOOKS_EVERY)
        now = time.monotonic()
        if since:
            missing += now - since
        since = 0.0 if names <= _names(folder) else now
    conn.send(missing)


def _names(folder: Path) -> set[str]:
    try:
        return set(os.listdir(folder))
    except FileNotFoundError:
        return set()
