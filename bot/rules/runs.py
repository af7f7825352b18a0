"""What any project run says, whoever asked for it: why it is no success, when to poll it again,
when to retry it, and which of two is the one.
"""

from collections.abc import Sequence
from dataclasses import replace

from bot.config.repository import Project
from bot.facts.runs import ProjectRun, RunFault

PAUSES = (30.0, 120.0)
"""Seconds before a run that the workspace failed is tried again; as many as there are, so often. It
is one of a pull request, or a smoke run; a retraining is asked for again, and a failing script is
not tried again.
"""


def patience(run_ages: Sequence[float]) -> float:
    """How many seconds to leave running runs alone; the longer they run, the longer."""
    youngest = min(run_ages, default=0.0)
    if youngest < 60:
        return 1.0
    if youngest < 300:
        return 5.0
    return 15.0


def fault(project: Project, run: ProjectRun) -> RunFault | None:
    """Why an ended run is no success at all, whatever its numbers say; None when it is one."""
    if run.outcome == "timed out":
        return RunFault("timed out", limit=project.timeout)
    if run.outcome != "succeeded":
        if run.reason:
            return RunFault("reported", reason=run.reason)
        return RunFault("cancelled" if run.outcome == "cancelled" else "unexplained")
    if project.model is not None and not run.model_version:
        return RunFault("no model", model=run.model_name)
    return None


def merge(known: Sequence[ProjectRun], found: Sequence[ProjectRun]) -> list[ProjectRun]:
    """What the memo knows of runs, and the runs it does not know.

    A second MLflow run under one token, made when the answer about the first came
    too late, is over before it began.
    """
    tokens = {run.token for run in known if run.cluster_run or run.over}
    runs = {run.token: run for run in known if run.token in tokens}
    for run in found:
        first = runs.setdefault(run.token, run)
        if first.mlflow_run != run.mlflow_run and first.mlflow_run:
            double = f"{run.token} {run.mlflow_run}"
            runs.setdefault(
                double, replace(run, token=double, outcome="cancelled", ended=run.started)
            )
    return list(runs.values())
