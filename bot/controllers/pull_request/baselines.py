"""What the runs of a pull request are compared with: the target branch's last runs, and the version
that serves.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from bot import run_tags
from bot.config.repository import Mlops, Project
from bot.controllers.pull_request import records
from bot.controllers.runs import lifecycle
from bot.controllers.services import Repository, Services
from bot.facts.quality_gate import Baseline, Reference
from bot.facts.runs import ProjectRun
from bot.rules.model import rollout
from bot.services.mlflow import MlflowRun

MOST = 20
"""So many of the target branch's last runs are looked at."""


def gather(
    config: Mlops, projects: Collection[str], repository: Repository, services: Services
) -> Mapping[str, Baseline]:
    """The baseline of each of these projects, by its path."""
    workspace = services.validation
    experiment = workspace.runs.experiment(records.experiment(config))
    baselines: dict[str, Baseline] = {}
    for project in config.projects:
        if project.path not in projects:
            continue
        tags = {
            run_tags.REPOSITORY: repository.served.key,
            run_tags.KIND: run_tags.MERGED,
            run_tags.PROJECT: project.path,
        }
        if experiment is not None:
            recorded = workspace.runs.logged(experiment.id, tags, MOST)
        else:
            recorded = []
        baselines[project.path] = Baseline(
            target=Reference(config.target, recorded[0].metrics, page=_page(recorded[0], services))
            if recorded
            else None,
            serving=_serving(project, config, recorded, services),
            history=tuple(run.metrics for run in reversed(recorded)),
        )
    return baselines


def signed(config: Mlops, run: ProjectRun, services: Services) -> ProjectRun:
    """The run with its model's signature, where the project is judged by it."""
    project = next(
        (configured for configured in config.projects if configured.path == run.project), None
    )
    if project is None or project.signature == "any" or run.signature or not run.model_version:
        return run
    return replace(
        run, signature=services.validation.models.signature(run.model_name, run.model_version)
    )


def _serving(
    project: Project, config: Mlops, recorded: Sequence[MlflowRun], services: Services
) -> Reference | None:
    """The version that serves what a project trains, measured on what the project measures on, if
    that was done.
    """
    models = services.production.models
    followed = {job.model: job for job in config.jobs if rollout.follows(job.model, project)}
    candidates = [
        version
        for job in followed.values()
        for version in models.promoted(job.model, job.alias, job.stage)
    ]
    chosen = rollout.promoted(candidates)
    if chosen is not None and chosen.run:
        run = lifecycle.anywhere(chosen.run, services)
    else:
        run = None
    if (
        chosen is None
        or run is None
        or run.tags.get(run_tags.PROJECT, project.path) != project.path
    ):
        return None
    if project.signature == "equal":
        signature = models.signature(chosen.name, chosen.version)
    else:
        signature = ""
    measured, comparable = _measured(project, run, recorded)
    return Reference(
        label=f"production v{chosen.version}",
        metrics=measured.metrics,
        comparable=comparable,
        signature=signature,
        page=models.model_page(chosen.name, chosen.version),
    )


def _measured(
    project: Project, run: MlflowRun, recorded: Sequence[MlflowRun]
) -> tuple[MlflowRun, bool]:
    """The run that tells how good a serving version is on the data that pull requests use, and
    whether it does.

    A version that a pull request trained was measured so itself. One that was trained for
    production, on other data, is as good as what was merged last before it was trained: that is its
    code.
    """
    if (
        run.tags.get(run_tags.PULL_REQUEST)
        and run.tags.get(run_tags.TOKEN)
        and run_tags.KIND not in run.tags
    ):
        return run, True
    before = next((record for record in recorded if record.started <= run.started), None)
    if before is not None:
        return before, True
    fixed = {
        name: str(value) for name, value in project.parameters.items() if "{" not in str(value)
    }
    differs = any(run.parameters.get(name, value) != value for name, value in fixed.items())
    return run, not differs


def _page(run: MlflowRun, services: Services) -> str:
    return services.validation.runs.run_page(run.experiment, run.id)
