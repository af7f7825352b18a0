"""MLflow projects as processes of this machine, for laptops and small teams.

A run is the launcher in a session of its own, with an environment that holds
nothing of the bot's, a deadline, and a folder that says how it ended. It lives
on when the worker dies; any worker of the same machine finds it by its folder.
It cannot look into the bot's processes, but it is the same user: what that user
may read on disk, a project may read.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.backends import archive, launcher, project
from bot.backends.run import LogChunk, RunStatus, Submission
from bot.errors import NotFound

LARGEST_LOG = 5 * 1024 * 1024
LARGEST_PART = 1024 * 1024
"""How much of a log is read once its run has ended, and at a time before that, in bytes."""

_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


class Local:
    """Runs below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def submit(self, submission: Submission) -> str:
        """Start the launcher for the project; a second submission under the same token starts
        nothing.
        """
        home = self._folder / submission.token
        if (home / "process.json").exists():
            return submission.token
        found = project.read(submission.folder)
        command = project.command(found, submission.entry_point, submission.parameters)
        packed = archive.archive(submission.folder)
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True, mode=0o700)
        (home / "project.tgz").write_bytes(packed)
        order = {
            "archive": str(home / "project.tgz"),
            "command": command,
            "environment": dict(submission.environment),
            "timeout": submission.timeout,
            "result": str(home / "result.json"),
            "log": str(home / "output.log"),
            "fenced": True,
        }
        (home / "order.json").write_text(json.dumps(order), encoding="utf-8")
        process = subprocess.Popen(
            [sys.executable, launcher.__file__, str(home / "order.json")],
            cwd=home,
            env=_environment(home),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        # From here on it is looked at by its number alone, from any process; Popen would warn of a
        # child left behind.
        process.returncode = 0
        started = {
            "pid": process.pid,
            "born": _born(process.pid),
            "started": datetime.now(UTC).isoformat(),
        }
        written = home / "process.json.new"
        written.write_text(json.dumps(started), encoding="utf-8")
        written.rename(home / "process.json")
        return submission.token

    def look(self, run: str) -> RunStatus:
        """Read how the run ended, or whether its process still lives. Raises NotFound for an
        unknown run.
        """
        home = self._folder / run
        process = _read(home / "process.json")
        if process is None:
            raise NotFound("this machine", f"No run {run} was started on this machine.")
        started = datetime.fromisoformat(process["started"])
        # Asked before the result is read: a process that ends in between has written it.
        alive = _alive(process)
        result = _read(home / "result.json")
        log = _tail(home / "output.log")
        if result is None and alive:
            return RunStatus(None, log=log, started=started)
        if result is None:
            ended = datetime.now(UTC)
        else:
            ended = _changed(home / "result.json")
        stopped = result is None or result["exit_code"] != 0 or result["reason"]
        if stopped and (home / "cancelled").exists():
            return RunStatus(
                "cancelled", "the run was cancelled", log, started=started, ended=ended
            )
        if result is None:
            return RunStatus(
                "no cluster", "the run's process disappeared", log, started=started, ended=ended
            )
        if result["timed_out"]:
            return RunStatus("timed out", str(result["reason"]), log, started=started, ended=ended)
        if result["exit_code"] == 0 and not result["reason"]:
            return RunStatus("succeeded", log=log, started=started, ended=ended)
        return RunStatus("failed", str(result["reason"]), log, started=started, ended=ended)

    def live_log(self, run: str, token: str, offset: int) -> LogChunk:  # noqa: ARG002 (a run here is its token)
        """Read on in the run's output."""
        return _read_on(self._folder / run / "output.log", offset, LARGEST_PART)

    def whole_log(self, run: str, token: str) -> LogChunk:  # noqa: ARG002
        """Read the end of the run's output, as much as is kept of any."""
        return _read_on(self._folder / run / "output.log", 0, LARGEST_LOG)

    def cancel(self, run: str) -> None:
        """Ask the launcher to end the project and everything it started."""
        process = _read(self._folder / run / "process.json")
        if process is not None and _alive(process):
            (self._folder / run / "cancelled").touch()
            with contextlib.suppress(ProcessLookupError):
                os.kill(process["pid"], signal.SIGTERM)


def _environment(home: Path) -> Mapping[str, str]:
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**kept, "HOME": str(home), "MLFLOW_DISABLE_TELEMETRY": "true"}


def _changed(file: Path) -> datetime:
    return datetime.fromtimestamp(file.stat().st_mtime, UTC)


def _read(file: Path) -> dict[str, Any] | None:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def _alive(process: Mapping[str, Any]) -> bool:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(process["pid"], os.WNOHANG)
    born = _born(process["pid"])
    return born is not None and born == str(process["born"])


def _born(pid: int) -> str | None:
    # The start time tells a process from a later one that was given its number.
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        found = subprocess.run(
            ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        return found.stdout.strip() or None
    if fields[0] == "Z":
        return None
    return fields[19]


def _read_on(file: Path, offset: int, most: int) -> LogChunk:
    try:
        with file.open("rb") as stream:
            start = max(offset, stream.seek(0, os.SEEK_END) - most)
            stream.seek(start)
            return LogChunk(stream.read(most), start, cut=start > offset)
    except FileNotFoundError:
        return LogChunk(b"", offset)


def _tail(file: Path, lines: int = 60, longest: int = 200_000) -> str:
    try:
        with file.open("rb") as stream:
            stream.seek(max(0, file.stat().st_size - longest))
            return "\n".join(stream.read().decode("utf-8", "replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""
