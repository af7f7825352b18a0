"""What target branches have measured: a record in MLflow of each project run that was merged.

Pull requests come and go with experiments of their own; the target branch's
experiment holds what became part of it, in the order of the merges, for people
to look at and for the next pull request to be compared with.
"""

from collections.abc import Iterator
from pathlib import PurePosixPath

from bot import run_tags
from bot.config.repository import Mlops, fill
from bot.controllers.services import Repository, Services
from bot.facts.pull_request import PullRequestHead
from bot.passes import Look


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
    place = services.validation
    own = place.runs.experiment(fill(config.experiment, user=head.author, branch=head.source))
    if own is None or own.tags.get(run_tags.RECORDED) == str(head.iteration):
        return
    wanted = {
        run_tags.REPOSITORY: repository.served.key,
        run_tags.PULL_REQUEST: str(head.number),
        run_tags.ITERATION: str(head.iteration),
    }
    ended = [
        run for run in place.runs.runs(own.id, wanted) if run.status == "FINISHED" and run.metrics
    ]
    newest = {run.tags.get(run_tags.PROJECT, ""): run for run in reversed(ended)}
    if newest:
        if place.runs.workspace:
            place.databricks.make_folder(str(PurePosixPath(experiment(config)).parent))
        there = place.runs.make_experiment(
            experiment(config), {run_tags.REPOSITORY: repository.served.key}
        )
        begun = {run.tags.get(run_tags.SOURCE_RUN): run for run in place.runs.runs(there, wanted)}
        for run in look.while_leased(newest.values()):
            record = begun.get(run.id)
            if record is not None and run_tags.KIND in record.tags:
                continue
            project = run.tags.get(run_tags.PROJECT, "")
            tags = {
                **wanted,
                run_tags.PROJECT: project,
                run_tags.COMMIT: head.merge_commit,
                run_tags.SOURCE_RUN: run.id,
            }
            name = f"{PurePosixPath(project).name} !{head.number} {head.merge_commit[:7]}"
            # One that was begun and cut off is found again by its source.
            if record is not None:
                to = record.id
            else:
                to = place.runs.start(there, name, services.now(), tags)
            place.runs.record(to, run.metrics, {run_tags.KIND: run_tags.MERGED}, services.now())
            yield f"recorded what {project} measured"
    place.runs.tag_experiment(own, {run_tags.RECORDED: str(head.iteration)})
