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
from bot.facts.runs import Outcome

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
        mlproject = project.read(submission.folder)
        command = project.command(mlproject, submission.entry_point, submission.parameters)
        packed = archive.archive(submission.folder)
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True, mode=0o700)
        (home / "project.tgz").write_bytes(packed)
        order = _order(home, command, submission)
        (home / "order.json").write_text(json.dumps(order), encoding="utf-8")
        _note(home, _launch(home))
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
        outcome, reason = _ending(result, cancelled=(home / "cancelled").exists())
        return RunStatus(outcome, reason, log, started=started, ended=ended)

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


def _ending(result: Mapping[str, Any] | None, *, cancelled: bool) -> tuple[Outcome, str]:
    """How a run whose process is gone ended, and why, by what the launcher wrote of it."""
    succeeded = result is not None and result["exit_code"] == 0 and not result["reason"]
    if cancelled and not succeeded:
        return "cancelled", "the run was cancelled"
    if result is None:
        return "no cluster", "the run's process disappeared"
    if result["timed_out"]:
        return "timed out", str(result["reason"])
    if succeeded:
        return "succeeded", ""
    return "failed", str(result["reason"])


def _order(home: Path, command: str, submission: Submission) -> dict[str, Any]:
    return {
        "archive": str(home / "project.tgz"),
        "command": command,
        "environment": dict(submission.environment),
        "timeout": submission.timeout,
        "result": str(home / "result.json"),
        "log": str(home / "output.log"),
        "fenced": True,
    }


def _launch(home: Path) -> int:
    """Start the launcher with the order that lies in the folder; gives the number of its
    process.
    """
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
    return process.pid


def _note(home: Path, pid: int) -> None:
    """Write down which process the run is, whole or not at all."""
    process = {"pid": pid, "born": _born(pid), "started": datetime.now(UTC).isoformat()}
    written = home / "process.json.new"
    written.write_text(json.dumps(process), encoding="utf-8")
    written.rename(home / "process.json")


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
        listed = subprocess.run(
            ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        return listed.stdout.strip() or None
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
            text = stream.read().decode("utf-8", "replace")
        return "\n".join(text.splitlines()[-lines:])
    except FileNotFoundError:
        return ""
