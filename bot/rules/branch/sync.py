"""Reconcile: what must change for the workspace to hold what the target branch holds.

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
from bot.facts.branch import BranchFacts, Manifest, SourceFile, Synced
from bot.rules.branch import jobs
from bot.subjects import Model
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
    followed = [
        Wake(Model(model)) for model in dict.fromkeys(job.model for job in branch.config.jobs)
    ]
    held = branch.manifest
    orders = _jobs(branch)
    waits = [order for order in orders if isinstance(order, LookAgain)]
    orders = [order for order in orders if order not in waits]
    if settled(held, branch.tip) and not orders:
        return [*waits, *followed]
    wanted = objects(branch.config.folders, branch.files)
    change = _with_what_stays(branch, wanted, difference(wanted, held.files), orders)
    if held.commit == branch.tip and change.kept == held.kept and not orders:
        return [*waits, *followed]
    digests = {path: source.digest for path, source in wanted.items()}
    done = Manifest(
        branch.repository,
        branch.tip,
        {**digests, **{path: held.files[path] for path in change.kept}},
        history=_history(branch),
        jobs=jobs.owned(branch.jobs) if branch.jobs else held.jobs,
        kept=change.kept,
    )
    return [
        *_files(branch, wanted, change, orders),
        *_told(branch, change, orders),
        WriteManifest(done),
        *waits,
        *followed,
    ]


def brought_by(branch: BranchFacts) -> int:
    """The pull request that brought the commit to hold; 0: none is known."""
    merged = {commit: number for number, commit in branch.merged}
    return merged.get(branch.tip, branch.manifest.brought(branch.tip))


def _jobs(branch: BranchFacts) -> list[BranchAction]:
    """What is to be done to the jobs. What people did to them is left, unless it is to be put
    right.
    """
    if branch.jobs is None:
        return []
    orders = jobs.plan(branch.jobs)
    if not settled(branch.manifest, branch.tip):
        return orders
    held = branch.manifest.jobs
    wanted = branch.jobs.wanted
    changed = {key for key, one in wanted.items() if jobs.redefined(one, held.get(key))}
    if branch.config.job_drift == "restore":
        changed |= jobs.unlike_applied(branch.jobs).keys()
    return [
        order
        for order in orders
        if not isinstance(order, ChangeJob) or order.goes or order.key in changed
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
    found: set[str] = set()
    for task in settings.get("tasks") or ():
        loop = task.get("for_each_task") or {}
        for ran_by in (task, loop.get("task") or {}):
            ran = [(ran_by.get("notebook_task") or {}).get("notebook_path")]
            ran += [(ran_by.get("spark_python_task") or {}).get("python_file")]
            found |= {path.removeprefix("/Workspace") for path in ran if isinstance(path, str)}
    return found


def removals(branch: BranchFacts) -> tuple[tuple[str, ...], bool]:
    """The paths that the branch does not hold any more, and whether somebody has to be asked about
    them.
    """
    removed = difference(
        objects(branch.config.folders, branch.files), branch.manifest.files
    ).removed
    return removed, _asked(branch, removed)


def _asked(branch: BranchFacts, removed: Sequence[str]) -> bool:
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
    found, faults = placed(folders, files)
    if faults:
        told = list(faults.values())[:MOST_FAULTS]
        more = len(faults) - MOST_FAULTS
        raise ConfigError("\n".join([*told, f"and {more} more" if more > 0 else ""]).strip())
    return found


def placed(
    folders: Sequence[Folder], files: Sequence[SourceFile]
) -> tuple[dict[str, SourceFile], dict[tuple[str, str], str]]:
    """Which workspace object each file becomes, and a sentence for each fault.

    A fault's key is its kind and place: two commits that have one fault have it under one key.
    """
    found: dict[str, SourceFile] = {}
    faults: dict[tuple[str, str], str] = {}
    for folder in folders:
        for source in files:
            inside = source.path.removeprefix(f"{folder.from_}/")
            if inside == source.path or not _SKIPPED.isdisjoint(inside.split("/")):
                continue
            if unfit := _unfit(source):
                faults["unfit", source.path] = unfit
            target = f"{folder.to}/{splitext(inside)[0] if source.notebook else inside}"
            other = found.setdefault(target, source)
            if other is not source:
                faults["one object", target] = (
                    f"{source.path} and {other.path} would both become {target} in the workspace; "
                    "rename one of them."
                )
    return found, {**faults, **_spelled_otherwise(found), **_both_file_and_folder(found)}


def _spelled_otherwise(found: Mapping[str, SourceFile]) -> dict[tuple[str, str], str]:
    """Names that differ by case only, of folders too, but not again of what lies in such
    folders.
    """
    faults: dict[tuple[str, str], str] = {}
    spelled: dict[str, tuple[str, SourceFile]] = {}
    for path, source in found.items():
        for part in (*_above(path), path):
            known, other = spelled.setdefault(part.casefold(), (part, source))
            if known != part:
                faults.setdefault(
                    ("case", part.casefold()),
                    f"{other.path} and {source.path} would bring {known} and {part} to the "
                    "workspace: two names that "
                    "differ by case only, which many see as one. Spell them alike, or rename one "
                    "of them.",
                )
                break
    return faults


def _both_file_and_folder(found: Mapping[str, SourceFile]) -> dict[tuple[str, str], str]:
    faults: dict[tuple[str, str], str] = {}
    for path, source in found.items():
        for above in _above(path):
            if above in found:
                faults.setdefault(
                    ("folder", above),
                    f"{found[above].path} would become {above} in the workspace, where the folder "
                    f"of {source.path} "
                    "has to be; rename one of them.",
                )
    return faults


def _above(path: str) -> tuple[str, ...]:
    return _down_to(dirname(path))


# Thousands of objects lie in a few folders.
@lru_cache(maxsize=1024)
def _down_to(folder: str) -> tuple[str, ...]:
    """A folder and all that it lies in, the outermost first."""
    if dirname(folder) != folder:
        return (*_above(folder), folder)
    return (folder,)


def difference(wanted: Mapping[str, SourceFile], present: Mapping[str, str]) -> Change:
    """Compare what the branch holds with what the manifest says is there."""
    return Change(
        new=tuple(path for path in wanted if not present.get(path)),
        updated=tuple(
            path
            for path, source in wanted.items()
            if present.get(path) not in (None, "", source.digest)
        ),
        removed=tuple(path for path in present if path not in wanted),
    )


def _with_what_stays(
    branch: BranchFacts,
    wanted: Mapping[str, SourceFile],
    change: Change,
    orders: Sequence[BranchAction],
) -> Change:
    """The change without removals that would stop a job, or that nobody has confirmed."""
    asked = _asked(branch, change.removed)
    used = _used(branch, orders)
    going = _in_the_way(change.removed, wanted)
    kept: dict[str, str] = {}
    for path in change.removed:
        if path in going:
            continue
        if path in used:
            kept[path] = f"job {used[path]} runs it"
        elif asked and not branch.confirmed:
            kept[path] = replies.UNCONFIRMED
    return replace(
        change, removed=tuple(path for path in change.removed if path not in kept), kept=kept
    )


def _used(branch: BranchFacts, orders: Sequence[BranchAction]) -> dict[str, str]:
    """The paths that some job runs once these orders were carried out, and the name of that job."""
    touched = {order.job for order in orders if isinstance(order, ChangeJob | RemoveJob)}
    found = {path: name for path, job, name in branch.used if job not in touched}
    for definition in branch.jobs.wanted.values() if branch.jobs else ():
        found |= dict.fromkeys(runs(definition.settings), definition.name)
    return found


def _files(
    branch: BranchFacts,
    wanted: Mapping[str, SourceFile],
    change: Change,
    job_orders: Sequence[BranchAction],
) -> list[BranchAction]:
    orders: list[BranchAction] = []
    held = branch.manifest.files
    held_last = branch.manifest.commit or branch.manifest.since
    doubted = {path: f"{held[path].rstrip('?')}?" for path in (*change.updated, *change.removed)}
    claimed = {**held, **dict.fromkeys(change.new, ""), **doubted}
    if claimed != held or job_orders:
        # What is about to change is owned and doubted before it changes: whatever commit comes
        # next, a sync that was cut off is then seen for what it is.
        own = branch.manifest.jobs
        if branch.jobs:
            own = jobs.claimed(branch.jobs)
        orders.append(
            WriteManifest(
                replace(branch.manifest, commit="", files=claimed, since=held_last, jobs=own)
            )
        )
    early = _in_the_way(change.removed, wanted)
    orders += [RemoveObject(path) for path in early]
    # Modules and data before the notebooks that use them.
    written = sorted((*change.new, *change.updated))
    for notebooks in (False, True):
        same = [
            WriteObject(path, wanted[path], branch.tip)
            for path in written
            if wanted[path].notebook is notebooks
        ]
        if same:
            orders.append(Together(tuple(same)))
    # A job that does not run a notebook any more lets go of it before it is removed.
    orders += job_orders
    late = [
        RemoveObject(path) for path in sorted(change.removed, reverse=True) if path not in early
    ]
    if late:
        orders.append(Together(tuple(late)))
    return [*orders, *_emptied(branch, wanted, change)]


def _history(branch: BranchFacts) -> tuple[Synced, ...]:
    """What the workspace has held, with the tip in front."""
    before = branch.manifest.history
    back = branch.rolled_back
    if before and before[0].commit == branch.tip:
        return before
    live = Synced(branch.tip, brought_by(branch), branch.now, back.by if back else "")
    return (live, *before)[:REMEMBERED]


def _in_the_way(removed: Sequence[str], wanted: Mapping[str, SourceFile]) -> list[str]:
    """What has to go before anything is written: a notebook that becomes a folder, or a folder,
    emptied, that becomes a notebook. Neither could stay anyway.
    """
    folders = {folder for path in wanted for folder in _above(path)}
    found: set[str] = set()
    for path in removed:
        inside = [folder for folder in _above(path) if folder in wanted]
        if path in folders or inside:
            found.add(path)
        for folder_kept in inside:
            found |= {
                folder for folder in _above(path) if f"{folder}/".startswith(f"{folder_kept}/")
            }
    return sorted(found, reverse=True)


def _emptied(
    branch: BranchFacts, wanted: Mapping[str, SourceFile], change: Change
) -> list[BranchAction]:
    """The removal of the folders below the mirrored ones that hold nothing of ours any more, the
    innermost first.
    """
    held = {folder for path in (*wanted, *change.kept) for folder in _above(path)}
    roots = tuple(f"{folder.to}/" for folder in branch.config.folders)
    gone = {
        folder for path in change.removed for folder in _above(path) if folder.startswith(roots)
    }
    gone -= held | wanted.keys()
    depths = sorted({folder.count("/") for folder in gone}, reverse=True)
    levels = (
        [RemoveFolder(folder) for folder in sorted(gone) if folder.count("/") == depth]
        for depth in depths
    )
    return [Together(tuple(level)) for level in levels]


def _told(
    branch: BranchFacts, change: Change, orders: Sequence[BranchAction]
) -> list[BranchAction]:
    back = branch.rolled_back
    if back is not None:
        told = replies.taken_back(back, len(change.kept))
        if back.pull_request:
            return [Reply(back.pull_request, told, sign=replies.taken_back_for(back))]
        return []
    counts: dict[str, tuple[int, ...]] = {}
    for folder in branch.config.folders:
        kinds = (change.updated, change.new, change.removed)
        found = tuple(sum(path.startswith(f"{folder.to}/") for path in paths) for paths in kinds)
        if any(found):
            counts[folder.to] = found
    touched = _touched(branch, orders)
    if branch.jobs:
        problems = jobs.problems(branch.jobs)
    else:
        problems = ()
    if not (counts or touched or problems or change.kept):
        return []
    return [
        Reply(
            number,
            replies.merged(
                commit, branch.tip, counts, touched, change.kept, problems, branch.manifest.objects
            ),
            sign=replies.merged_as(commit),
        )
        for number, commit in branch.merged
    ]


def _touched(branch: BranchFacts, orders: Sequence[BranchAction]) -> list[tuple[str, str]]:
    """The names of the jobs that the commit creates, changes or removes, and which of these.

    Also what is done already: a sync that was cut off after it tells the same when it is done
    again.
    """
    found: dict[str, str] = {}
    for key, definition in branch.jobs.wanted.items() if branch.jobs else ():
        there = None
        if branch.jobs:
            there = jobs.job_of(branch.jobs, key)
        name = definition.name
        if there is not None and there.tags.get(jobs.SYNCED) == branch.tip:
            found[name] = "created" if there.tags.get(jobs.CREATED) == branch.tip else "changed"
    for order in orders:
        match order:
            case CreateJob(definition):
                found[definition.name] = "created"
            case ChangeJob(name=name, goes=goes):
                found[name] = "let go" if goes else "changed"
            case RemoveJob(name=name):
                found[name] = "removed"
    return list(found.items())


def _unfit(source: SourceFile) -> str:
    """Why the workspace cannot hold a file; empty: it can."""
    if source.link:
        return (
            f"{source.path} is a symbolic link; links are never followed. Replace it by the file "
            "itself."
        )
    if source.size > LARGEST:
        return (
            f"{source.path} has {source.size:,} bytes; the workspace takes at most {LARGEST:,} (10 "
            "MB) per file."
        )
    return ""
