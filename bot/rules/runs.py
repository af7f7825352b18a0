"""What any project run says, whoever asked for it: why it is no success, when to poll it again, and
when to retry it.
"""

from collections.abc import Sequence

from bot.config.repository import Project
from bot.facts.runs import ProjectRun, RunFault

PAUSES = (30.0, 120.0)
"""Seconds before a run that the workspace failed is tried again, and once more. A failing script is
not.
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
