"""What target branches have measured: a record in MLflow of each project run that was merged.

Pull requests come and go with experiments of their own; the target branch's
experiment holds what became part of it, in the order of the merges, for people
to look at and for the next pull request to be compared with.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from bot import run_tags
from bot.config.repository import Mlops, fill
from bot.controllers.services import Repository, Services
from bot.facts.pull_request import PullRequestHead
from bot.passes import Look
from bot.services.mlflow import MlflowRun


def experiment(config: Mlops) -> str:
    """The name of the target branch's experiment."""
    return fill(config.experiment, user="signalman", branch=config.target)


def keep(
    head: PullRequestHead,
    config: Mlops | None,
    look: Look,
    repository: Repository,
    services: Services,
) -> Iterator[str]:
    """Record what a merged pull request had measured, once; says in words what was done."""
    if not head.merged or config is None:
        return
    workspace = services.validation
    own = workspace.runs.experiment(fill(config.experiment, user=head.author, branch=head.source))
    if own is None or own.tags.get(run_tags.RECORDED) == str(head.iteration):
        return
    tags = {
        run_tags.REPOSITORY: repository.served.key,
        run_tags.PULL_REQUEST: str(head.number),
        run_tags.ITERATION: str(head.iteration),
    }
    measured = _newest_measured(workspace.runs.runs(own.id, tags))
    if measured:
        records = _experiment(config, repository, services)
        begun = {
            run.tags.get(run_tags.SOURCE_RUN): run for run in workspace.runs.runs(records, tags)
        }
        for run in look.while_leased(measured):
            record = begun.get(run.id)
            if record is not None and run_tags.KIND in record.tags:
                continue
            # One that was begun and cut off is found again by its source.
            kept_in = record.id if record else _begin(run, head, tags, records, services)
            merged = {run_tags.KIND: run_tags.MERGED}
            workspace.runs.record(kept_in, run.metrics, merged, services.now())
            yield f"recorded what {run.tags.get(run_tags.PROJECT, '')} measured"
    workspace.runs.tag_experiment(own, {run_tags.RECORDED: str(head.iteration)})


def _newest_measured(runs: Iterable[MlflowRun]) -> list[MlflowRun]:
    """Of each project the newest run that ended well and measured something; `runs` come newest
    first.
    """
    measured = [run for run in runs if run.status == "FINISHED" and run.metrics]
    newest = {run.tags.get(run_tags.PROJECT, ""): run for run in reversed(measured)}
    return list(newest.values())


def _experiment(config: Mlops, repository: Repository, services: Services) -> str:
    """The id of the target branch's experiment, which is made where there is none."""
    workspace = services.validation
    name = experiment(config)
    if workspace.runs.workspace:
        workspace.databricks.make_folder(str(PurePosixPath(name).parent))
    return workspace.runs.make_experiment(name, {run_tags.REPOSITORY: repository.served.key})


def _begin(
    run: MlflowRun,
    head: PullRequestHead,
    tags: Mapping[str, str],
    records: str,
    services: Services,
) -> str:
    """Begin the record of a run among the `records`; gives its id."""
    project = run.tags.get(run_tags.PROJECT, "")
    name = f"{PurePosixPath(project).name} !{head.number} {head.merge_commit[:7]}"
    source = {
        run_tags.PROJECT: project,
        run_tags.COMMIT: head.merge_commit,
        run_tags.SOURCE_RUN: run.id,
    }
    return services.validation.runs.start(records, name, services.now(), {**tags, **source})
