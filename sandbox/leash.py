"""Starting processes that cannot outlive whoever started them.

A leashed process runs in a process group of its own and holds the reading end
of a pipe. When the parent is gone, for whatever reason, the pipe closes and the
process kills its whole group. This also works where `PR_SET_PDEATHSIG` does not:
that one watches the *thread* that started the process, and exists on Linux only.

This file is also the first thing the process itself runs, by path, so that
it works in an environment in which nothing of this repository can be imported.
It knows nothing of what it runs.
"""

import contextlib
import os
import runpy
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path


class Leashed:
    """A running process group; `kill` ends all of it, however often it is called."""

    def __init__(self, process: subprocess.Popen[bytes], leash: int) -> None:
        self._process = process
        self._leash = leash
        self._lock = threading.Lock()

    @property
    def pid(self) -> int:
        """The process id, which is also the id of its process group."""
        return self._process.pid

    def poll(self) -> int | None:
        """The exit code, or None while the process runs."""
        return self._process.poll()

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and give the exit code; `subprocess.TimeoutExpired` after `timeout`
        seconds.
        """
        code = self._process.wait(timeout)
        self.kill()  # Whatever the process left behind in its group ends with it.
        return code

    def kill(self) -> None:
        """End the process and everything it started."""
        with self._lock:
            if self._leash < 0:
                return
            below = _descendants(self._process.pid)
            # Nobody may be left in the group.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            _kill(below)
            os.close(self._leash)
            self._leash = -1
        self._process.wait()


def start(
    target: Sequence[str],
    *,
    python: str = sys.executable,
    environment: Mapping[str, str],
    directory: Path,
    log: Path,
) -> Leashed:
    """Run a Python program on a leash: `["-m", "module", …]` or `["/path/program.py", …]`.

    `environment` is all the process gets to see; stdout and stderr go to `log`,
    and there is nothing to read on stdin.
    """
    watched, leash = os.pipe()
    try:
        with log.open("ab") as output:
            process = subprocess.Popen(
                [python, "-P", __file__, str(watched), *target],
                env=dict(environment),
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=[watched],
                start_new_session=True,
            )
    except BaseException:
        os.close(leash)
        raise
    finally:
        os.close(watched)
    return Leashed(process, leash)


def _end_when_closed(watched: int) -> None:
    while True:
        try:
            if not os.read(watched, 1):
                break
        except InterruptedError:
            continue
        except OSError:
            break
    _kill(_descendants(os.getpid()))
    os.killpg(0, signal.SIGKILL)


def _descendants(pid: int) -> list[int]:
    """What a process started, and what that started, also in groups of their own; nothing where
    there is no /proc.

    A cluster that goes takes everything with it, whatever group it is in.
    """
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            parents[int(folder.name)] = int(
                (folder / "stat").read_text().rpartition(")")[2].split()[1]
            )
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found[1:]


def _kill(pids: Sequence[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _main() -> None:
    watched = int(sys.argv[1])
    os.set_inheritable(watched, False)
    threading.Thread(target=_end_when_closed, args=[watched], daemon=True).start()
    if sys.argv[2] == "-m":
        sys.argv = sys.argv[3:]
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = sys.argv[2:]
        runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    _main()
