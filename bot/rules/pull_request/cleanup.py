"""What becomes of the runs and model versions of a pull request that is closed.

A merged one keeps its versions, because it is after the merge that one is
promoted, and the runs that tell where they come from. Of an abandoned one
nothing is taken that anybody uses: no version that has an alias, that a stage
says is in use, or that a job loads, and no run that made one.
"""

from bot import run_tags
from bot.actions import (
    ArchiveExperiment,
    ArchiveVersion,
    CleanupAction,
    DeleteExperiment,
    DeleteRun,
    DeleteVersion,
)
from bot.config.deployment import Cleanup
from bot.facts.model import ModelVersion
from bot.facts.pull_request import Leavings, PullRequestFacts

_IN_USE = ("Staging", "Production")


def due(pr: PullRequestFacts) -> bool:
    """Whether the time to tidy has come: the pull request is closed, and its runs have ended and
    show it.
    """
    head = pr.head
    return not head.open and head.target == pr.target and all(run.closed for run in pr.runs)


def plan(left: Leavings, policy: Cleanup) -> list[CleanupAction]:
    """Tidy up, the sign that it is done last."""
    if policy == "keep":
        return []
    done: list[CleanupAction] = [] if left.shared else [ArchiveExperiment(left.experiment)]
    if left.merged:
        return done
    unused = [version for version in left.versions if not used(version, left)]
    if policy == "archive":
        return [
            *(
                ArchiveVersion(version.name, version.version)
                for version in unused
                if run_tags.VERSION_ARCHIVED not in version.tags
            ),
            *done,
        ]
    kept = {version.run for version in left.versions if used(version, left)}
    actions: list[CleanupAction] = [
        DeleteVersion(version.name, version.version) for version in unused
    ]
    actions += [DeleteRun(run) for run in left.runs if run not in kept]
    if kept or left.shared or left.others:
        return [*actions, *done]
    return [*actions, DeleteExperiment(left.experiment)]


def used(version: ModelVersion, left: Leavings) -> bool:
    """Whether anybody has promoted a version, or loads it."""
    return (
        bool(version.aliases)
        or version.stage in _IN_USE
        or (version.name, version.version) in left.loaded
    )
