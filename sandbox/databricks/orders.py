"""What the process of a task is told: its program, its parameters, its environment. Starts
nothing.
"""

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sandbox.databricks.dbfs import Dbfs
from sandbox.databricks.runs import Run, TaskRun
from sandbox.databricks.tree import Tree, normal

TOOLS = "tools"


class Cannot(Exception):
    """A task cannot be started; the text is what the service would say."""


def order_for(run: Run, task: TaskRun, tree: Tree, dbfs: Dbfs) -> tuple[Path, dict[str, Any]]:
    """The directory a task begins in, and what `task_main.py` needs to know; `Cannot` when its
    program is not there.

    Writes what the program needs to the task's folder.
    """
    fill = _references(run, task)
    common = {"outcome": str(task.folder / "outcome.json"), "tree": str(tree.folder)}
    if (notebook := task.spec.get("notebook_task")) is not None:
        path = notebook["notebook_path"]
        if notebook.get("source") == "GIT":
            raise Cannot("Notebooks from git are not available in this workspace.")
        if tree.kind(path) != "NOTEBOOK":
            raise Cannot(
                f'Unable to access the notebook "{path}". Either it does not exist, or the '
                "identity used to run this job lacks the required permissions."
            )
        values = {
            **notebook.get("base_parameters", {}),
            **run.overriding.get("notebook_params", {}),
        }
        values |= {parameter["name"]: parameter["value"] for parameter in run.parameters}
        program = tree.on_disk(path)
        parameters = {name: fill(str(value)) for name, value in values.items()}
        return program.parent, {
            **common,
            "kind": "notebook",
            "program": str(program),
            "parameters": parameters,
        }
    if (python := task.spec.get("spark_python_task")) is not None:
        path = fill(python["python_file"])
        file = _python_file(path, task, tree, dbfs) if python.get("source") != "GIT" else None
        if file is None:
            raise Cannot(
                f"Cannot read the python file {path}. Please check driver logs for more details."
            )
        arguments = run.overriding.get("python_params") or python.get("parameters") or []
        order = {
            "kind": "python",
            "program": str(file),
            "arguments": [fill(str(word)) for word in arguments],
        }
        return file.parent, {**common, **order}
    if (shell := task.spec.get("shell_command_task")) is not None and dbfs.enabled:
        # In no public document; what it holds is what MLflow's own backend sends
        # (mlflow/projects/databricks.py).
        command = [dbfs.local(str(word), task.folder / "databricks") for word in shell["command"]]
        _with_rsync(task.folder)
        return task.folder, {
            **common,
            "kind": "command",
            "command": command,
            "variables": shell.get("env_vars") or {},
        }
    raise Cannot("This workspace runs notebook_task and spark_python_task only.")


def _python_file(path: str, task: TaskRun, tree: Tree, dbfs: Dbfs) -> Path | None:
    if path.startswith("dbfs:/") and dbfs.enabled and dbfs.on_disk(path).is_file():
        program = task.folder / "dbfs" / Path(path).name
        program.parent.mkdir(exist_ok=True)
        program.write_text(dbfs.local(dbfs.on_disk(path).read_text(), task.folder / "databricks"))
        _with_rsync(task.folder)
        return program
    return (
        tree.on_disk(path) if path.startswith("/") and tree.kind(normal(path)) == "FILE" else None
    )


def _with_rsync(folder: Path) -> None:
    """Clusters have rsync, which MLflow's own backend copies with; where this machine has none,
    `cp` does it.
    """
    if shutil.which("rsync") is None:
        program = folder / TOOLS / "rsync"
        program.parent.mkdir(exist_ok=True)
        program.write_text(
            '#!/bin/sh\nwhile [ "${1#-}" != "$1" ]; do shift; done\nexec cp --recursive "$@"\n'
        )
        program.chmod(0o755)


def environment_for(
    task: TaskRun, *, python: str, home: Path, host: str, token: str, further: Mapping[str, str]
) -> dict[str, str]:
    """Everything a task sees of the machine: what a cluster shows, then `further`, then its
    cluster's own variables.
    """
    return {
        # `python` is the cluster's Python, also for what a task starts.
        "PATH": os.pathsep.join(
            [str(Path(python).parent), os.environ.get("PATH", os.defpath), str(task.folder / TOOLS)]
        ),
        "HOME": str(home),
        "TMPDIR": str(task.folder),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "GIT_PYTHON_REFRESH": "quiet",
        # What runs in a sandbox on somebody's laptop reports to nobody.
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "DATABRICKS_HOST": host,
        "DATABRICKS_TOKEN": token,
        "MLFLOW_TRACKING_URI": "databricks",
        "MLFLOW_REGISTRY_URI": "databricks",
        **further,
        **task.cluster.get("spark_env_vars", {}),
    }


def _references(run: Run, task: TaskRun) -> Callable[[str], str]:
    """Fills in `{{job.parameters.x}}` and the like.
    https://docs.databricks.com/jobs/dynamic-value-references
    """
    known = {
        f"job.parameters.{parameter['name']}": parameter["value"] for parameter in run.parameters
    }
    known |= {"job.id": str(run.job_id), "job_id": str(run.job_id), "job.run_id": str(run.run_id)}
    known |= {"run_id": str(task.run_id), "task.run_id": str(task.run_id), "task.name": task.key}
    known |= {"job.name": run.name, "parent_run_id": str(run.run_id)}

    def fill(text: str) -> str:
        for name, value in known.items():
            text = text.replace("{{" + name + "}}", value)
        return text

    return fill
