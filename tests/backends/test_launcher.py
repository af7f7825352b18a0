"""The launcher, started as Databricks starts it: a file, one JSON argument, nothing else."""

import ast
import io
import json
import os
import select
import signal
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from example_project import until

from bot.backends import launcher, project

LAUNCHER = Path(launcher.__file__)


def _pack(folder: Path, files: dict[str, str]) -> Path:
    source = folder / "source"
    for name, content in files.items():
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    packed = folder / "project.tgz"
    packed.write_bytes(project.archive(source))
    return packed


def _beside(folder: Path) -> Path:
    """The launcher where it finds a workspace of its own beside it: `folder`."""
    script = folder / "code" / "launcher.py"
    script.parent.mkdir()
    script.write_bytes(LAUNCHER.read_bytes())
    return script


def _launch(
    folder: Path, command: str, *, script: Path = LAUNCHER, **order: Any
) -> subprocess.CompletedProcess[str]:
    order = {
        "archive": str(folder / "project.tgz"),
        "result": str(folder / "result.json"),
        "command": command,
        **order,
    }
    return subprocess.run(
        [sys.executable, str(script), json.dumps(order)],
        cwd=folder,
        env={**os.environ, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _result(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "result.json").read_text(encoding="utf-8")))


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """A folder with a packed project in it."""
    _pack(tmp_path, {"train.py": "print('trained')\n", "data/rows.csv": "1\n"})
    return tmp_path


def test_a_command_runs_in_the_unpacked_project_with_the_launchers_python(packed: Path) -> None:
    ended = _launch(
        packed,
        "python train.py && cat data/rows.csv && echo $MLFLOW_RUN_ID",
        environment={"MLFLOW_RUN_ID": "7"},
    )

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "trained\n1\n7\n"
    assert _result(packed)["exit_code"] == 0
    assert _result(packed)["reason"] is None


def test_an_order_may_be_a_file_and_the_archive_may_lie_beside_it(packed: Path) -> None:
    order = packed / "order.json"
    order.write_text(
        json.dumps({"archive": "/Workspace/elsewhere/project.tgz", "command": "python train.py"})
    )

    ended = subprocess.run(
        [sys.executable, str(LAUNCHER), str(order)],
        cwd=packed,
        capture_output=True,
        text=True,
        check=True,
    )

    assert ended.stdout == "trained\n"


def test_a_program_that_raises_ends_with_its_own_sentence(packed: Path) -> None:
    ended = _launch(packed, "python -c \"print('working'); {}['alcohol']\"")

    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].endswith("RunFailed: KeyError: 'alcohol' (exit code 1)")
    assert _result(packed)["reason"] == "KeyError: 'alcohol' (exit code 1)"


def test_a_program_that_ends_with_a_code_is_quoted_by_its_last_line(packed: Path) -> None:
    ended = _launch(packed, "echo first; echo the disk is full >&2; exit 3")

    assert ended.returncode == 1
    assert _result(packed) | {"seconds": 0} == {
        "exit_code": 3,
        "timed_out": False,
        "seconds": 0,
        "reason": "the disk is full (exit code 3)",
    }


def test_an_error_that_was_survived_is_not_the_reason(packed: Path) -> None:
    survived = "import traceback\ntry: 1/0\nexcept Exception: traceback.print_exc()\n"
    code = (
        survived
        + "for i in range(20): print('epoch', i)\nraise SystemExit('the loss is not a number')"
    )

    _launch(packed, f"python - <<'END'\n{code}\nEND\n")

    assert _result(packed)["reason"] == "the loss is not a number (exit code 1)"


def test_a_program_that_says_nothing_still_gets_a_sentence(packed: Path) -> None:
    _launch(packed, "exit 5")

    assert _result(packed)["reason"] == "The project ended with exit code 5 and said nothing."


def test_a_killed_program_is_told_from_a_failing_one(packed: Path) -> None:
    _launch(packed, "echo loading; kill -KILL $$")

    assert "SIGKILL" in _result(packed)["reason"]
    assert "memory" in _result(packed)["reason"]


def test_a_program_that_runs_too_long_is_stopped_and_the_output_says_so(packed: Path) -> None:
    ended = _launch(packed, "echo training; sleep 60", timeout=0.5)

    assert ended.returncode == 1
    assert _result(packed)["timed_out"] is True
    assert _result(packed)["seconds"] < 20
    assert (
        ended.stdout
        == "training\nlauncher: The project ran longer than its limit of 0.5 s and was stopped.\n"
    )


