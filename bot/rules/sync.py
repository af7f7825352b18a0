"""What must change for the workspace to hold what the target branch holds.

Writes come before removals and the manifest last, so that a job which starts in
the middle finds an old notebook or a new one, never none, and a sync that was
cut off is simply done again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from bot.actions import Action, CreateJob, RemoveObject, Reply, Wake, WriteManifest, WriteObject
from bot.config import Folder
from bot.errors import ConfigError
from bot.facts import BranchFacts, JobFacts, Manifest, SourceFile
from bot.subjects import Model
from bot.words import replies

LARGEST = 10 * 1024 * 1024
"""Bytes; the workspace import refuses more (https://docs.databricks.com/api/workspace/workspace/import)."""

CREATED = "signalman_created"
"""The tag of a job that names the commit which brought it."""

_SKIPPED = ("__pycache__", ".ipynb_checkpoints", "mlruns")


@dataclass(frozen=True)
class Change:
    """How the workspace differs from the branch: object paths."""

    new: tuple[str, ...]
    updated: tuple[str, ...]
    removed: tuple[str, ...]


def plan(branch: BranchFacts) -> list[Action]:
    """Make the workspace hold the branch's tip; nothing when it does already."""
    missing = [job.name for job in branch.config.jobs if branch.jobs.get(job.name) is None]
    created = [CreateJob(job, branch.tip) for job in missing]
    followed = [Wake(Model(model)) for model in dict.fromkeys(job.model for job in branch.config.jobs)]
    if branch.manifest.commit == branch.tip:
        return [*created, *followed]
    wanted = objects(branch.config.folders, branch.files)
    change = difference(wanted, branch.manifest.files)
    done = Manifest(branch.repository, branch.tip, {path: source.digest for path, source in wanted.items()})
    brought = [job.name for job in branch.config.jobs if _brought(branch.jobs.get(job.name), branch.tip)]
    return [
        *_files(branch, wanted, change),
        *created,
        *_told(branch, change, brought),
        WriteManifest(done),
        *followed,
    ]


def objects(folders: Sequence[Folder], files: Sequence[SourceFile]) -> dict[str, SourceFile]:
    """Which workspace object each file of the mirrored folders becomes.

    A notebook loses its extension, as the workspace import does it. Raises
    ConfigError for a link, a file that is too large, and two files that would
    become one object.
    """
    found: dict[str, SourceFile] = {}
    for folder in folders:
        for source in files:
            if not source.path.startswith(f"{folder.from_}/"):
                continue
            inside = PurePosixPath(source.path).relative_to(folder.from_)
            if any(part in _SKIPPED for part in inside.parts):
                continue
            _refuse(source)
            target = PurePosixPath(folder.to) / (inside.with_suffix("") if source.notebook else inside)
            other = found.get(str(target))
            if other is not None:
                raise ConfigError(
                    f"{source.path} and {other.path} would both become {target} in the workspace; rename one of them."
                )
            found[str(target)] = source
    for path, source in found.items():
        for above in map(str, PurePosixPath(path).parents):
            if above in found:
                raise ConfigError(
                    f"{found[above].path} would become {above} in the workspace, where the folder of {source.path} "
                    "has to be; rename one of them."
                )
    return found


def difference(wanted: Mapping[str, SourceFile], present: Mapping[str, str]) -> Change:
    """Compare what the branch holds with what the manifest says is there."""
    return Change(
        new=tuple(path for path in wanted if not present.get(path)),
        updated=tuple(path for path, source in wanted.items() if present.get(path) not in (None, "", source.digest)),
        removed=tuple(path for path in present if path not in wanted),
    )


def _files(branch: BranchFacts, wanted: Mapping[str, SourceFile], change: Change) -> list[Action]:
    orders: list[Action] = []
    held = branch.manifest.files
    held_last = branch.manifest.commit or branch.manifest.since
    doubted = {path: f"{held[path].rstrip('?')}?" for path in (*change.updated, *change.removed)}
    claimed = {**held, **dict.fromkeys(change.new, ""), **doubted}
    if claimed != held:
        # What is about to change is owned and doubted before it changes: whatever commit comes next, a sync
        # that was cut off is then seen for what it is.
        orders.append(WriteManifest(Manifest(branch.repository, "", claimed, held_last)))
    early = _in_the_way(change.removed, wanted)
    orders += [RemoveObject(path) for path in early]
    # Modules and data before the notebooks that use them.
    written = sorted((*change.new, *change.updated), key=lambda path: (wanted[path].notebook, path))
    orders += [WriteObject(path, wanted[path], branch.tip) for path in written]
    orders += [RemoveObject(path) for path in sorted(change.removed, reverse=True) if path not in early]
    return orders


def _in_the_way(removed: Sequence[str], wanted: Mapping[str, SourceFile]) -> list[str]:
    """What has to go before anything is written: a notebook that becomes a folder, or a folder, emptied, that
    becomes a notebook. Neither could stay anyway.
    """
    found: set[str] = set()
    for path in removed:
        below = [one for one in wanted if one.startswith(f"{path}/")]
        above = [one for one in wanted if path.startswith(f"{one}/")]
        if below or above:
            found.add(path)
        for one in above:
            found |= {str(folder) for folder in PurePosixPath(path).parents if f"{folder}/".startswith(f"{one}/")}
    return sorted(found, reverse=True)


def _brought(job: JobFacts | None, tip: str) -> bool:
    # Also one that is there: a sync that was cut off after it tells the same when it is done again.
    return job is None or job.tags.get(CREATED) == tip


def _told(branch: BranchFacts, change: Change, jobs: Sequence[str]) -> list[Action]:
    counts: dict[str, tuple[int, ...]] = {}
    for folder in branch.config.folders:
        kinds = (change.updated, change.new, change.removed)
        found = tuple(sum(path.startswith(f"{folder.to}/") for path in paths) for paths in kinds)
        if any(found):
            counts[folder.to] = found
    if not (counts or jobs):
        return []
    return [
        Reply(number, replies.merged(commit, branch.tip, counts, jobs), sign=replies.merged_as(commit))
        for number, commit in branch.merged
    ]


def _refuse(source: SourceFile) -> None:
    if source.link:
        raise ConfigError(f"{source.path} is a symbolic link; links are never followed. Replace it by the file itself.")
    if source.size > LARGEST:
        raise ConfigError(
            f"{source.path} has {source.size:,} bytes; the workspace takes at most {LARGEST:,} (10 MB) per file."
        )
