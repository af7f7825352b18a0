"""What merging a pull request would do to the production workspace, told before it is merged.

The two sides of the merge that Azure DevOps tried are compared, and not the workspace with one of
them: what the target branch itself has still to bring there is no change of the pull request's.
"""

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from bot.config.repository import Mlops, Schedule
from bot.facts.branch import (
    BranchJobs,
    JobDefinition,
    JobFacts,
    JobTouched,
    MergeFault,
    Preview,
    SourceFile,
)
from bot.rules import schedule as schedules
from bot.rules.branch import jobs as rule
from bot.rules.branch import sync

_RUNS_TOLD = 3


@dataclass(frozen=True)
class Content:
    """What a commit says of the workspace: its configuration, the files of the folders that are
    mirrored, its jobs.

    `mistakes`: why its jobs are not known, a sentence for each.
    """

    config: Mlops
    files: Sequence[SourceFile]
    jobs: Mapping[str, JobDefinition] = field(default_factory=dict)
    mistakes: tuple[str, ...] = ()


def present(before: Content) -> dict[str, str]:
    """The digests of the objects that the target branch stands for. Raises ConfigError like
    `sync.objects`.
    """
    return {
        path: source.digest
        for path, source in sync.objects(before.config.folders, before.files).items()
    }


def known(before: Content | None, after: Content) -> Mapping[str, JobDefinition]:
    """The jobs that the target branch has already; of a merge whose jobs cannot be read it is not
    known which it has not.
    """
    if before is not None and not after.mistakes:
        return before.jobs
    return {}


def unreadable(mistakes: Sequence[str], before: Collection[str]) -> Preview:
    """What is told of a merge whose configuration cannot be read; `before` is wrong with the target
    branch's.
    """
    return _held_against({mistake: mistake for mistake in mistakes}, before)


def preview(
    held: Mapping[str, str],
    before: Content | None,
    after: Content,
    jobs: BranchJobs,
    now: datetime,
) -> Preview:
    """Compare the objects and the jobs of the target branch (None: it cannot be read) with the
    merge result.

    What the sync would refuse after the merge is refused now, but for what it refuses already.
    `jobs` are the merge result's, with those of the target branch as owned.
    """
    jobs_before = known(before, after)
    faults_before: Collection[Hashable] = ()
    if before is not None:
        faults_before = _faults(before, replace(jobs, wanted=jobs_before))
    wanted, object_faults = sync.placed(after.config.folders, after.files)
    verdict = _held_against(_faults(after, jobs), faults_before)
    if object_faults:
        return verdict
    change = sync.difference(wanted, held)
    needs_confirmation = sync.guarded(len(change.removed), len(held), after.config.most_removed)
    return replace(
        verdict,
        added=tuple(sorted(change.new)),
        changed=tuple(sorted(change.updated)),
        removed=tuple(sorted(change.removed)),
        jobs=_jobs_touched(jobs_before, after, jobs, change, now),
        held=len(change.removed) if needs_confirmation else 0,
        objects=len(held) if needs_confirmation else 0,
    )


def _jobs_touched(
    before: Mapping[str, JobDefinition],
    after: Content,
    jobs: BranchJobs,
    change: sync.Change,
    now: datetime,
) -> tuple[JobTouched, ...]:
    """The jobs that a merge creates or changes, or that use what it changes, then those that it
    takes out.
    """
    paths = (*change.new, *change.updated, *change.removed)
    touched: list[JobTouched | None] = []
    staying: set[int] = set()
    for key, definition in after.jobs.items():
        uses = _uses(definition, after.config, paths)
        touched.append(_touched(definition, before, jobs, uses, now))
        job = rule.job_of(jobs, key)
        if job is not None:
            staying.add(job.id)
    for key, definition in before.items():
        if key not in after.jobs:
            touched.append(_leaving(definition, jobs, staying))
    return tuple(job for job in touched if job is not None)


def _faults(content: Content, jobs: BranchJobs) -> dict[Hashable, MergeFault]:
    """Why a commit cannot be brought, or not all of it: each fault by what two commits share that
    have the same.
    """
    _, object_faults = sync.placed(content.config.folders, content.files)
    faults: dict[Hashable, MergeFault] = dict(object_faults.items())
    faults |= {mistake: mistake for mistake in content.mistakes}
    faults |= {job: job for job in rule.problems(jobs)}
    return faults


def _held_against(faults: Mapping[Any, MergeFault], before: Collection[Hashable]) -> Preview:
    """What is held against the pull request, and what is wrong with the target branch already."""
    # A mistake that quotes several lines may quote empty ones, which say nothing by themselves.
    said = {key: fault for key, fault in faults.items() if fault != ""}
    fresh = tuple(fault for key, fault in said.items() if key not in before)
    old = tuple(fault for key, fault in said.items() if key in before)
    return Preview(refused=fresh, already=old)