def _gone(pid: int) -> bool:
    """A zombie counts as gone: whether somebody has collected it is not the launcher's business."""
    try:
        return (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
            == "Z"
        )
    except FileNotFoundError:
        return True


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="orphans are adopted on Linux only"
)
@pytest.mark.parametrize("ending", ["exit 0", "sleep 60"])
def test_a_daemon_of_the_project_does_not_outlive_it(packed: Path, ending: str) -> None:
    daemon = "import os,time\nif os.fork(): os._exit(0)\nos.setsid()\nif os.fork(): os._exit(0)\n"
    daemon += "open('DAEMON','w').write(str(os.getpid()))\ntime.sleep(60)\n".replace(
        "DAEMON", str(packed / "daemon")
    )
    (packed / "daemon.py").write_text(daemon, encoding="utf-8")
    started = f"python {packed / 'daemon.py'}; until [ -s {packed / 'daemon'} ]; do :; done"

    _launch(packed, f"{started}; {ending}", timeout=2)

    assert _gone(int((packed / "daemon").read_text()))


def test_a_launcher_that_is_asked_to_stop_stops_the_project_first(packed: Path) -> None:
    order = {"archive": str(packed / "project.tgz"), "result": str(packed / "result.json")}
    order["command"] = "echo $$; exec sleep 60"
    with subprocess.Popen(
        [sys.executable, str(LAUNCHER), json.dumps(order)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], 20)
        assert ready, "the project never started"
        project_pid = int(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)

    assert process.returncode == 1
    assert _gone(project_pid)
    assert (
        _result(packed)["reason"]
        == "The run was stopped from outside before the project had ended."
    )
    assert _result(packed)["timed_out"] is False


