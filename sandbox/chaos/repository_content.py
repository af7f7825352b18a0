"""The repository that the people work on: the fast projects of the tests' repository, with time to
spare.
"""

import re
import shutil
from pathlib import Path

from sandbox.bot_process import HERE

CONTENT = HERE / "tests" / "content"
QUICK, OTHER, SCORING = "projects/quick", "projects/other", "projects/quick_scoring"
HOOKS = "mlflow_hooks"
FOLDERS = {HOOKS: "/Shared/mlflow_hooks", "projects": "/Shared/projects"}
"""Which folder of the repository is kept equal in which of the workspace (its config/mlops.yml says
so).
"""

JOB, ALIAS, STAGE, MODELS = "nightly", "champion", "Production", "_model"
"""The scoring job, how its versions are promoted, and how the names of its models end."""

TARGET = "main"


def prepare(folder: Path) -> Path:
    """A copy in which a run that waits for a busy machine is not taken for one that hangs.

    These people promote whatever there is, so that their job takes a version whose commit was not
    good enough too.
    """
    shutil.copytree(CONTENT, folder, ignore=shutil.ignore_patterns("__pycache__"))
    file = folder / "config" / "mlops.yml"
    text = re.sub(r"timeout: \w+", "timeout: 10m", file.read_text(encoding="utf-8"))
    file.write_text(
        text.replace("smoke: false", "smoke: false\n    unvalidated: allow"), encoding="utf-8"
    )
    return folder


def training(project: str, mode: str, mark: str) -> str:
    """A project's script that behaves in one way; `mark` makes it different from every other."""
    text = (CONTENT / project / "train.py").read_text(encoding="utf-8")
    return text.replace("mode = given.mode", f'mode = "{mode}"  # {mark}')


def notebook(mark: str) -> str:
    """A hook notebook."""
    return f'# Databricks notebook source\nprint("{mark}")\n'