def _uses(definition: JobDefinition, config: Mlops, paths: Sequence[str]) -> bool:
    """Whether a job uses one of these paths: it runs something beside it, or scores with a project
    that has it.
    """
    folders = [str(PurePosixPath(path).parent) for path in sync.runs(definition.settings)]
    for job in config.jobs:
        if job.name == definition.name and job.project is not None:
            folders += _project_folders(job.project, config)
    return any(path.startswith(f"{folder}/") for path in paths for folder in folders)


def _project_folders(project: str, config: Mlops) -> list[str]:
    """Where a project lies in the workspace."""
    folders: list[str] = []
    for folder in config.folders:
        if f"{project}/".startswith(f"{folder.from_}/"):
            inside = PurePosixPath(project).relative_to(folder.from_)
            folders.append(str(PurePosixPath(folder.to) / inside))
    return folders


def _touched(
    definition: JobDefinition,
    before: Mapping[str, JobDefinition],
    jobs: BranchJobs,
    uses: bool,
    now: datetime,
) -> JobTouched | None:
    """What a merge does to a job; None: nothing."""
    job = rule.job_of(jobs, definition.key)
    if job is not None and not _changeable(job, jobs):
        return None
    old = before.get(definition.key) or _moved(definition, before, job, jobs)
    created = job is None and old is None
    changes = _changes(definition, old, job)
    renamed = old is not None and old.name != definition.name
    if not (created or changes or uses or renamed):
        return None
    settings = definition.settings
    if job is not None:
        settings = rule.after(definition, rule.owned_by(old) if old else {}, job.settings)
    touched = JobTouched(
        definition.name,
        created,
        was=old.name if old and renamed else "",
        changes=() if created else tuple(path for path in changes if path != "name"),
        left=_left_to_the_workspace(definition, created) if created or changes else (),
    )
    return _scheduled(touched, _schedule(settings), now)


def _changeable(job: JobFacts, jobs: BranchJobs) -> bool:
    """Whether a job of the workspace may be the repository's: no bundle's, and no other's."""
    return not job.bundle and job.tags.get(rule.REPOSITORY, jobs.repository) == jobs.repository


def _changes(
    definition: JobDefinition, old: JobDefinition | None, job: JobFacts | None
) -> tuple[str, ...]:
    """The paths at which a merge changes a job."""
    if old is not None:
        return rule.changes(rule.owned_by(old), rule.owned_by(definition))
    if job is not None:
        # It is there and becomes the repository's.
        return rule.changes(job.settings, rule.after(definition, {}, job.settings))
    return ()


def _left_to_the_workspace(definition: JobDefinition, created: bool) -> tuple[str, ...]:
    """Keys that the file names and that have no effect; whether it is paused has, at first."""
    if not created:
        return definition.theirs
    return tuple(key for key in definition.theirs if not key.endswith(("pause_status", ".paused")))


def _scheduled(touched: JobTouched, schedule: Schedule | None, now: datetime) -> JobTouched:
    if schedule is None:
        return touched
    moments = schedules.next_runs(schedule, now, _RUNS_TOLD)
    return replace(
        touched,
        schedule=schedules.words(schedule),
        next_run=moments[0] if moments else None,
        paused=schedule.paused,
        later=moments[1:],
    )


def _moved(
    definition: JobDefinition,
    before: Mapping[str, JobDefinition],
    job: JobFacts | None,
    jobs: BranchJobs,
) -> JobDefinition | None:
    """The job as the target branch describes it under another key that is gone."""
    for key, old in before.items():
        if key in jobs.wanted:
            continue
        old_job = jobs.there.get(key)
        same = job is not None and old_job is not None and old_job.id == job.id
        if same or old.name == definition.name:
            return old
    return None


def _leaving(
    definition: JobDefinition, jobs: BranchJobs, staying: Collection[int]
) -> JobTouched | None:
    """What a merge does to a job that it describes no more; None: nothing."""
    job = jobs.there.get(definition.key)
    if job is None or job.id in staying or job.bundle:
        return None
    if job.tags.get(rule.REPOSITORY) != jobs.repository:
        return None
    created = rule.CREATED in job.tags
    return JobTouched(job.name, created=False, removed=created, released=not created)


def _schedule(settings: Mapping[str, Any]) -> Schedule | None:
    schedule = settings.get("schedule")
    if not schedule:
        return None
    return Schedule(
        cron=schedule["quartz_cron_expression"],
        timezone=schedule["timezone_id"],
        paused=schedule.get("pause_status") == "PAUSED",
    )
