"""Stopping a run, also one of which nobody noted where it is.

A pass that is cut off between submitting a run and noting its id leaves one that
costs money and has no name here. Its token still has: a backend answers the same
token with the same run.
"""

import contextlib
import tempfile
from dataclasses import replace
from pathlib import Path, PurePosixPath

from bot.backends import cluster
from bot.backends.run import Submission
from bot.config.repository import Mlops
from bot.controllers.runs import lifecycle
from bot.controllers.services import Repository, Services
from bot.errors import NotFound, ProjectError
from bot.facts.runs import ProjectRun

# Long enough to be stopped before it ends by itself, and shows as what it is.
_IDLE = 'name: nothing\nentry_points: {main: {command: "sleep 60"}}\n'
_LIMIT = 600.0


def stop(
    run: ProjectRun, config: Mlops | None, repository: Repository, services: Services
) -> ProjectRun:
    """Ask the backend to stop a run; the next look tells how it ended."""
    if not run.withdrawn:
        lifecycle.withdraw(run, services)
        run = replace(run, withdrawn=True)
    if not run.cluster_run:
        run = _submitted(run, config, repository, services)
    if run.cluster_run:
        with contextlib.suppress(NotFound):  # Gone is as good as stopped.
            services.workspace(run.where).backends[run.backend].cancel(run.cluster_run)
    return run


def _submitted(
    run: ProjectRun, config: Mlops | None, repository: Repository, services: Services
) -> ProjectRun:
    """The run with its id at the backend, or as cancelled when it cannot have got there.

    What is submitted does nothing: if the backend never heard of the token, that
    is what runs until it is stopped, and not a project that nobody waits for.
    """
    workspace = services.workspace(run.where)
    with tempfile.TemporaryDirectory(prefix="signalman-") as temporary:
        folder = Path(temporary) / PurePosixPath(run.project).name
        try:
            machines: dict[str, object] = {}
            if run.backend != "local":
                machines = _machines(run, folder, _cluster_file(run, config), repository)
            idle = _idle_project(run, folder, machines, repository)
            cluster_run = workspace.backends[run.backend].submit(idle)
        except (NotFound, ProjectError):
            return replace(run, outcome="cancelled", ended=services.now())
    lifecycle.note(run.mlflow_run, cluster_run, workspace)
    return replace(run, cluster_run=cluster_run)


def _idle_project(
    run: ProjectRun, folder: Path, machines: dict[str, object], repository: Repository
) -> Submission:
    """A project that does nothing, under the token of a run."""
    project = folder / "nothing"
    project.mkdir(parents=True)
    (project / "MLproject").write_text(_IDLE, encoding="utf-8")
    return Submission(
        token=run.token,
        name=f"signalman {repository.served.key} {folder.name} {run.commit[:7]} (to be stopped)",
        folder=project,
        entry_point="main",
        parameters={},
        cluster=machines,
        timeout=_LIMIT,
        environment={"MLFLOW_RUN_ID": run.mlflow_run, "MLFLOW_EXPERIMENT_ID": run.experiment},
        tags={
            "signalman_repository": repository.served.key,
            "signalman_commit": run.commit,
        },
    )


def _cluster_file(run: ProjectRun, config: Mlops | None) -> str:
    """The file in the project's folder that describes its cluster, as far as it is known."""
    if config is not None:
        for project in config.projects:
            if project.path == run.project:
                return project.cluster
    return "cluster.json"


def _machines(
    run: ProjectRun, folder: Path, file: str, repository: Repository
) -> dict[str, object]:
    try:
        repository.mirror.export(run.commit, run.project, folder)
    except NotFound:
        # Brought here by another machine, or by nobody yet; the cluster of the project as it is now
        # will do.
        tip = repository.mirror.fetch(repository.served.target)
        repository.mirror.export(tip, run.project, folder)
    return cluster.cluster(folder, file)
