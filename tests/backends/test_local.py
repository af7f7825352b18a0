"""The backend `local`: processes of this machine, which outlive their starter and are found
again.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from example_project import alive, ended, processes, project, submission, until

from bot.backends import local
from bot.backends.local import Local
from bot.backends.run import LogChunk
from bot.errors import NotFound, ProjectError

STARTER = """
import json, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from example_project import submission
from bot.backends import local
from bot.backends.local import Local
from bot.backends.run import LogChunk
Local(Path({runs!r})).submit(submission(Path({project!r}), "soon", token="orphan"))
print("started", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def backend(tmp_path: Path) -> Local:
    return Local(tmp_path / "runs")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return project(tmp_path / "project")


def test_a_run_that_succeeds_says_so(backend: Local, folder: Path) -> None:
    seen = ended(backend, backend.submit(submission(folder)))

    assert (seen.outcome, seen.reason) == ("succeeded", "")
    assert seen.log.splitlines() == ["mode fine", "done"]
    assert seen.started is not None
    assert seen.ended is not None


@pytest.mark.parametrize(
    ("mode", "reason"), [("raises", "KeyError: 'alcohol'"), ("exits", "exit code 3")]
)
def test_a_project_that_fails_is_seen_with_its_reason(
    backend: Local, folder: Path, mode: str, reason: str
) -> None:
    seen = ended(backend, backend.submit(submission(folder, mode)))

    assert seen.outcome == "failed"
    assert reason in seen.reason
    assert f"mode {mode}" in seen.log


def test_a_project_sees_nothing_of_the_bots_environment(
    backend: Local, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "AZURE_DEVOPS_TOKEN",
        "DATABRICKS_TOKEN",
        "DATABASE_URL",
        "MLFLOW_TRACKING_TOKEN",
        "ANYTHING_ELSE",
    ):
        monkeypatch.setenv(name, "canary-4711")

    run = backend.submit(submission(folder, "tells"))
    ended(backend, run)

    told = (backend._folder / run / "output.log").read_text()
    assert "variable MLFLOW_RUN_ID run-1" in told
    assert "canary-4711" not in told
    assert f"variable HOME {backend._folder / run}" in told


NOSY = """import os
import signal
import sys

bot = int(sys.argv[1])
for name in ("environ", "maps", "fd/0"):
    try:
        with open(f"/proc/{bot}/{name}", "rb") as file:
            print(name, "holds", file.read(), flush=True)
    except OSError as error:
        print(name, "is", type(error).__name__, flush=True)
try:
    os.kill(bot, signal.SIGCONT)
    print("the bot can be signalled")
except OSError as error:
    print("a signal is", type(error).__name__)
with open("/proc/self/environ", "rb") as file:
    print("its own environment has", len(file.read()) > 0)
"""


def fence_of_this_kernel() -> int:
    code = "from bot.backends import launcher; print(launcher.fence())"
    return int(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout)


def test_a_project_cannot_look_into_the_bots_process_or_stop_it(
    backend: Local, tmp_path: Path
) -> None:
    if fence_of_this_kernel() < 6:
        pytest.skip("this kernel has no Landlock, or one that knows no signals")
    nosy = project(tmp_path / "nosy", **{"main.py": NOSY})
    with subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "DATABRICKS_TOKEN": "canary-4711"},
    ) as bot:
        assert bot.stdout is not None
        bot.stdout.readline()
        assert b"canary-4711" in Path(f"/proc/{bot.pid}/environ").read_bytes()
        seen = ended(backend, backend.submit(submission(nosy, str(bot.pid))))
        bot.kill()

    assert seen.outcome == "succeeded", seen.log
    assert seen.log.splitlines() == [
        *(f"{name} is PermissionError" for name in ("environ", "maps", "fd/0")),
        "a signal is PermissionError",
        "its own environment has True",
    ]


def test_a_run_past_its_limit_is_ended_with_all_it_started(backend: Local, folder: Path) -> None:
    seen = ended(backend, backend.submit(submission(folder, "for ever", timeout=1.0)))

    assert seen.outcome == "timed out"
    assert "limit of 1 s" in seen.reason
    assert len(processes(seen.log)) == 2
    assert not any(alive(process) for process in processes(seen.log))