def test_a_launcher_that_is_asked_to_stop_while_it_starts_the_project_stops_it_all_the_same(
    packed: Path,
) -> None:
    order = {"archive": str(packed / "project.tgz"), "result": str(packed / "result.json")}
    order["command"] = "exec sleep 60"
    asks = (
        "import json, os, runpy, signal, subprocess, sys\n"
        "class Asked(subprocess.Popen):\n"
        "    def __init__(self, *given, **named):\n"
        "        super().__init__(*given, **named)\n"
        "        print(self.pid, flush=True)\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "subprocess.Popen = Asked\n"
        "sys.argv = sys.argv[1:]\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )

    ended = subprocess.run(
        [sys.executable, "-c", asks, str(LAUNCHER), json.dumps(order)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert _gone(int(ended.stdout.splitlines()[0]))
    assert (
        _result(packed)["reason"]
        == "The run was stopped from outside before the project had ended."
    )


def test_output_is_passed_on_while_the_program_runs_and_kept_in_the_log(packed: Path) -> None:
    order = {"archive": str(packed / "project.tgz"), "log": str(packed / "output.log")}
    order["command"] = f"echo one; cat {packed / 'fifo'}"
    os.mkfifo(packed / "fifo")
    with subprocess.Popen(
        [sys.executable, str(LAUNCHER), json.dumps(order)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        (packed / "fifo").write_text("two\n", encoding="utf-8")
        rest, _ = process.communicate(timeout=20)

    assert (first, rest) == ("one\n", "two\n")
    assert (packed / "output.log").read_text(encoding="utf-8") == "one\ntwo\n"
    assert (packed / "output.log").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("name", "kind", "complaint"),
    [
        ("../escaped", tarfile.REGTYPE, "leads out of it"),
        ("/escaped", tarfile.REGTYPE, "leads out of it"),
        ("inside/../../escaped", tarfile.REGTYPE, "leads out of it"),
        ("link", tarfile.SYMTYPE, "is not a plain file"),
        ("hard", tarfile.LNKTYPE, "is not a plain file"),
        ("pipe", tarfile.FIFOTYPE, "is not a plain file"),
    ],
)
def test_an_archive_that_reaches_outside_is_refused(
    tmp_path: Path, name: str, kind: bytes, complaint: str
) -> None:
    member = tarfile.TarInfo(name)
    member.type = kind
    member.linkname = "/etc/passwd"
    with tarfile.open(tmp_path / "project.tgz", "w:gz") as tar:
        tar.addfile(member, io.BytesIO(b""))

    ended = _launch(tmp_path, "echo ran")

    assert ended.returncode == 1
    assert complaint in _result(tmp_path)["reason"]
    assert "ran\n" not in ended.stdout


@pytest.mark.parametrize("content", [None, b"", b"not an archive", b"\x1f\x8b\x08\x00broken"])
def test_an_archive_that_cannot_be_read_is_a_sentence(
    tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "project.tgz").write_bytes(content)

    ended = _launch(tmp_path, "echo ran")

    assert ended.returncode == 1
    assert "The project's archive" in _result(tmp_path)["reason"]


@pytest.mark.parametrize("argument", ["{", "/no/such/file.json", "{}", '{"archive": "x"}'])
def test_an_order_that_cannot_be_read_is_a_sentence(argument: str) -> None:
    ended = subprocess.run(
        [sys.executable, str(LAUNCHER), argument],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 1
    assert "RunFailed: The launcher's argument" in ended.stderr.splitlines()[-1]


def test_nothing_is_left_on_the_disk(packed: Path) -> None:
    ended = _launch(packed, "pwd; exit 1")

    assert not Path(ended.stdout.splitlines()[0]).exists()


def test_the_launcher_needs_nothing_but_an_old_python() -> None:
    tree = ast.parse(LAUNCHER.read_text(encoding="utf-8"), feature_version=(3, 8))
    imported = {
        name.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for name in node.names
    }
    imported |= {
        str(node.module).split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
    }

    assert imported - set(sys.stdlib_module_names) == {"databricks"}, (
        "the runtime's own SDK, where there is one"
    )


def test_the_newest_part_of_the_output_is_left_where_it_can_be_read_meanwhile(packed: Path) -> None:
    live = packed / "shared" / "logs" / "t.log"
    live.parent.parent.mkdir()

    with subprocess.Popen(
        [
            sys.executable,
            str(LAUNCHER),
            _order(packed, "echo first; read -r line <> pipe; echo last", live),
        ],
        cwd=packed,
        stdout=subprocess.DEVNULL,
    ) as process:
        seen = until(lambda: live.read_bytes() if live.exists() and live.stat().st_size else None)
        process.terminate()

    assert seen == b"0\nfirst\n"
    assert live.read_bytes().startswith(b"0\nfirst\nlauncher: The run was stopped from outside")


def _order(folder: Path, command: str, live: Path) -> str:
    os.mkfifo(folder / "pipe")
    command = command.replace("pipe", str(folder / "pipe"))
    return json.dumps(
        {"archive": str(folder / "project.tgz"), "command": command, "live": str(live)}
    )


def test_of_much_output_only_the_newest_part_is_left_and_it_tells_where_it_begins(
    packed: Path,
) -> None:
    live = packed / "logs" / "t.log"

    ended = _launch(packed, "seq 100000", live=str(live))

    start, _, part = live.read_bytes().partition(b"\n")
    assert len(part) == launcher.LIVE_BYTES
    assert ended.stdout.encode()[int(start) :] == part


def test_where_the_workspace_is_elsewhere_the_part_is_left_beside_the_launchers_folder(
    packed: Path,
) -> None:
    _launch(packed, "echo it", script=_beside(packed), live="/no/such/place/logs/t.log")

    assert (packed / "logs" / "t.log").read_bytes() == b"0\nit\n"


@pytest.mark.parametrize("place", ["/dev/full/logs/t.log", "logs/t.log"])
def test_a_place_that_cannot_be_written_to_holds_up_nobody(packed: Path, place: str) -> None:
    (packed / "logs" / "t.log").mkdir(parents=True)

    ended = _launch(packed, "echo it", script=_beside(packed), live=str(packed / place))

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "it\n", "")


def test_what_the_environment_calls_a_secret_is_in_no_output(packed: Path) -> None:
    secrets = {
        "MLFLOW_TRACKING_TOKEN": "canary-4711",
        "db_password": "canary-4712",
        "AWS_SECRET_ACCESS_KEY": "canary-4713",
    }
    plain = {"TOKENIZER": "bert-base", "PARTITION_KEY": "customer_id", "SHORT_TOKEN": "abc"}

    ended = _launch(
        packed,
        "env; echo canary-4711; echo canary-4712 >&2; exit 1",
        environment={**secrets, **plain},
        log=str(packed / "output.log"),
        live=str(packed / "logs" / "t.log"),
    )

    for told in (
        ended.stdout,
        ended.stderr,
        (packed / "output.log").read_text(),
        (packed / "logs/t.log").read_text(),
    ):
        assert "canary" not in told
    assert "canary" not in _result(packed)["reason"]
    for name, value in plain.items():
        assert f"{name}={value}" in ended.stdout
