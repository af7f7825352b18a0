"""The program that a task's process runs: a Python file, a notebook or a command, and a note of how
it ended.

It is started by path, with the path of an order (JSON) as its argument, and
imports nothing of this repository but its neighbour `notebook.py`.
"""

import importlib.util
import json
import os
import runpy
import subprocess
import sys
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

HERE = Path(__file__).resolve().parent


def main(order_file: str) -> None:
    """Carry out the order and write its outcome, then end with 0 or 1."""
    order: dict[str, Any] = json.loads(Path(order_file).read_text())
    outcome: dict[str, str] = {}
    try:
        if order["kind"] == "command":
            code = subprocess.run(
                order["command"], env={**os.environ, **order["variables"]}, check=False
            ).returncode
            if code:
                said = f"The command failed with exit code {code}."
                outcome |= {"error": said, "error_trace": said}
        elif order["kind"] == "notebook":
            program = _beside_its_neighbours(order)
            outcome["result"] = _notebook().run(program, order["parameters"], Path(order["tree"]))
        else:
            program = _beside_its_neighbours(order)
            sys.argv = [str(program), *order["arguments"]]
            runpy.run_path(str(program), run_name="__main__")
    except SystemExit as end:
        if end.code not in (None, 0):
            outcome |= _failure(end, order["tree"])
    except BaseException as error:
        outcome |= _failure(error, order["tree"])
    sys.stdout.flush()
    if "error" in outcome:
        print(outcome["error_trace"], file=sys.stderr, flush=True)
    written = Path(order["outcome"] + ".new")
    written.write_text(json.dumps(outcome))
    os.replace(written, order["outcome"])
    if "error" in outcome:
        sys.exit(1)


def _beside_its_neighbours(order: dict[str, Any]) -> Path:
    program = Path(order["program"])
    sys.path.insert(0, str(program.parent))
    return program


def _notebook() -> Any:
    spec = importlib.util.spec_from_file_location("notebook_of_the_stand_in", HERE / "notebook.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"{HERE / 'notebook.py'} is missing.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _failure(error: BaseException, tree: str) -> dict[str, str]:
    """The error in one line and its traceback, with workspace paths and without our own frames."""
    lines = traceback.format_exception(type(error), error, _of_the_task(error.__traceback__))
    short = "".join(traceback.format_exception_only(error)).strip()
    return {
        "error": short.replace(tree, "/Workspace"),
        "error_trace": "".join(lines).replace(tree, "/Workspace"),
    }


def _of_the_task(trace: TracebackType | None) -> TracebackType | None:
    ours = (str(HERE), "<frozen runpy>")
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(ours):
        trace = trace.tb_next
    return trace


if __name__ == "__main__":
    main(sys.argv[1])
