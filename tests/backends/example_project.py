"""A project that behaves as it is told and needs no library, and submissions of it."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from bot.backends.run import Backend, RunStatus, Submission

T = TypeVar("T")

CLUSTER = {
    "spark_version": "17.3.x-cpu-ml-scala2.13",
    "node_type_id": "Standard_D4ds_v5",
    "num_workers": 1,
}
MLPROJECT = """name: example
conda_env: env.yaml
entry_points:
  main:
    parameters:
      mode: {type: string, default: fine}
    command: "python main.py {mode}"
"""
ENVIRONMENT = """dependencies:
  - python=3.11
  - pip:
      - mlflow==3.17.2
      - scikit-learn==1.9.1
"""
MAIN = """import os
import subprocess
import sys
import time

mode = sys.argv[1]
print("mode", mode, flush=True)
if mode == "raises":
    {}["alcohol"]
if mode == "exits":
    sys.exit(3)
if mode == "for ever":
    # A child that leaves the process group and does not listen.
    command = "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    command += "print('process', os.getpid(), flush=True); time.sleep(600)"
    subprocess.Popen([sys.executable, "-c", command], start_new_session=True)
    print("process", os.getpid(), flush=True)
    time.sleep(600)
if mode == "soon":
    time.sleep(1)
if mode == "tells":
    for name, value in os.environ.items():
        print("variable", name, value)
print("done", flush=True)
"""


def project(folder: Path, **files: str) -> Path:
    """The example project in a folder, with files added or replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in {
        "MLproject": MLPROJECT,
        "env.yaml": ENVIRONMENT,
        "main.py": MAIN,
        **files,
    }.items():
        (folder / name).write_text(content)
    return folder


def submission(folder: Path, mode: str = "fine", **more: Any) -> Submission:
    """A submission of the example project."""
    found: dict[str, Any] = {
        "token": f"token-{mode.replace(' ', '-')}",
        "name": f"signalman contoso/ml/models !7 example ({mode})",
        "folder": folder,
        "entry_point": "main",
        "parameters": {"mode": mode},
        "cluster": CLUSTER,
        "timeout": 60.0,
        "environment": {"MLFLOW_RUN_ID": "run-1", "MLFLOW_EXPERIMENT_ID": "1"},
        "tags": {"signalman_pull_request": "7"},
    }
    return Submission(**{**found, **more})


def ended(backend: Backend, run: str, seconds: float = 30.0) -> RunStatus:
    """The run once it has ended."""
    return until(lambda: seen if (seen := backend.look(run)).outcome else None, seconds)


def until(condition: Callable[[], T | None], seconds: float = 30.0) -> T:
    """What a condition gives once it gives something."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "It did not come to pass in time."
        threading.Event().wait(0.02)
    return found


def processes(log: str) -> list[int]:
    """The processes that a run "for ever" has named in its log."""
    return [int(line.split()[1]) for line in log.splitlines() if line.startswith("process ")]


def alive(process: int) -> bool:
    """Whether a process still runs."""
    try:
        os.kill(process, 0)
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
