"""A workspace as a merge leaves it and one model trained in it, shared by all tests here: training
takes seconds.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.backends import project

REPOSITORY = Path(__file__).parents[2]
NOTEBOOK = Path(__file__).with_name("notebook.py")
COMMIT = "4f1c2d3e4f5061728394a5b6c7d8e9f001122334"


@dataclass(frozen=True)
class Workspace:
    """The folder /Shared of a Databricks workspace, with a real MLflow beside it."""

    shared: Path
    tracking: str

    def hook(self, name: str, **parameters: str) -> subprocess.CompletedProcess[str]:
        """Run a hook notebook as a job would."""
        notebook = self.shared / "mlflow_hooks" / f"{name}.py"
        return self._process(
            [sys.executable, str(NOTEBOOK), str(notebook), json.dumps(parameters)], self.shared
        )

    def project(self, name: str, **parameters: str) -> subprocess.CompletedProcess[str]:
        """Run a project's main entry point alone, in a copy of its folder."""
        folder = self.shared / "projects" / name
        command = project.command(project.read(folder), "main", parameters)
        return self._process(["bash", "-c", command], folder)

    def client(self) -> Any:
        """A client of the MLflow that the projects log to."""
        from mlflow import MlflowClient

        return MlflowClient(self.tracking, self.tracking)

    def _process(self, command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "PATH": os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"],
            "MLFLOW_TRACKING_URI": self.tracking,
        }
        return subprocess.run(
            command,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is true of every test here: it is slow, and MLflow's own store uses a deprecated
    SQLAlchemy option.
    """
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.slow)
            item.add_marker(
                pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")
            )


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    shared = tmp_path_factory.mktemp("Shared")
    for folder in ("projects", "mlflow_hooks"):
        shutil.copytree(
            REPOSITORY / folder,
            shared / folder,
            ignore=shutil.ignore_patterns("__pycache__", "mlruns"),
        )
    manifest = {
        "version": 1,
        "repository": "contoso/ml/models",
        "commit": COMMIT,
        "files": {"/Shared/projects/ExampleTrainingProject/train.py": "0" * 64},
    }
    (shared / ".signalman").mkdir()
    (shared / ".signalman" / "models.json").write_text(json.dumps(manifest), encoding="utf-8")
    return Workspace(shared, f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}")


@pytest.fixture(scope="session")
def trained(workspace: Workspace) -> dict[str, Any]:
    """What the training hook answered for a model trained on the toy rows."""
    return answer(workspace.hook("mlflow_training_hook", model_name="diabetes", data="toy"))


def answer(ended: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """What a notebook that ended well handed to `dbutils.notebook.exit`."""
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return dict(json.loads(ended.stdout.splitlines()[-1]))
