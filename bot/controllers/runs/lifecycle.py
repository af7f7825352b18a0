"""Project runs, as passes meet them: found again in MLflow, looked at, started, closed.

A run is an MLflow run that the bot creates and tags, and the run at a backend
that works for it. Its tags are what is remembered: whoever loses the memo finds
everything by them.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path, PurePosixPath

from bot import run_tags
from bot.actions import StartRun
from bot.backends import cluster
from bot.backends.run import MLFLOW_STATUS, Submission
from bot.config.repository import Mlops, fill
from bot.controllers.services import Repository, Services, Workspace
from bot.errors import NotFound, ProjectError
from bot.facts.pull_request import PullRequestHead
from bot.facts.runs import ProjectRun, Where
from bot.services.mlflow import MlflowRun
from bot.words.escape import visible
from bot.words.mask import masked

MOST_SMOKES = 50
"""So many of a job's last smoke runs are looked at."""

UNDER_WAY = ("RUNNING", "SCHEDULED")
"""The states of an MLflow run that has not ended."""


def find(
    repository: Repository, services: Services, head: PullRequestHead, config: Mlops
) -> list[ProjectRun]:
    """The bot's runs for this iteration of an open pull request, and all that are not closed, by
    their tags.
    """
    experiment = services.validation.runs.experiment(
        fill(config.experiment, user=head.author, branch=head.source)
    )
    if experiment is None:
        return []
    tags = {run_tags.REPOSITORY: repository.served.key, run_tags.PULL_REQUEST: str(head.number)}
    runs = [
        run
        for run in services.validation.runs.runs(experiment.id, tags)
        if run_tags.TOKEN in run.tags
    ]
    return [
        _read(run, "validation", services)
        for run in sorted(runs, key=_precedence)
        if (head.open and run.tags.get(run_tags.ITERATION) == str(head.iteration))
        or run_tags.CLOSED not in run.tags
    ]


def find_retrainings(
    repository: Repository, services: Services, tags: Mapping[str, str]
) -> list[ProjectRun]:
    """The retrainings of a repository that carry these tags."""
    production = services.production
    kind = {run_tags.REPOSITORY: repository.served.key, run_tags.KIND: run_tags.RETRAINING}
    runs = [
        run
        for experiment in production.runs.experiments(kind)
        for run in production.runs.runs(experiment.id, {**kind, **tags})
    ]
    return [
        _read(run, "production", services)
        for run in sorted(runs, key=_precedence)
        if run_tags.TOKEN in run.tags and run_tags.COMMAND in run.tags
    ]


def find_smokes(
    experiment: str, job: str, repository: Repository, services: Services
) -> list[ProjectRun]:
    """The last smoke runs that were made for a job."""
    production = services.production
    found = production.runs.experiment(experiment)
    if found is None:
        return []
    tags = {
        run_tags.REPOSITORY: repository.served.key,
        run_tags.KIND: run_tags.SMOKE,
        run_tags.JOB: job,
    }
    runs = production.runs.logged(found.id, tags, MOST_SMOKES)
    return [
        _read(run, "production", services)
        for run in sorted(runs, key=_precedence)
        if run_tags.TOKEN in run.tags and run_tags.COMMAND in run.tags
    ]


def look(run: ProjectRun, services: Services) -> ProjectRun:
    """How far a run is by now, with its results once it has ended."""
    if run.over or not run.cluster_run:
        return run
    workspace = services.workspace(run.where)
    try:
        status = workspace.backends[run.backend].look(run.cluster_run)
    except NotFound as gone:
        # A backend forgets old runs; what MLflow says of one that ended is all that is left of it,
        # and stays.
        return replace(
            run,
            outcome="no cluster",
            reason=str(gone),
            ended=services.now(),
            closed=_ended(run, services),
        )
    run = replace(run, run_page=status.page or run.run_page, started=status.started or run.started)
    if status.outcome is None:
        return run
    record = workspace.runs.run(run.mlflow_run)
    registered = workspace.models.registered_by(run.mlflow_run)
    # A version under another name than the one asked for is not the model of this run.
    ours = None
    if registered and workspace.models.same(registered[0], run.model_name):
        ours = registered
    return replace(
        run,
        outcome=status.outcome,
        withdrawn=run_tags.WITHDRAWN in record.tags,
        reason=_safe(status.reason, services),
        log=_safe(status.log, services),
        log_lines=status.lines,
        ended=status.ended or services.now(),
        metrics=dict(record.metrics),
        model_version=ours[1] if ours else "",
        model_page=workspace.models.model_page(*ours) if ours else "",
    )


