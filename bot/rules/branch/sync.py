"""Reconcile: what must change for a workspace to hold what the target branch holds.

Writes come before removals and the manifest last, so that a job which starts in
the middle finds an old notebook or a new one, never none, and a sync that was
cut off is simply done again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from posixpath import dirname, splitext
from typing import Any

from bot.actions import (
    BranchAction,
    ChangeJob,
    CreateJob,
    LookAgain,
    RemoveFolder,
    RemoveJob,
    RemoveObject,
    Reply,
    Together,
    Wake,
    WriteManifest,
    WriteObject,
)
from bot.config.repository import Folder
from bot.errors import ConfigError
from bot.facts.branch import (
    BranchFacts,
    JobDefinition,
    Manifest,
    ObjectFault,
    RolledBack,
    SourceFile,
    Synced,
)
from bot.rules.branch import jobs
from bot.subjects import Model
from bot.words import branch as words
from bot.words import replies

LARGEST = 10 * 1024 * 1024
"""Bytes; the workspace import refuses more
(https://docs.databricks.com/api/workspace/workspace/import).
"""

FEW = 3
"""So many removals are never asked about, unless they are all there is."""
REMEMBERED = 20
"""Commits that a manifest remembers."""
MOST_FAULTS = 20
"""So many are told of a commit that cannot be brought."""

_SKIPPED = frozenset({"__pycache__", ".ipynb_checkpoints", "mlruns"})


@dataclass(frozen=True)
class Change:
    """How the workspace differs from the branch: object paths. `kept`: what is not removed yet, and
    why.
    """

    new: tuple[str, ...]
    updated: tuple[str, ...]
    removed: tuple[str, ...]
    kept: Mapping[str, str] = field(default_factory=dict)


def plan(branch: BranchFacts) -> list[BranchAction]:
    """Make the workspace hold the branch's tip; nothing when it does already."""
    held = branch.manifest
    models = dict.fromkeys(job.model for job in branch.config.jobs)
    waking = [Wake(Model(model)) for model in models]
    planned = _job_actions(branch)
    waits = [action for action in planned if isinstance(action, LookAgain)]
    job_actions = [action for action in planned if not isinstance(action, LookAgain)]
    if settled(held, branch.tip) and not job_actions:
        return [*waits, *waking]
    wanted = objects(branch.config.folders, branch.files)
    change = _with_what_stays(branch, wanted, difference(wanted, held.files), job_actions)
    if held.commit == branch.tip and change.kept == held.kept and not job_actions:
        return [*waits, *waking]
    return [
        *_object_actions(branch, wanted, change, job_actions),
        *_replies(branch, change, job_actions),
        WriteManifest(_finished(branch, wanted, change)),
        *waits,
        *waking,
    ]


def brought_by(branch: BranchFacts) -> int | None:
    """The pull request that brought the commit to hold; None: none is known."""
    for number, commit in branch.merged:
        if commit == branch.tip:
            return number
    return branch.manifest.brought(branch.tip)


def _finished(branch: BranchFacts, wanted: Mapping[str, SourceFile], change: Change) -> Manifest:
    """The manifest once all is done."""
    held = branch.manifest
    files = {path: source.digest for path, source in wanted.items()}
    files |= {path: held.files[path] for path in change.kept}
    return Manifest(
        branch.repository,
        branch.tip,
        files,
        history=_history(branch),
        jobs=jobs.owned(branch.jobs) if branch.jobs else held.jobs,
        kept=change.kept,
    )


def _job_actions(branch: BranchFacts) -> list[BranchAction]:
    """What is to be done to the jobs. What people did to them is left, unless it is to be put
    right.
    """
    if branch.jobs is None:
        return []
    actions = jobs.plan(branch.jobs)
    if not settled(branch.manifest, branch.tip):
        return actions
    owned = branch.manifest.jobs
    changed = {
        key
        for key, definition in branch.jobs.wanted.items()
        if jobs.redefined(definition, owned.get(key))
    }
    if branch.config.job_drift == "restore":
        changed |= jobs.unlike_applied(branch.jobs).keys()
    return [
        action
        for action in actions
        if not isinstance(action, ChangeJob) or action.goes or action.key in changed
    ]


def settled(held: Manifest, tip: str) -> bool:
    """Whether the workspace holds a commit, and nothing that it does not."""
    return held.commit == tip and not held.kept


def guarded(removed: int, owned: int, most: int) -> bool:
    """Whether so many removals of so many objects have to be confirmed: all of them, or more than
    `most` percent.

    A few are nobody's mistake, unless they are all there is.
    """
    return removed > 0 and (removed >= owned or (removed > FEW and removed * 100 > owned * most))


def runs(settings: Mapping[str, Any]) -> set[str]:
    """The workspace paths of the notebooks and Python files that a job's tasks run, those of loops
    included.
    """
    paths: set[str] = set()
    for task in settings.get("tasks") or ():
        repeated = (task.get("for_each_task") or {}).get("task") or {}
        for step in (task, repeated):
            notebook = (step.get("notebook_task") or {}).get("notebook_path")
            script = (step.get("spark_python_task") or {}).get("python_file")
            for path in (notebook, script):
                if isinstance(path, str):
                    paths.add(path.removeprefix("/Workspace"))
    return paths


def removals(branch: BranchFacts) -> tuple[tuple[str, ...], bool]:
    """The paths that the branch does not hold any more, and whether somebody has to be asked about
    them.
    """
    wanted = objects(branch.config.folders, branch.files)
    removed = difference(wanted, branch.manifest.files).removed
    return removed, _has_to_be_confirmed(branch, removed)


def _has_to_be_confirmed(branch: BranchFacts, removed: Sequence[str]) -> bool:
    held = branch.manifest
    # What has waited goes on waiting, though it is little beside what has come since.
    waits = any(held.kept.get(path) == replies.UNCONFIRMED for path in removed)
    return waits or guarded(len(removed), held.objects, branch.config.most_removed)


def objects(folders: Sequence[Folder], files: Sequence[SourceFile]) -> dict[str, SourceFile]:
    """Which workspace object each file of the mirrored folders becomes.

    A notebook loses its extension, as the workspace import does it. Raises
    ConfigError for a link, a file that is too large, and two files that would
    become one object, or two that many take for one.
    """
    placed_files, faults = placed(folders, files)
    if faults:
        sentences = [words.object_fault(fault) for fault in faults.values()]
        lines = sentences[:MOST_FAULTS]
        if len(sentences) > MOST_FAULTS:
            lines.append(f"and {len(sentences) - MOST_FAULTS} more")
        raise ConfigError("\n".join(lines))
    return placed_files


def placed(
    folders: Sequence[Folder], files: Sequence[SourceFile]
) -> tuple[dict[str, SourceFile], dict[tuple[str, str], ObjectFault]]:
    """Which workspace object each file becomes, and what is wrong with them: each fault by its kind
    and place, so that two commits that have one fault have it under one key.
    """
    by_target: dict[str, SourceFile] = {}
    faults: dict[tuple[str, str], ObjectFault] = {}
    for folder in folders:
        for source in files:
            inside = source.path.removeprefix(f"{folder.from_}/")
            if inside == source.path or not _SKIPPED.isdisjoint(inside.split("/")):
                continue
            unfit = _unfit(source)
            if unfit is not None:
                faults["unfit", source.path] = unfit
            if source.notebook:
                name = splitext(inside)[0]
            else:
                name = inside
            target = f"{folder.to}/{name}"
            other = by_target.setdefault(target, source)
            if other is not source:
                faults["one object", target] = ObjectFault(
                    "one object", source.path, other.path, target
                )
    faults |= _spelled_otherwise(by_target)
    faults |= _both_file_and_folder(by_target)
    return by_target, faults


def _spelled_otherwise(
    by_target: Mapping[str, SourceFile],
) -> dict[tuple[str, str], ObjectFault]:
    """Names that differ by case only, of folders too, but not again of what lies in such
    folders.
    """
    faults: dict[tuple[str, str], ObjectFault] = {}
    spelled: dict[str, tuple[str, SourceFile]] = {}
    for path, source in by_target.items():
        for part in (*_above(path), path):
            folded = part.casefold()
            first_spelling, other = spelled.setdefault(folded, (part, source))
            if first_spelling != part:
                fault = ObjectFault("case", source.path, other.path, part, first_spelling)
                faults.setdefault(("case", folded), fault)
                break
    return faults


def _both_file_and_folder(
    by_target: Mapping[str, SourceFile],
) -> dict[tuple[str, str], ObjectFault]:
    faults: dict[tuple[str, str], ObjectFault] = {}
    for path, source in by_target.items():
        for above in _above(path):
            if above in by_target:
                fault = ObjectFault("folder", by_target[above].path, source.path, above)
                faults.setdefault(("folder", above), fault)
    return faults


def _above(path: str) -> tuple[str, ...]:
    return _down_to(dirname(path))


# Thousands of objects lie in a few folders.
@lru_cache(maxsize=1024)
def _down_to(folder: str) -> tuple[str, ...]:
    """A folder and all that it lies in, the outermost first."""
    if dirname(folder) == folder:
        return (folder,)
    return (*_above(folder), folder)


def difference(wanted: Mapping[str, SourceFile], present: Mapping[str, str]) -> Change:
    """Compare what the branch holds with what the manifest says is there."""
    new: list[str] = []
    updated: list[str] = []
    for path, source in wanted.items():
        digest = present.get(path)
        if not digest:
            new.append(path)
        elif digest != source.digest:
            updated.append(path)
    removed = tuple(path for path in present if path not in wanted)
    return Change(tuple(new), tuple(updated), removed)


def _with_what_stays(
    branch: BranchFacts,
    wanted: Mapping[str, SourceFile],
    change: Change,
    job_actions: Sequence[BranchAction],
) -> Change:
    """The change without removals that would stop a job, or that nobody has confirmed."""
    unconfirmed = _has_to_be_confirmed(branch, change.removed) and not branch.confirmed
    users = _jobs_by_path(branch, job_actions)
    in_the_way = _in_the_way(change.removed, wanted)
    kept: dict[str, str] = {}
    for path in change.removed:
        if path in in_the_way:
            continue
        if path in users:
            kept[path] = words.used_by(users[path])
        elif unconfirmed:
            kept[path] = replies.UNCONFIRMED
    removed = tuple(path for path in change.removed if path not in kept)
    return replace(change, removed=removed, kept=kept)


def _jobs_by_path(branch: BranchFacts, actions: Sequence[BranchAction]) -> dict[str, str]:
    """The paths that some job runs once these actions were done, and the name of that job."""
    touched = {action.job for action in actions if isinstance(action, ChangeJob | RemoveJob)}
    names = {path: name for path, job, name in branch.used if job not in touched}
    for definition in _wanted_jobs(branch).values():
        names |= dict.fromkeys(runs(definition.settings), definition.name)
    return names


def _wanted_jobs(branch: BranchFacts) -> Mapping[str, JobDefinition]:
    if branch.jobs:
        return branch.jobs.wanted
    return {}


def _object_actions(
    branch: BranchFacts,
    wanted: Mapping[str, SourceFile],
    change: Change,
    job_actions: Sequence[BranchAction],
) -> list[BranchAction]:
    """Claim, make room, write, change jobs, remove: what is done to objects and jobs, in order."""
    actions: list[BranchAction] = []
    claim = _claim(branch, change)
    if claim.files != branch.manifest.files or job_actions:
        # What is about to change is owned and doubted before it changes: whatever commit comes
        # next, a sync that was cut off is then seen for what it is.
        actions.append(WriteManifest(claim))
    early = _in_the_way(change.removed, wanted)
    actions += [RemoveObject(path) for path in early]
    # Modules and data before the notebooks that use them.
    written = sorted((*change.new, *change.updated))
    for notebooks in (False, True):
        paths = [path for path in written if wanted[path].notebook is notebooks]
        if paths:
            writing = (WriteObject(path, wanted[path], branch.tip) for path in paths)
            actions.append(Together(tuple(writing)))
    # A job that does not run a notebook any more lets go of it before it is removed.
    actions += job_actions
    late = [path for path in sorted(change.removed, reverse=True) if path not in early]
    if late:
        actions.append(Together(tuple(RemoveObject(path) for path in late)))
    return [*actions, *_emptied(branch, wanted, change)]


def _claim(branch: BranchFacts, change: Change) -> Manifest:
    """The manifest while a change is under way: all that it touches is owned, and doubted."""
    held = branch.manifest
    files = {**held.files, **dict.fromkeys(change.new, "")}
    for path in (*change.updated, *change.removed):
        files[path] = f"{held.files[path].rstrip('?')}?"
    return replace(
        held,
        commit="",
        files=files,
        since=held.commit or held.since,
        jobs=jobs.claimed(branch.jobs) if branch.jobs else held.jobs,
    )


def _history(branch: BranchFacts) -> tuple[Synced, ...]:
    """What the workspace has held, with the tip in front."""
    before = branch.manifest.history
    if before and before[0].commit == branch.tip:
        return before
    if branch.rolled_back:
        by = branch.rolled_back.by
    else:
        by = ""
    live = Synced(branch.tip, brought_by(branch), branch.now, by)
    return (live, *before)[:REMEMBERED]


def _in_the_way(removed: Sequence[str], wanted: Mapping[str, SourceFile]) -> list[str]:
    """What has to go before anything is written: a notebook that becomes a folder, or a folder,
    emptied, that becomes a notebook. Neither could stay anyway.
    """
    folders = {folder for path in wanted for folder in _above(path)}
    paths: set[str] = set()
    for path in removed:
        above = _above(path)
        becoming_objects = [folder for folder in above if folder in wanted]
        if path in folders or becoming_objects:
            paths.add(path)
        for outer in becoming_objects:
            paths |= {folder for folder in above if f"{folder}/".startswith(f"{outer}/")}
    return sorted(paths, reverse=True)


def _emptied(
    branch: BranchFacts, wanted: Mapping[str, SourceFile], change: Change
) -> list[BranchAction]:
    """The removal of the folders below the mirrored ones that hold nothing of ours any more, the
    innermost first.
    """
    in_use = {folder for path in (*wanted, *change.kept) for folder in _above(path)}
    roots = tuple(f"{folder.to}/" for folder in branch.config.folders)
    empty: set[str] = set()
    for path in change.removed:
        empty |= {folder for folder in _above(path) if folder.startswith(roots)}
    empty -= in_use | wanted.keys()
    actions: list[BranchAction] = []
    for depth in sorted({folder.count("/") for folder in empty}, reverse=True):
        level = sorted(folder for folder in empty if folder.count("/") == depth)
        actions.append(Together(tuple(RemoveFolder(folder) for folder in level)))
    return actions


def _replies(
    branch: BranchFacts, change: Change, job_actions: Sequence[BranchAction]
) -> list[BranchAction]:
    """Tell each pull request what came of its merge, or whoever rolled one back that it is done."""
    if branch.rolled_back is not None:
        return _rollback_reply(branch.rolled_back, change)
    counts: dict[str, tuple[int, ...]] = {}
    for folder in branch.config.folders:
        counted = _counted(folder, change)
        if any(counted):
            counts[folder.to] = counted
    touched = _touched(branch, job_actions)
    if branch.jobs:
        left_alone = jobs.problems(branch.jobs)
    else:
        left_alone = ()
    problems = [words.job_left_alone(problem) for problem in left_alone]
    if not (counts or touched or problems or change.kept):
        return []
    actions: list[BranchAction] = []
    for number, commit in branch.merged:
        body = replies.merged(
            commit, branch.tip, counts, touched, change.kept, problems, branch.manifest.objects
        )
        actions.append(Reply(number, body, sign=replies.merged_as(commit)))
    return actions


def _rollback_reply(rolled_back: RolledBack, change: Change) -> list[BranchAction]:
    if rolled_back.pull_request is None:
        return []
    body = replies.taken_back(rolled_back, len(change.kept))
    sign = replies.taken_back_for(rolled_back)
    return [Reply(rolled_back.pull_request, body, sign=sign)]


def _counted(folder: Folder, change: Change) -> tuple[int, int, int]:
    """How many objects below a folder are updated, new and removed."""

    def below(paths: Sequence[str]) -> int:
        return sum(path.startswith(f"{folder.to}/") for path in paths)

    return below(change.updated), below(change.new), below(change.removed)


def _touched(branch: BranchFacts, job_actions: Sequence[BranchAction]) -> list[tuple[str, str]]:
    """The names of the jobs that the commit creates, changes or removes, and which of these.

    Also what is done already: a sync that was cut off after it tells the same when it is done
    again.
    """
    outcomes: dict[str, str] = {}
    for key, definition in _wanted_jobs(branch).items():
        job = None
        if branch.jobs:
            job = jobs.job_of(branch.jobs, key)
        if job is not None and job.tags.get(jobs.SYNCED) == branch.tip:
            created = job.tags.get(jobs.CREATED) == branch.tip
            outcomes[definition.name] = "created" if created else "changed"
    for action in job_actions:
        match action:
            case CreateJob(definition):
                outcomes[definition.name] = "created"
            case ChangeJob(name=name, goes=True):
                outcomes[name] = "let go"
            case ChangeJob(name=name):
                outcomes[name] = "changed"
            case RemoveJob(name=name):
                outcomes[name] = "removed"
    return list(outcomes.items())


def _unfit(source: SourceFile) -> ObjectFault | None:
    """Why the workspace cannot hold a file; None: it can."""
    if source.link:
        return ObjectFault("link", source.path)
    if source.size > LARGEST:
        return ObjectFault("too large", source.path, size=source.size, most=LARGEST)
    return None
