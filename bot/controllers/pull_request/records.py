"""What target branches have measured: a record in MLflow of each project run that was merged.

Pull requests come and go with experiments of their own; the target branch's
experiment holds what became part of it, in the order of the merges, for people
to look at and for the next pull request to be compared with.
"""

from collections.abc import Iterator
from pathlib import PurePosixPath

from bot.config.repository import Mlops, fill
from bot.controllers.runs import lifecycle
from bot.controllers.services import Neighbours, Repository
from bot.facts.pull_request import PullRequestHead
from bot.passes import Look

KIND, MERGED = "signalman.kind", "merged"
SOURCE = "signalman.source_run"
"""The tag of a record that names the run it is about."""

RECORDED = "signalman.recorded"
"""The tag of a pull request's experiment that names the iteration which was recorded."""


def experiment(config: Mlops) -> str:
    """The name of the target branch's experiment."""
    return fill(config.experiment, user="signalman", branch=config.target)


def keep(
    head: PullRequestHead, config: Mlops | None, look: Look, repository: Repository, world: Neighbours
) -> Iterator[str]:
    """Record what a merged pull request had measured, once; says in words what was done."""
    if not head.merged or config is None:
        return
    place = world.validation
    own = place.runs.experiment(fill(config.experiment, user=head.author, branch=head.source))
    if own is None or own.tags.get(RECORDED) == str(head.iteration):
        return
    wanted = {
        lifecycle.REPOSITORY: repository.served.key,
        lifecycle.PULL_REQUEST: str(head.number),
        lifecycle.ITERATION: str(head.iteration),
    }
    ended = [run for run in place.runs.runs(own.id, wanted) if run.status == "FINISHED" and run.metrics]
    newest = {run.tags.get(lifecycle.PROJECT, ""): run for run in reversed(ended)}
    if newest:
        if place.runs.workspace:
            place.databricks.make_folder(str(PurePosixPath(experiment(config)).parent))
        there = place.runs.make_experiment(experiment(config), {lifecycle.REPOSITORY: repository.served.key})
        begun = {run.tags.get(SOURCE): run for run in place.runs.runs(there, wanted)}
        for run in look.each(newest.values()):
            record = begun.get(run.id)
            if record is not None and KIND in record.tags:
                continue
            project = run.tags.get(lifecycle.PROJECT, "")
            tags = {**wanted, lifecycle.PROJECT: project, lifecycle.COMMIT: head.merge_commit, SOURCE: run.id}
            name = f"{PurePosixPath(project).name} !{head.number} {head.merge_commit[:7]}"
            # One that was begun and cut off is found again by its source.
            to = record.id if record is not None else place.runs.start(there, name, world.now(), tags)
            place.runs.record(to, run.metrics, {KIND: MERGED}, world.now())
            yield f"recorded what {project} measured"
    place.runs.tag_experiment(own, {RECORDED: str(head.iteration)})
