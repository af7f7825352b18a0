"""The bot's processes as a platform runs them: one web master, some workers, each started again
when it is gone.

Started by the commands of the Procfile, on a leash. Knows nothing of when or why
somebody kills them.
"""

import contextlib
import http.client
import os
import random
import re
import shlex
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sandbox import leash
from sandbox.bot_process import HERE
from sandbox.chaos.diary import Diary

Role = Literal["web", "worker"]


@dataclass(frozen=True)
class Kill:
    """A SIGKILL: when (monotonic seconds), of which kind of process, and how it was aimed."""

    at: float
    role: Role
    how: str


class BotProcesses:
    """Web at `port` and one worker for each environment given. `kills` are those that hit, in
    order.
    """

    def __init__(
        self,
        port: int,
        web: Mapping[str, str],
        workers: Sequence[Mapping[str, str]],
        logs: Path,
        diary: Diary,
    ) -> None:
        self.kills: list[Kill] = []
        self.died: list[str] = []
        self.logs = logs
        self._port, self._diary = port, diary
        self._environments = [_whole(web, port), *(_whole(worker, port) for worker in workers)]
        self._running: list[leash.Leashed | None] = [None] * len(self._environments)
        self._doomed: set[int] = set()
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._watch = threading.Thread(target=self._keep_up, daemon=True, name="platform")

    @property
    def workers(self) -> int:
        """How many workers there are."""
        return len(self._environments) - 1

    @property
    def url(self) -> str:
        """Where web listens."""
        return f"http://127.0.0.1:{self._port}"

    def start(self, timeout: float = 60.0) -> None:
        """Start all and wait until web is ready. Raises RuntimeError with the end of its log."""
        self.logs.mkdir(parents=True, exist_ok=True)
        for number in range(len(self._environments)):
            self._begin(number)
        self._watch.start()
        deadline = time.monotonic() + timeout
        while not self._ready():
            if time.monotonic() > deadline:
                raise RuntimeError(
                    f"The bot did not start. The end of its log:\n{self._log_end('web')}"
                )
            self._stopping.wait(0.05)

    def stop(self) -> None:
        """End everything."""
        self._stopping.set()
        if self._watch.is_alive():
            self._watch.join()
        for process in self._running:
            if process is not None:
                process.kill()

    def kill_worker(self, worker: int, how: str) -> bool:
        """Kill a worker with all it started; False when it is not running just now."""
        return self._kill(worker + 1, "worker", how)

    def kill_web(self) -> bool:
        """Kill gunicorn's master together with its children."""
        return self._kill(0, "web", "master and children")

    def kill_web_child(self, dice: random.Random) -> bool:
        """Kill one of gunicorn's own workers; its master is to notice."""
        with self._lock:
            master = self._running[0]
            children = _children(master.pid) if master is not None and master.poll() is None else []
            if not children:
                return False
            with contextlib.suppress(ProcessLookupError):
                os.kill(dice.choice(children), signal.SIGKILL)
                self._hit("web", "child")
                return True
        return False

    def _kill(self, number: int, role: Role, how: str) -> bool:
        with self._lock:
            process = self._running[number]
            if process is None or process.poll() is not None:
                return False
            self._doomed.add(number)
            self._hit(role, how)
            process.kill()
            return True

    def _hit(self, role: Role, how: str) -> None:
        self.kills.append(Kill(time.monotonic(), role, how))
        self._diary.note("kill", role=role, how=how)

    def _begin(self, number: int) -> None:
        name = _name(number)
        command = _procfile()["web" if number == 0 else "worker"]
        environment = self._environments[number]
        filled = re.sub(
            r"\$\{(\w+):-([^}]*)\}", lambda found: environment.get(found[1], found[2]), command
        )
        words = shlex.split(filled.replace("0.0.0.0", "127.0.0.1"))  # noqa: S104 (the storm stays on this machine)
        target = words[1:] if words[0] == "python" else ["-m", *words]
        self._running[number] = leash.start(
            target, environment=environment, directory=HERE, log=self.logs / f"{name}.log"
        )
        self._diary.note("started", process=name)

    def _keep_up(self) -> None:
        while not self._stopping.wait(0.02):
            for number in range(len(self._environments)):
                with self._lock:
                    process = self._running[number]
                    if process is None or (code := process.poll()) is None:
                        continue
                    if number not in self._doomed:
                        self.died.append(
                            f"{_name(number)} ended by itself with {code}: "
                            f"{self._log_end(_name(number))}"
                        )
                        self._diary.note("died", process=_name(number), code=code)
                    self._doomed.discard(number)
                    process.kill()
                    self._begin(number)

    def _ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _log_end(self, name: str) -> str:
        log = self.logs / f"{name}.log"
        text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        return "\n".join(text.splitlines()[-12:])


def _procfile() -> dict[str, str]:
    lines = (HERE / "Procfile").read_text(encoding="utf-8").splitlines()
    return {
        name: command.strip()
        for name, _, command in (line.partition(":") for line in lines if line)
    }


def _whole(environment: Mapping[str, str], port: int) -> dict[str, str]:
    own = {
        name: os.environ[name]
        for name in ("HOME", "LANG", "TMPDIR", "SSL_CERT_FILE")
        if name in os.environ
    }
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    fixed = {"PATH": path, "PORT": str(port), "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(HERE)}
    return {**own, **fixed, **environment}


def _name(number: int) -> str:
    return "web" if number == 0 else f"worker-{number}"


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(folder.name))
    return found
