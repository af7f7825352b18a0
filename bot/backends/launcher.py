"""What runs on the cluster: unpacks a project, runs its command, and says how it ended.

One file, standard library only, Python 3.8 or newer, importing nothing of the
bot: it is uploaded as it stands and started as `launcher.py <json>`, on
Databricks as a `spark_python_task` and on one machine as a subprocess. The
argument is a JSON object, or the path of a file that holds one:

    {"archive": "/Workspace/…/<digest>.tgz",   the project, as `project.archive` packs it
     "command": "python train.py …",           run by bash in the unpacked folder
     "environment": {"MLFLOW_RUN_ID": "…"},    added to the launcher's own
     "timeout": 3600,                          seconds; null or absent for none
     "result": "/path/result.json",            optional: how it ended, written whole or not at all
     "log": "/path/output.log",                optional: a copy of the output
     "live": "/Workspace/…/<token>.log",       optional: its newest part, for who reads it meanwhile
     "fenced": true}                           optional: let it look into no process but its own

It ends quietly when the command did, and otherwise by an exception whose text
is the one sentence a person needs: Databricks shows that as the run's error.
It does not know MLflow: which run to log to is a variable in `environment`.
"""

from __future__ import annotations

import collections
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from types import FrameType
from typing import IO, Any, TextIO, cast

GRACE_SECONDS = 5.0
LARGEST_UNPACKED_MB = 500
LONGEST_LINE = 64 * 1024
LONGEST_REASON = 500
LOG_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND
LIVE_SECONDS = 2.0
LIVE_BYTES = 256 * 1024
SECRET_NAME = re.compile(
    r"(TOKEN|SECRET|PASSWORD|PASSWD|(API|ACCESS|ACCOUNT|PRIVATE)_?KEY)$", re.IGNORECASE
)
SHORTEST_SECRET = 8
LANDLOCK_CREATE, LANDLOCK_RESTRICT_SELF = 444, 446


class RunFailed(Exception):
    """The project did not do what it should; the text is one sentence for people."""


class _Stopped(BaseException):
    """Somebody asked the launcher to stop (SIGTERM)."""


