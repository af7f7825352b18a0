"""What closed pull requests have left in MLflow: found, and tidied as the policy says."""

from collections.abc import Iterator
from typing import assert_never

from bot import run_tags
from bot.actions import (
    ArchiveExperiment,
    ArchiveVersion,
    CleanupAction,
    DeleteExperiment,
    DeleteRun,
    DeleteVersion,
)
from bot.config.repository import Mlops, fill
from bot.controllers.services import Repository, Services
from bot.facts.pull_request import Leavings, PullRequestHead
from bot.passes import Look
from bot.rules.model import rollout
from bot.rules.pull_request import cleanup
from bot.services.mlflow import Experiment


def unattended(repository: Repository, services: Services) -> Iterator[int]:
    """The pull requests that used an experiment which nobody has tidied yet, open ones too."""
    if services.policies.abandoned == "keep":
        return
    for experiment in services.validation.runs.experiments(
        {run_tags.REPOSITORY: repository.served.key, run_tags.STATE: run_tags.OPEN}
    ):
        number = experiment.tags.get(run_tags.PULL_REQUEST, "")
        if number.isdigit():
            yield int(number)


def tidy(
    head: PullRequestHead,
    wanted: Mlops | None,
    look: Look,
    repository: Repository,
    services: Services,
) -> Iterator[str]:
    """Tidy up after a closed pull request; says in words what was done."""
    if wanted is None or services.policies.abandoned == "keep":
        return
    workspace = services.validation
    experiment = workspace.runs.experiment(
        fill(wanted.experiment, user=head.author, branch=head.source)
    )
    if experiment is None or experiment.tags.get(run_tags.STATE) == run_tags.ARCHIVED:
        return
    left = _gather(head, experiment, wanted, repository, services)
    for action in look.while_leased(cleanup.plan(left, services.policies.abandoned)):
        yield _perform(action, experiment, services)


def _gather(
    head: PullRequestHead,
    experiment: Experiment,
    wanted: Mlops,
    repository: Repository,
    services: Services,
) -> Leavings:
    workspace = services.validation
    runs = workspace.runs.runs(experiment.id, {})
    ours = [
        run
        for run in runs
        if run.tags.get(run_tags.REPOSITORY) == repository.served.key
        and run.tags.get(run_tags.PULL_REQUEST) == str(head.number)
    ]
    made = {run.id for run in ours}
    models = dict.fromkeys(run.tags[run_tags.MODEL] for run in ours if run.tags.get(run_tags.MODEL))
    versions = tuple(
        version
        for model in models
        for version in workspace.models.versions(model)
        if version.run in made
    )
    if versions:
        jobs = [services.production.databricks.job(job.name) for job in wanted.jobs]
    else:
        jobs = []
    return Leavings(
        experiment=experiment.id,
        runs=tuple(run.id for run in ours),
        versions=versions,
        loaded=frozenset(rollout.loaded(job) for job in jobs if job),
        # The name is made of author and branch, which the next pull request may have as well.
        shared=bool(repository.azure.active(head.target, source=head.source)),
        others=len(ours) < len(runs),
        merged=head.merged,
    )


def _perform(action: CleanupAction, experiment: Experiment, services: Services) -> str:
    workspace = services.validation
    match action:
        case ArchiveVersion(name, version):
            workspace.models.archive_version(
                name, version, {run_tags.VERSION_ARCHIVED: "its pull request was abandoned"}
            )
            return f"archived {name} v{version}"
        case DeleteVersion(name, version):
            workspace.models.delete_version(name, version)
            return f"deleted {name} v{version}"
        case DeleteRun(run):
            workspace.runs.delete_run(run)
            return f"deleted the MLflow run {run}"
        case ArchiveExperiment():
            workspace.runs.tag_experiment(experiment, {run_tags.STATE: run_tags.ARCHIVED})
            return f"experiment {experiment.id} is archived"
        case DeleteExperiment():
            workspace.runs.delete_experiment(experiment.id)
            return f"deleted experiment {experiment.id}"
        case _:
            assert_never(action)
