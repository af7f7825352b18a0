"""What target branches have measured: a record in MLflow of each project run that was merged.

Pull requests come and go with experiments of their own; the target branch's
experiment holds what became part of it, in the order of the merges, for people
to look at and for the next pull request to be compared with.
"""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from bot.config import Mlops, fill
from bot.controllers import runs
from bot.controllers.neighbours import Neighbours, Repository
from bot.facts import PullRequestHead
from bot.passes import Look
from bot.services.mlflow import RunRecord

KIND, MERGED = "signalman.kind", "merged"
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
        runs.REPOSITORY: repository.served.key,
        runs.PULL_REQUEST: str(head.number),
        runs.ITERATION: str(head.iteration),
    }
    ended = [run for run in place.runs.runs(own.id, wanted) if run.status == "FINISHED" and run.metrics]
    newest = {run.tags.get(runs.PROJECT, ""): run for run in reversed(ended)}
    if newest:
        if place.runs.workspace:
            place.databricks.make_folder(str(PurePosixPath(experiment(config)).parent))
        there = place.runs.make_experiment(experiment(config), {runs.REPOSITORY: repository.served.key})
        known = {run.tags.get(runs.TOKEN) for run in place.runs.runs(there, {**wanted, KIND: MERGED})}
        for run in look.each([run for run in newest.values() if run.tags.get(runs.TOKEN) not in known]):
            place.runs.record(there, *_record(run, head), world.now())
            yield f"recorded what {run.tags.get(runs.PROJECT)} measured"
    place.runs.tag_experiment(own, {RECORDED: str(head.iteration)})


def _record(run: RunRecord, head: PullRequestHead) -> tuple[str, Mapping[str, float], Mapping[str, str]]:
    kept = (runs.REPOSITORY, runs.PULL_REQUEST, runs.ITERATION, runs.PROJECT, runs.TOKEN)
    tags = {name: run.tags[name] for name in kept if name in run.tags}
    name = f"{PurePosixPath(tags.get(runs.PROJECT, '')).name} !{head.number} {head.merge_commit[:7]}"
    return name, run.metrics, {**tags, KIND: MERGED, runs.COMMIT: head.merge_commit, "signalman.run": run.id}