def test_a_cancelled_run_is_ended_with_all_it_started(backend: Local, folder: Path) -> None:
    run = backend.submit(submission(folder, "for ever"))
    started = until(lambda: found if len(found := processes(backend.look(run).log)) == 2 else None)

    backend.cancel(run)
    seen = ended(backend, run)

    assert seen.outcome == "cancelled"
    assert not any(alive(process) for process in started)


def test_a_run_cancelled_before_it_has_begun_is_cancelled_too(backend: Local, folder: Path) -> None:
    run = backend.submit(submission(folder, "for ever"))

    backend.cancel(run)

    assert ended(backend, run).outcome == "cancelled"


def test_a_run_that_has_ended_stays_ended(backend: Local, folder: Path) -> None:
    run = backend.submit(submission(folder))
    before = ended(backend, run)

    backend.cancel(run)

    assert backend.look(run) == before


def test_the_same_token_starts_once(backend: Local, folder: Path) -> None:
    run = backend.submit(submission(folder, "soon"))
    again = Local(backend._folder).submit(submission(folder, "soon"))
    seen = ended(backend, run)
    after = backend.submit(submission(folder, "soon"))

    assert run == again == after
    assert seen.log.splitlines() == ["mode soon", "done"]
    assert backend.look(after) == seen


def test_a_run_outlives_the_process_that_started_it(backend: Local, folder: Path) -> None:
    code = STARTER.format(
        tests=str(Path(__file__).parent), runs=str(backend._folder), project=str(folder)
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == "started\n"
        starter.kill()

    seen = ended(backend, "orphan")

    assert seen.outcome == "succeeded"
    assert "done" in seen.log


def test_a_run_whose_process_is_gone_without_a_word_is_not_the_projects_fault(
    backend: Local, folder: Path
) -> None:
    run = backend.submit(submission(folder, "for ever"))
    until(lambda: len(processes(backend.look(run).log)) == 2)
    launcher = json.loads((backend._folder / run / "process.json").read_text())["pid"]

    os.kill(launcher, signal.SIGKILL)
    seen = ended(backend, run)
    for left in processes(seen.log):
        os.kill(left, signal.SIGKILL)

    assert seen.outcome == "no cluster"
    assert "disappeared" in seen.reason


def test_a_process_that_was_given_the_number_of_a_lost_one_is_not_taken_for_it(
    backend: Local, folder: Path
) -> None:
    run = backend.submit(submission(folder))
    ended(backend, run)
    home = backend._folder / run
    noted = json.loads((home / "process.json").read_text())
    (home / "result.json").unlink()
    (home / "process.json").write_text(json.dumps({**noted, "pid": os.getpid()}))

    backend.cancel(run)

    assert backend.look(run).outcome == "no cluster"


def test_a_project_that_cannot_be_run_starts_nothing(backend: Local, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(ProjectError):
        backend.submit(submission(tmp_path / "empty"))
    with pytest.raises(NotFound):
        backend.look("token-fine")


def test_a_log_is_read_on_from_where_it_was_left(backend: Local, folder: Path) -> None:
    run = backend.submit(submission(folder))
    ended(backend, run)

    assert backend.live_log(run, run, 0) == LogChunk(b"mode fine\ndone\n")
    assert backend.live_log(run, run, 10) == LogChunk(b"done\n", 10)
    assert backend.live_log(run, run, 15) == LogChunk(b"", 15)
    assert backend.whole_log(run, run) == LogChunk(b"mode fine\ndone\n")
    assert backend.live_log("unknown", "unknown", 0) == LogChunk(b"")


def test_of_a_long_log_the_end_is_read(backend: Local, folder: Path) -> None:
    run = backend.submit(submission(folder))
    ended(backend, run)
    (backend._folder / run / "output.log").write_bytes(b"x" * local.LARGEST_LOG + b"end\n")

    whole, part = backend.whole_log(run, run), backend.live_log(run, run, 5)

    assert (len(whole.content), whole.start, whole.cut) == (local.LARGEST_LOG, 4, True)
    assert (len(part.content), part.cut) == (local.LARGEST_PART, True)
    assert whole.content.endswith(b"xend\n")
    assert part.content.endswith(b"xend\n")
    assert part.start + len(part.content) == local.LARGEST_LOG + 4
