"""The bot as its operator starts it: the Procfile, under honcho, with an environment and nothing
else.
"""

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]


class BotProcess:
    """Web and worker, from the Procfile of this checkout, logging to a file."""

    def __init__(self, port: int, log: Path) -> None:
        self.port = port
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where web listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, environment: Mapping[str, str], timeout: float = 60.0) -> None:
        """Start both and wait until web is ready. Raises RuntimeError with the end of the log."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        own = {
            name: os.environ[name]
            for name in ("HOME", "LANG", "TMPDIR", "SSL_CERT_FILE")
            if name in os.environ
        }
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "honcho", "--no-colour", "start"],
                cwd=HERE,
                env={
                    **own,
                    "PATH": path,
                    "PORT": str(self.port),
                    "PYTHONUNBUFFERED": "1",
                    **environment,
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + timeout
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(
                    f"The bot did not start. The end of {self.log}:\n{self._log_end()}"
                )
            time.sleep(0.05)

    def stop(self) -> None:
        """Ask honcho to end both, as a platform does."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def _log_end(self) -> str:
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])
