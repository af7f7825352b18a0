"""Runs a project of the merged commit from the folder beside the hooks, as one MLflow run.

A plain workspace file that the hook notebooks import. The sync of a merge wrote
both this folder and `../projects`, so no Git credential is needed here. The
project's command runs in a process of its own, in a copy of its folder: a sync
in between cannot change the code beneath it, and what it writes stays out of
the workspace.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections import deque
from pathlib import Path

import mlflow
import yaml
from mlflow.exceptions import MlflowException

# The notebook's folder: https://docs.databricks.com/files/cwd-dbr-14.html (runtime 14 and newer).
HERE = Path.cwd()


class ProjectFailed(Exception):
    """The project did not end well; the text is the reason it gave."""


def run(project, parameters):
    """Run the project's main entry point and return what it logged.

    Answers `run_id`, `experiment`, `commit`, `model_name`, `model_version`, `metrics`
    and, where the project leaves some, a few `predictions`; raises ProjectFailed.
    The run stands in the experiment /Shared/<project>_expr.
    """
    folder = HERE.parent / "projects" / project
    if not project or Path(project).name != project or not folder.is_dir():
        raise ProjectFailed(f"There is no project {project!r} in {HERE.parent / 'projects'}; a merge syncs them there.")
    command = _command(folder, parameters)
    commit, repository = _synced_from(project)
    experiment = f"/Shared/{project}_expr"
    client = mlflow.MlflowClient()
    tags = {
        "mlflow.runName": project,
        "mlflow.source.name": str(folder),
        "signalman.commit": commit,
        "signalman.repository": repository,
    }
    started = client.create_run(_experiment(client, experiment), tags={key: tags[key] for key in tags if tags[key]})
    run_id = started.info.run_id
    try:
        _execute(folder, command, {"MLFLOW_RUN_ID": run_id, **_addresses(parameters.get("model_name", ""))})
    except BaseException as ending:
        client.set_terminated(run_id, "FAILED" if isinstance(ending, ProjectFailed) else "KILLED")
        raise
    client.set_terminated(run_id, "FINISHED")
    ended = client.get_run(run_id)
    return {
        "project": project,
        "run_id": run_id,
        "experiment": experiment,
        "commit": commit,
        "model_name": ended.data.tags.get("model_name", parameters.get("model_name")),
        "model_version": ended.data.tags.get("model_version"),
        "metrics": ended.data.metrics,
        "predictions": _sample(ended),
    }


def _command(folder, parameters):
    """The command of `main` in MLproject, each value quoted for the shell; an empty value means the default."""
    file = next((path for path in folder.iterdir() if path.name.lower() == "mlproject"), None)
    if file is None:
        raise ProjectFailed(f"{folder} has no MLproject file.")
    main = yaml.safe_load(file.read_text(encoding="utf-8"))["entry_points"]["main"]
    values = {}
    for name, declared in (main.get("parameters") or {}).items():
        value = parameters.get(name) or (declared.get("default") if isinstance(declared, dict) else None)
        if value is None:
            raise ProjectFailed(f"{folder.name} needs a value for its parameter {name!r}.")
        values[name] = shlex.quote(str(value))
    return main["command"].format(**values)


def _synced_from(project):
    """Commit and repository that the sync wrote this project from; empty where no manifest says."""
    for manifest in sorted((HERE.parent / ".signalman").glob("*.json")):
        try:
            content = json.loads(manifest.read_text(encoding="utf-8"))
            if any(f"/projects/{project}/" in f"/{path}" for path in content["files"]):
                return content["commit"], content["repository"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return "", ""


def _experiment(client, name):
    found = client.get_experiment_by_name(name)
    if found is not None:
        return found.experiment_id
    try:
        return client.create_experiment(name)
    except MlflowException:
        # Another run made it in between.
        return client.get_experiment_by_name(name).experiment_id


def _addresses(model_name):
    """Where the project's MLflow finds tracking, registry and, on Databricks, the identity of this run."""
    tracking = mlflow.get_tracking_uri()
    addresses = {"MLFLOW_TRACKING_URI": tracking}
    if not tracking.startswith("databricks"):
        return addresses
    # MLflow 3 takes Unity Catalog unless told; a name there has three parts, one in the workspace registry has not.
    registry = "databricks-uc" if model_name.count(".") == 2 else "databricks"
    addresses["MLFLOW_REGISTRY_URI"] = os.environ.get("MLFLOW_REGISTRY_URI", registry)
    if "DATABRICKS_TOKEN" not in os.environ:
        # The notebook's own sign-in lives in this process only: https://docs.databricks.com/dev-tools/sdk-python.html
        from databricks.sdk.core import Config

        config = Config()
        token = config.authenticate()["Authorization"].removeprefix("Bearer ")
        addresses |= {"DATABRICKS_HOST": config.host, "DATABRICKS_TOKEN": token}
    return addresses


def _execute(folder, command, environment):
    path = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
    # Libraries of the cluster are on this interpreter's path, not on that of a new one.
    libraries = os.pathsep.join(place for place in sys.path if place.endswith("site-packages"))
    last = deque(maxlen=200)
    with tempfile.TemporaryDirectory() as temporary:
        copy = shutil.copytree(folder, Path(temporary, folder.name))
        with subprocess.Popen(
            ["bash", "-c", command],
            cwd=copy,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "PATH": path, "PYTHONPATH": libraries, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        ) as process:
            try:
                for line in process.stdout:
                    print(line, end="")
                    last.append(line.rstrip())
            except BaseException:
                process.kill()
                raise
    if process.returncode:
        raise ProjectFailed(f"{_reason(last)} (exit code {process.returncode})")


def _reason(lines):
    """The last exception's own line, else the last thing the project said."""
    said = [line for line in lines if line.strip()]
    starts = [at for at, line in enumerate(said) if line.startswith("Traceback (most recent call last)")]
    ends = [line for line in said[starts[-1] + 1 :] if not line.startswith((" ", "\t"))] if starts else []
    return (ends[:1] or said[-1:] or ["The project said nothing"])[0]


def _sample(ended):
    """A few predictions, where the project left a sample of them among its artifacts."""
    try:
        return json.loads(mlflow.artifacts.load_text(f"runs:/{ended.info.run_id}/predictions/sample.json"))
    except Exception:  # The sample is for people to look at; a good run without one is a good run.
        return []