def _safe(text: str, services: Services) -> str:
    """What a project wrote, without what can do harm: colours, and secrets, which colours might
    tear apart.
    """
    return masked(visible(text), services.secrets)


def start(action: StartRun, repository: Repository, services: Services) -> ProjectRun:
    """Start a run, or find the one that this action started before.

    A project that cannot be run as it stands is a run that failed. Raises
    NotFound when the source branch has moved on.
    """
    run = ProjectRun(
        action.token,
        action.project,
        action.commit,
        action.iteration,
        action.backend,
        where=action.where,
        owner=action.owner,
    )
    if action.fork and action.number is not None:
        repository.mirror.bring_fork(action.number, action.commit)
    else:
        repository.mirror.bring(action.source, action.commit)
    with tempfile.TemporaryDirectory(prefix="signalman-") as temporary:
        folder = Path(temporary) / PurePosixPath(action.project).name
        try:
            repository.mirror.export(action.commit, action.project, folder)
        except NotFound:
            return _refused(
                run, f"the folder {action.project} is not there at {action.commit[:7]}", services
            )
        except ProjectError as too_much:
            return _refused(run, str(too_much), services)
        try:
            if action.backend == "local":
                machines = {}
            else:
                machines = cluster.cluster(folder, action.cluster)
            return _submit(action, run, folder, machines, repository, services)
        except ProjectError as mistake:
            return _refused(run, str(mistake), services)


def anywhere(run: str, services: Services) -> MlflowRun | None:
    """An MLflow run of either workspace; None when neither has it."""
    for workspace in (services.production, services.validation):
        try:
            return workspace.runs.run(run)
        except NotFound:
            continue
    return None


def close(run: ProjectRun, services: Services) -> ProjectRun:
    """Let the MLflow run show the true outcome, whatever the project itself wrote there.

    That this is done is told by a tag, not by its status: a project may end its MLflow run long
    before it ends itself.
    """
    if run.mlflow_run:
        status = MLFLOW_STATUS[run.outcome or "failed"]
        workspace = services.workspace(run.where)
        workspace.runs.end(run.mlflow_run, status, run.ended or services.now())
        workspace.runs.tag(run.mlflow_run, {run_tags.CLOSED: status})
    return replace(run, closed=True)


def note(mlflow_run: str, cluster_run: str, place: Workspace) -> None:
    """Write down where a run is, so that whoever loses the memo finds it."""
    place.runs.tag(
        mlflow_run,
        {run_tags.CLUSTER_RUN: cluster_run, "mlflow.databricks.shellJobRunID": cluster_run},
    )


def withdraw(run: ProjectRun, services: Services) -> None:
    """Write down that the bot itself is about to stop a run, and nobody else."""
    services.workspace(run.where).runs.tag(run.mlflow_run, {run_tags.WITHDRAWN: "true"})


def _submit(
    action: StartRun,
    run: ProjectRun,
    folder: Path,
    machines: dict[str, object],
    repository: Repository,
    services: Services,
) -> ProjectRun:
    """Create the MLflow run, or find it, and submit the project under its token."""
    workspace = services.workspace(action.where)
    if workspace.runs.workspace:
        workspace.databricks.make_folder(str(PurePosixPath(action.experiment).parent))
    experiment = workspace.runs.make_experiment(
        action.experiment, _experiment_tags(action, repository.served.key)
    )
    mlflow_run = _mlflow_run(action, folder.name, experiment, repository, services)
    environment = {
        **services.run_environment,
        "MLFLOW_RUN_ID": mlflow_run,
        "MLFLOW_EXPERIMENT_ID": experiment,
    }
    submission = _submission(action, folder, machines, environment, repository.served.key)
    run = replace(
        run,
        mlflow_run=mlflow_run,
        experiment=experiment,
        mlflow_page=workspace.runs.run_page(experiment, mlflow_run),
        model_name=action.model,
        started=services.now(),
    )
    try:
        cluster_run = workspace.backends[action.backend].submit(submission)
    except ProjectError as mistake:
        return replace(_refused(run, str(mistake), services), closed=False)
    note(mlflow_run, cluster_run, workspace)
    return replace(run, cluster_run=cluster_run)


def _submission(
    action: StartRun,
    folder: Path,
    machines: dict[str, object],
    environment: Mapping[str, str],
    repository: str,
) -> Submission:
    """What a backend is given to run; `folder` holds the project."""
    return Submission(
        token=action.token,
        name=f"signalman {repository} {_for_whom(action)} {folder.name} {action.commit[:7]}",
        folder=folder,
        entry_point=action.entry_point,
        parameters=action.parameters,
        cluster=machines,
        timeout=action.timeout,
        environment=environment,
        tags=_cluster_tags(action, repository),
    )


