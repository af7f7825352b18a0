"""What merging a pull request would do to the production workspace, told before it is merged.

The two sides of the merge that Azure DevOps tried are compared, and not the workspace with one of
them: what the target branch itself has still to bring there is no change of the pull request's.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from bot.config.repository import Mlops, Schedule
from bot.facts.branch import BranchJobs, JobDefinition, JobFacts, JobTouched, Preview, SourceFile
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
    return _told({sentence: sentence for sentence in mistakes}, before)


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
    had, (wanted, faults) = known(before, after), sync.placed(after.config.folders, after.files)
    had_wrong: Collection[tuple[str, str]] = ()
    if before:
        had_wrong = _wrong(before, replace(jobs, wanted=had))
    told = _told({**faults, **_wrong_jobs(after, jobs)}, had_wrong)
    if faults:
        return told
    change = sync.difference(wanted, held)
    paths = (*change.new, *change.updated, *change.removed)
    touched = [
        _touched(job, had, jobs, _uses(job, after.config, paths), now)
        for job in after.jobs.values()
    ]
    kept = {there.id for key in after.jobs if (there := rule.job_of(jobs, key))}
    asked = sync.guarded(len(change.removed), len(held), after.config.most_removed)
    touched += [_leaving(one, jobs, kept) for key, one in had.items() if key not in after.jobs]
    return replace(
        told,
        added=tuple(sorted(change.new)),
        changed=tuple(sorted(change.updated)),
        removed=tuple(sorted(change.removed)),
        jobs=tuple(job for job in touched if job is not None),
        held=len(change.removed) if asked else 0,
        objects=len(held) if asked else 0,
    )


def _wrong(content: Content, jobs: BranchJobs) -> dict[tuple[str, str], str]:
    """Why a commit cannot be brought, or not all of it: a sentence for each fault, which two
    commits may share.
    """
    _, faults = sync.placed(content.config.folders, content.files)
    return {**faults, **_wrong_jobs(content, jobs)}


def _wrong_jobs(content: Content, jobs: BranchJobs) -> dict[tuple[str, str], str]:
    return {("job", sentence): sentence for sentence in (*content.mistakes, *rule.problems(jobs))}


def _told(wrong: Mapping[Any, str], before: Collection[Any]) -> Preview:
    """What is held against the pull request, and what is wrong with the target branch already."""
    fresh = [sentence for key, sentence in wrong.items() if key not in before]
    old = [sentence for key, sentence in wrong.items() if key in before]
    return Preview(refused="\n".join(fresh), already="\n".join(old))


def _uses(job: JobDefinition, config: Mlops, paths: Sequence[str]) -> bool:
    folders = [str(PurePosixPath(path).parent) for path in sync.runs(job.settings)]
    projects = [
        configured.project
        for configured in config.jobs
        if configured.name == job.name and configured.project is not None
    ]
    for folder in config.folders:
        for project in projects:
            if f"{project}/".startswith(f"{folder.from_}/"):
                folders.append(
                    str(PurePosixPath(folder.to) / PurePosixPath(project).relative_to(folder.from_))
                )
    return any(path.startswith(f"{folder}/") for path in paths for folder in folders)


def _touched(
    job: JobDefinition,
    before: Mapping[str, JobDefinition],
    jobs: BranchJobs,
    uses: bool,
    now: datetime,
) -> JobTouched | None:
    """What a merge does to a job; None: nothing."""
    found = rule.job_of(jobs, job.key)
    name = job.name
    if found is not None and (
        found.bundle or found.tags.get(rule.REPOSITORY, jobs.repository) != jobs.repository
    ):
        return None
    known = before.get(job.key) or _moved(job, before, found, jobs)
    if known is None and found is not None:
        # It is there and becomes the repository's.
        changes = rule.changes(found.settings, rule.after(job, {}, found.settings))
    else:
        if known:
            changes = rule.changes(rule.owned_by(known), rule.owned_by(job))
        else:
            changes = ()
    if known:
        was = known.name
    else:
        was = name
    created = found is None and known is None
    if not (created or changes or uses or was != name):
        return None
    settings = job.settings
    if found:
        if known:
            applied = rule.owned_by(known)
        else:
            applied = {}
        settings = rule.after(job, applied, found.settings)
    left = [
        key for key in job.theirs if not (created and key.endswith(("pause_status", ".paused")))
    ]
    schedule = _schedule(settings)
    if schedule:
        first = schedules.next_runs(schedule, now, _RUNS_TOLD)
    else:
        first = ()
    return JobTouched(
        name,
        created,
        schedules.words(schedule) if schedule else "",
        first[0] if first else None,
        bool(schedule and schedule.paused),
        later=first[1:],
        was=was if was != name else "",
        changes=() if created else tuple(path for path in changes if path != "name"),
        left=tuple(left) if created or changes else (),
    )


def _moved(
    job: JobDefinition,
    before: Mapping[str, JobDefinition],
    found: JobFacts | None,
    jobs: BranchJobs,
) -> JobDefinition | None:
    """The job as the target branch describes it under another key that is gone."""
    for key, one in before.items():
        there = jobs.there.get(key)
        same = found is not None and there is not None and there.id == found.id
        if key not in jobs.wanted and (same or one.name == job.name):
            return one
    return None


def _leaving(job: JobDefinition, jobs: BranchJobs, kept: Collection[int]) -> JobTouched | None:
    found = jobs.there.get(job.key)
    if (
        found is None
        or found.id in kept
        or found.bundle
        or found.tags.get(rule.REPOSITORY) != jobs.repository
    ):
        return None
    created = rule.CREATED in found.tags
    return JobTouched(found.name, created=False, removed=created, released=not created)


def _schedule(settings: Mapping[str, Any]) -> Schedule | None:
    found = settings.get("schedule")
    if not found:
        return None
    paused = found.get("pause_status") == "PAUSED"
    return Schedule(
        cron=found["quartz_cron_expression"], timezone=found["timezone_id"], paused=paused
    )
