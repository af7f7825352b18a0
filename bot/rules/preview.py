"""What merging a pull request would do to the production workspace, told before it is merged.

The two sides of the merge that Azure DevOps tried are compared, and not the workspace with one of them: what the
target branch itself has still to bring there is no change of the pull request's.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath

from bot.config import Job, Mlops
from bot.errors import ConfigError
from bot.facts import JobFacts, JobTouched, Preview, SourceFile
from bot.rules import quartz, sync


@dataclass(frozen=True)
class Content:
    """What a commit says of the workspace: its configuration, and the files of the folders that are mirrored."""

    config: Mlops
    files: Sequence[SourceFile]


def present(before: Content) -> dict[str, str]:
    """The digests of the objects that the target branch stands for. Raises ConfigError like `sync.objects`."""
    return {path: source.digest for path, source in sync.objects(before.config.folders, before.files).items()}


def preview(
    held: Mapping[str, str],
    known: Collection[str],
    after: Content,
    jobs: Mapping[str, JobFacts | None],
    now: datetime,
) -> Preview:
    """Compare the objects and the job names of the target branch with the merge result.

    What the sync would refuse after the merge is a problem now. `jobs` are the merge result's as they stand.
    """
    try:
        wanted = sync.objects(after.config.folders, after.files)
    except ConfigError as refused:
        return Preview(problem=str(refused))
    change = sync.difference(wanted, held)
    paths = (*change.new, *change.updated, *change.removed)
    touched = []
    for job in after.config.jobs:
        found = jobs.get(job.name)
        created = found is None and job.name not in known
        if created or _uses(job, after.config, paths):
            touched.append(_touched(job, found, created, now))
    return Preview(
        added=tuple(sorted(change.new)),
        changed=tuple(sorted(change.updated)),
        removed=tuple(sorted(change.removed)),
        jobs=tuple(touched),
    )


def _uses(job: Job, config: Mlops, paths: Sequence[str]) -> bool:
    folders = [str(PurePosixPath(job.notebook).parent)]
    for folder in config.folders:
        if job.project is not None and f"{job.project}/".startswith(f"{folder.from_}/"):
            folders.append(str(PurePosixPath(folder.to) / PurePosixPath(job.project).relative_to(folder.from_)))
    return any(path.startswith(f"{folder}/") for path in paths for folder in folders)


def _touched(job: Job, found: JobFacts | None, created: bool, now: datetime) -> JobTouched:
    # Once a job is there, its schedule is whatever people made of it.
    schedule = found.schedule if found else job.schedule
    if schedule is None:
        return JobTouched(job.name, created)
    return JobTouched(job.name, created, quartz.words(schedule), quartz.next_run(schedule, now), schedule.paused)