def _mlflow_run(
    action: StartRun, project: str, experiment: str, repository: Repository, services: Services
) -> str:
    """The id of the MLflow run under the action's token, which is created where there is none."""
    runs = services.workspace(action.where).runs
    earlier = runs.runs(experiment, {run_tags.TOKEN: action.token})
    first = min(earlier, key=_precedence, default=None)
    if first is not None:
        return first.id
    name = f"{project} {_for_whom(action)} {action.commit[:7]}"
    return runs.start(experiment, name, services.now(), _run_tags(action, repository))


def _for_whom(action: StartRun) -> str:
    """What a run is made for, as its name tells people: a branch, or a pull request."""
    if action.where == "production":
        return action.source
    return f"!{action.number}"


def _experiment_tags(action: StartRun, repository: str) -> dict[str, str]:
    tags: dict[str, str] = {}
    if action.kind != run_tags.SMOKE:  # All repositories share the experiment of smoke runs.
        tags[run_tags.REPOSITORY] = repository
    if action.kind:
        tags[run_tags.KIND] = action.kind
        return tags
    if action.number is not None:
        tags[run_tags.PULL_REQUEST] = str(action.number)
    tags[run_tags.STATE] = run_tags.OPEN
    return tags


def _run_tags(action: StartRun, repository: Repository) -> dict[str, str]:
    served = repository.served
    tags = {run_tags.TOKEN: action.token, run_tags.REPOSITORY: served.key}
    if action.number is not None:
        tags[run_tags.PULL_REQUEST] = str(action.number)
    tags |= {
        run_tags.COMMIT: action.commit,
        run_tags.ITERATION: str(action.iteration),
        run_tags.PROJECT: action.project,
        run_tags.MODEL: action.model,
        run_tags.BACKEND: action.backend,
        "mlflow.source.type": "PROJECT",
        "mlflow.source.name": f"{served.url}#{action.project}",
        "mlflow.source.git.commit": action.commit,
        "mlflow.source.git.branch": action.source,
        "mlflow.project.entryPoint": action.entry_point,
        "mlflow.project.backend": action.backend,
    }
    if action.kind:
        tags |= {run_tags.KIND: action.kind, run_tags.COMMAND: action.owner}
    return tags | dict(action.labels)


def _cluster_tags(action: StartRun, repository: str) -> dict[str, str]:
    tags = {"signalman_repository": repository}
    if action.number is not None:
        tags["signalman_pull_request"] = str(action.number)
    tags["signalman_commit"] = action.commit
    return tags


def _precedence(run: MlflowRun) -> tuple[bool, bool, datetime, str]:
    """Which of several MLflow runs under one token is the run: the one that got to a cluster, or
    the first.
    """
    return run_tags.CLUSTER_RUN not in run.tags, run.status not in UNDER_WAY, run.started, run.id


def _ended(run: ProjectRun, services: Services) -> bool:
    try:
        return services.workspace(run.where).runs.run(run.mlflow_run).status not in UNDER_WAY
    except NotFound:
        return True


def _refused(run: ProjectRun, reason: str, services: Services) -> ProjectRun:
    now = services.now()
    return replace(
        run, outcome="failed", reason=reason, closed=True, started=run.started or now, ended=now
    )


def _read(run: MlflowRun, where: Where, services: Services) -> ProjectRun:
    """A run as its tags tell of it, in the workspace that it was found in: that is no matter of
    what they say.
    """
    tags = run.tags
    never_ran = run_tags.CLOSED in tags and run_tags.CLUSTER_RUN not in tags
    return ProjectRun(
        token=tags[run_tags.TOKEN],
        project=tags.get(run_tags.PROJECT, ""),
        commit=tags.get(run_tags.COMMIT, ""),
        iteration=int(tags.get(run_tags.ITERATION, "0")),
        backend=tags.get(run_tags.BACKEND, "databricks-jobs"),
        mlflow_run=run.id,
        experiment=run.experiment,
        mlflow_page=services.workspace(where).runs.run_page(run.experiment, run.id),
        model_name=tags.get(run_tags.MODEL, ""),
        cluster_run=tags.get(run_tags.CLUSTER_RUN, ""),
        outcome=("cancelled" if run.status == "KILLED" else "failed") if never_ran else None,
        closed=run_tags.CLOSED in tags,
        withdrawn=run_tags.WITHDRAWN in tags,
        started=run.started,
        where=where,
        owner=tags.get(run_tags.COMMAND, ""),
    )