class _Stop:
    """Raises `_Stopped` once on SIGTERM, but not while the project is being started and could not
    be ended yet.
    """

    def __init__(self) -> None:
        self._asked = False
        self._held = False
        try:
            self._before: Any = signal.signal(signal.SIGTERM, self._hear)
        except ValueError:  # not the main thread: the platform ends this process itself
            self._before = None

    def hold(self) -> None:
        """Keep the signal back from here on."""
        self._held = True

    def let_go(self) -> None:
        """Raise it from here on, and what was kept back at once."""
        self._held = False
        if self._asked:
            raise _Stopped

    def forget(self) -> None:
        """Let SIGTERM do what it did before."""
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)

    def _hear(self, _signum: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self._asked = True
        if not self._held:
            raise _Stopped


class Output:
    """Where the project's lines go: standard output, the log if there is one, and a short memory
    for the reason.

    What the environment calls a secret (the token of the run's own identity, for one) goes nowhere.
    """

    def __init__(self, log: str | None = None, live: LiveLog | None = None) -> None:
        self._live = live
        self._secrets: list[str] = []
        self._log: TextIO | None = None
        if log:
            descriptor = os.open(log, LOG_FLAGS, 0o600)
            self._log = os.fdopen(descriptor, "w", encoding="utf-8", errors="replace")
        self._last: collections.deque[str] = collections.deque(maxlen=200)
        self._lock = threading.Lock()

    def write(self, line: str) -> None:
        """Pass one line on at once. A closed reader on the other side does not stop the project."""
        with self._lock:
            for secret in self._secrets:
                line = line.replace(secret, "***")
            self._last.append(line[:LONGEST_REASON].rstrip())
            if self._live is not None:
                self._live.add(line)
            for stream in (sys.stdout, self._log):
                try:
                    if stream is not None:
                        stream.write(line)
                        stream.flush()
                except (OSError, ValueError):
                    pass

    def hide(self, environment: dict[str, str]) -> None:
        """Keep back the values of all variables that are named like secrets."""
        secrets = {value for name, value in environment.items() if SECRET_NAME.search(name)}
        long_enough = [secret for secret in secrets if len(secret) >= SHORTEST_SECRET]
        self._secrets = sorted(long_enough, key=len, reverse=True)

    def reason(self) -> str:
        """The line that says best why a program ended badly: its exception, else the last thing it
        said.
        """
        with self._lock:
            lines = [line for line in self._last if line.strip()]
        exception = _after_the_last_traceback(lines)
        if exception is not None:
            return exception
        if lines:
            return lines[-1].strip()
        return ""

    def close(self) -> None:
        """Close the log."""
        with self._lock:
            if self._log is not None:
                self._log.close()
                self._log = None
        if self._live is not None:
            self._live.close()


def _after_the_last_traceback(lines: list[str]) -> str | None:
    """The first line after the last traceback, when it is among the last ten: a traceback further
    up was reported and survived.
    """
    starts = [
        at for at, line in enumerate(lines) if line.startswith("Traceback (most recent call last)")
    ]
    if not starts:
        return None
    for at in range(starts[-1] + 1, len(lines)):
        if not lines[at].startswith((" ", "\t")):
            if len(lines) - at <= 10:
                return lines[at]
            return None
    return None


class LiveLog:
    """The newest part of the output in a file that is written anew every two seconds, if there is
    anything new.

    Its first line tells how many bytes were written before that part. It is written in place, so
    whoever reads it meanwhile may find less, but nothing wrong. A place that cannot be written to
    holds up nobody.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._start = 0
        self._part = bytearray()
        self._new = False
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._writer = threading.Thread(target=self._keep_writing, daemon=True)
        self._writer.start()

    def add(self, line: str) -> None:
        """Take one line; writes nothing yet."""
        with self._lock:
            self._part += line.encode("utf-8", "replace")
            over = len(self._part) - LIVE_BYTES
            if over > 0:
                del self._part[:over]
                self._start += over
            self._new = True

    def close(self) -> None:
        """Write what is left, unless that takes too long."""
        self._ended.set()
        self._writer.join(GRACE_SECONDS)

    def _keep_writing(self) -> None:
        while not self._ended.wait(LIVE_SECONDS):
            self._write()
        self._write()

    def _write(self) -> None:
        with self._lock:
            if not self._new:
                return
            content = b"%d\n%s" % (self._start, self._part)
            self._new = False
        try:
            with open(self._path, "wb", buffering=0) as file:
                file.write(content)
        except OSError:
            pass  # the next part holds this one too


def main(argv: list[str]) -> None:
    """Run what `argv[1]` describes; raises RunFailed with the reason when it did not end well."""
    order = _read_order(argv)
    if order.get("fenced"):
        fence()
    started = time.monotonic()
    ending: dict[str, Any] = {"exit_code": None, "timed_out": False, "seconds": 0.0, "reason": None}
    live_path = _live_path(order.get("live"), argv[0])
    live = None
    if live_path is not None:
        live = LiveLog(live_path)
    output = Output(order.get("log"), live)
    folder = tempfile.mkdtemp(prefix="project-")
    stop = _Stop()
    try:
        try:
            _unpack(_find_archive(order["archive"], argv[0]), folder)
            _run(order, folder, output, ending, stop)
        except _Stopped:
            raise RunFailed(
                "The run was stopped from outside before the project had ended."
            ) from None
    except RunFailed as failure:
        ending["reason"] = str(failure)
        output.write(f"launcher: {failure}\n")
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        output.close()
        ending["seconds"] = round(time.monotonic() - started, 3)
        _write_result(order.get("result"), ending)
        stop.forget()


def _read_order(argv: list[str]) -> dict[str, Any]:
    if len(argv) != 2:
        raise RunFailed(
            "The launcher takes one argument, a JSON object or the path of a file that holds one."
        )
    text = argv[1]
    try:
        if not text.lstrip().startswith("{"):
            with open(text, encoding="utf-8") as file:
                text = file.read()
        order = json.loads(text)
    except (OSError, ValueError) as error:
        raise RunFailed(f"The launcher's argument is not readable JSON: {error}.") from None
    for key in ("archive", "command"):
        if not isinstance(order, dict) or not isinstance(order.get(key), str):
            raise RunFailed(f'The launcher\'s argument lacks "{key}".')
    return dict(order)


def _find_archive(path: str, script: str) -> str:
    """Where the archive is: the path it was uploaded to, or wherever the platform put the
    launcher's files.
    """
    name = os.path.basename(path)
    candidates = [
        path,
        os.path.join(os.getcwd(), name),
        os.path.join(os.path.dirname(os.path.abspath(script)), name),
    ]
    for candidate in candidates:
        if os.path.isfile(candidate):
            return candidate
    raise RunFailed(
        "The project's archive was not found; looked for {}.".format(" and ".join(candidates))
    )


def _live_path(path: str | None, script: str) -> str | None:
    """Where the live log may be written: where it was asked for, or in a folder of that name beside
    the launcher's.
    """
    if not path:
        return None
    folder, name = os.path.split(path)
    beside = os.path.dirname(os.path.dirname(os.path.abspath(script)))
    for candidate in (folder, os.path.join(beside, os.path.basename(folder))):
        try:
            if os.path.isdir(os.path.dirname(candidate)):
                os.makedirs(candidate, exist_ok=True)
                return os.path.join(candidate, name)
        except OSError:
            continue
    return None


def _unpack(archive: str, folder: str) -> None:
    """Write the archive's files and folders below `folder`; whatever else is in it is refused."""
    total = 0
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                parts = member.name.split("/")
                if _leads_out(member.name):
                    raise RunFailed(
                        f"The project's archive is refused: {member.name!r} leads out of it."
                    )
                target = os.path.join(folder, *[part for part in parts if part not in ("", ".")])
                if member.isdir():
                    os.makedirs(target, exist_ok=True)
                    continue
                if not member.isreg():
                    raise RunFailed(
                        f"The project's archive is refused: {member.name!r} is not a plain file."
                    )
                total += member.size
                if total > LARGEST_UNPACKED_MB * 1024 * 1024:
                    raise RunFailed(
                        "The project's archive is refused: it unpacks to more than "
                        f"{LARGEST_UNPACKED_MB} MB."
                    )
                os.makedirs(os.path.dirname(target), exist_ok=True)
                source = cast("IO[bytes]", tar.extractfile(member))
                with source, open(target, "wb") as copy:
                    shutil.copyfileobj(source, copy)
                os.chmod(target, 0o755 if member.mode & 0o100 else 0o644)
    except (OSError, EOFError, tarfile.TarError) as error:
        raise RunFailed(f"The project's archive could not be unpacked: {error}.") from None


def _leads_out(name: str) -> bool:
    absolute = name.startswith("/")
    upwards = ".." in name.split("/")
    return absolute or upwards or "\\" in name or "\0" in name


def _run(
    order: dict[str, Any], folder: str, output: Output, ending: dict[str, Any], stop: _Stop
) -> None:
    timeout = order.get("timeout")
    _adopt_orphans()
    shell = shutil.which("bash") or "sh"
    environment = _environment(order.get("environment") or {})
    output.hide(environment)
    stop.hold()
    process = subprocess.Popen(
        [shell, "-c", order["command"]],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        # Its own session and process group, so that everything it starts can be ended together.
        start_new_session=True,
    )
    reader = threading.Thread(target=_pump, args=(process.stdout, output), daemon=True)
    reader.start()
    try:
        stop.let_go()
        ending["exit_code"] = process.wait(timeout)
    except subprocess.TimeoutExpired:
        ending["timed_out"] = True
    finally:
        _end(process)
        # A child that escaped may hold the pipe open for ever; its output is not waited for.
        reader.join(GRACE_SECONDS)
        if ending["exit_code"] is None:
            ending["exit_code"] = process.returncode
    if ending["timed_out"]:
        raise RunFailed(f"The project ran longer than its limit of {timeout:g} s and was stopped.")
    if ending["exit_code"] != 0:
        raise RunFailed(_sentence(ending["exit_code"], output.reason()))


def _pump(stream: TextIO, output: Output) -> None:
    for line in iter(lambda: stream.readline(LONGEST_LINE), ""):
        output.write(line)


def _sentence(code: int, reason: str) -> str:
    if code < 0:
        number = -code
    else:
        number = code - 128
    name = ""
    if number > 0:
        try:
            name = signal.Signals(number).name
        except ValueError:  # an exit code of its own, no signal
            pass
    if name:
        hint = ""
        if name == "SIGKILL":
            hint = ", which is what running out of memory looks like"
        return "The project was ended by {}{}; its last words were: {}".format(
            name, hint, reason or "none"
        )
    if reason:
        return f"{reason} (exit code {code})"
    return f"The project ended with exit code {code} and said nothing."


def _environment(given: dict[str, object]) -> dict[str, str]:
    environment = dict(os.environ)
    environment["PYTHONUNBUFFERED"] = "1"
    # `python` in a project's command means the interpreter that has the libraries: the launcher's
    # own.
    environment["PATH"] = (
        os.path.dirname(sys.executable) + os.pathsep + environment.get("PATH", os.defpath)
    )
    if _on_databricks():
        # Libraries of the cluster are on the path of this interpreter, not of a new one.
        libraries = [path for path in sys.path if path.rstrip("/").endswith("site-packages")]
        paths = [*libraries, environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(paths).strip(os.pathsep)
    environment.update({str(key): str(value) for key, value in given.items()})
    if _needs_an_identity(environment):
        environment.update(_identity_of_the_run())
    return environment


def _needs_an_identity(environment: dict[str, str]) -> bool:
    """Whether MLflow in the project will speak to the workspace, and was given no token for it."""
    if not _on_databricks() or "DATABRICKS_TOKEN" in environment:
        return False
    tracking = environment.get("MLFLOW_TRACKING_URI", "databricks")
    registry = environment.get("MLFLOW_REGISTRY_URI", tracking)
    return tracking.startswith("databricks") or registry.startswith("databricks")


def _on_databricks() -> bool:
    return "DATABRICKS_RUNTIME_VERSION" in os.environ


def _identity_of_the_run() -> dict[str, str]:
    """Address and token of the run's own identity, for MLflow in a process of its own.

    The runtime offers them inside the task's process only
    (https://docs.databricks.com/dev-tools/sdk-python.html: default notebook
    authentication); the SDK that reads them is part of every ML runtime, and
    where it is not, MLflow in the project says itself what it lacks.
    """
    try:
        from databricks.sdk.core import Config

        config = Config()
        kind, _, token = config.authenticate().get("Authorization", "").partition(" ")
    except Exception as error:  # whatever this runtime's SDK raises, the project may not need it
        sys.stdout.write(f"launcher: no Databricks identity to hand on to the project ({error}).\n")
        return {}
    if kind == "Bearer" and config.host:
        return {"DATABRICKS_HOST": config.host, "DATABRICKS_TOKEN": token}
    return {}


def fence() -> int:
    """Let this process, and all that it starts, look into no other process and stop none; 0 where
    that can't be.

    Processes of one user may otherwise read each other's environment. A Landlock domain forbids
    that from Linux 5.13 on, and signals from 6.12 on
    (https://docs.kernel.org/userspace-api/landlock.html). Root's capabilities, which reach over it,
    are given up. Tells the version of Landlock; 6 is the first that knows signals.
    """
    if not sys.platform.startswith("linux"):
        return 0
    try:
        import ctypes

        kernel = ctypes.CDLL(None)
        version = kernel.syscall(LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1)
        if version < 1:
            return 0
        # A domain has to forbid something by itself: creating block devices. Then the network, and
        # the scope.
        attributes = (ctypes.c_uint64 * 3)(1 << 11, 0, 1 << 1)
        size = 24 if version >= 6 else 8
        domain = kernel.syscall(LANDLOCK_CREATE, attributes, ctypes.c_size_t(size), 0)
        if domain < 0:
            return 0
        try:
            if _enter(domain, kernel) and _give_up_capabilities(kernel):
                return int(version)
            return 0
        finally:
            os.close(domain)
    except (ImportError, OSError, AttributeError):
        return 0


def _enter(domain: int, kernel: Any) -> bool:
    """Put this process into a Landlock domain."""
    # Programs started from here gain no rights (prctl(2), PR_SET_NO_NEW_PRIVS), which a domain asks
    # for.
    gains_no_rights = kernel.prctl(38, 1, 0, 0, 0) == 0
    return bool(gains_no_rights and kernel.syscall(LANDLOCK_RESTRICT_SELF, domain, 0) == 0)


def _give_up_capabilities(kernel: Any) -> bool:
    """Leave none to this process, by the third version of capset(2)."""
    import ctypes

    of_this_process = (ctypes.c_uint32 * 2)(0x20080522, 0)
    none = (ctypes.c_uint32 * 6)()
    return bool(kernel.capset(of_this_process, none) == 0)


def _end(process: subprocess.Popen[str]) -> None:
    """End whatever is left of the project: politely, then for good."""
    # The group's id is free for reuse only when every member is gone, so signalling it is safe even
    # after the leader.
    _signal_group(process.pid, signal.SIGTERM)
    if process.poll() is None:
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            pass
    _signal_group(process.pid, signal.SIGKILL)
    process.wait()
    if not _on_databricks():
        _end_descendants()


def _signal_group(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        pass


def _adopt_orphans() -> None:
    """Have the kernel give us what the project leaves behind, so that a daemon of its own session
    is found too.

    Not inside Databricks' own process, which has other children than ours;
    there the cluster ends with the run (prctl(2), PR_SET_CHILD_SUBREAPER).
    """
    if _on_databricks() or not sys.platform.startswith("linux"):
        return
    try:
        import ctypes

        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        pass


def _end_descendants() -> None:
    if not sys.platform.startswith("linux"):
        return
    deadline = time.monotonic() + GRACE_SECONDS
    while time.monotonic() < deadline:
        children = _children(os.getpid())
        if not children:
            return
        for child in children:
            try:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
            except (ProcessLookupError, ChildProcessError, PermissionError):
                pass


def _children(parent: int) -> list[int]:
    children = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                # The command's name stands in brackets and may hold anything, so count from the
                # last bracket.
                fields = file.read().rpartition(")")[2].split()
            if int(fields[1]) == parent:
                children.append(int(name))
        except (OSError, IndexError, ValueError):
            continue
    return children


def _write_result(path: str | None, ending: dict[str, Any]) -> None:
    if not path:
        return
    part = path + ".part"
    with open(part, "w", encoding="utf-8") as file:
        json.dump(ending, file)
    os.replace(part, path)


if __name__ == "__main__":
    main(sys.argv)
