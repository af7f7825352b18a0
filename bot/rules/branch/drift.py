"""What somebody changed by hand in the workspace, and what is done about it.

The manifest says what the bot wrote, Git what that holds. The workspace tells no digest, only when
an object was last modified, so what is older than the newest that was compared is not read again;
once a day everything is. What a row remembers only saves calls: lost, all is compared once more,
and nothing is told twice.
"""

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from bot.actions import BranchAction, NoteDrift, Reply, SetAside, Together, WriteObject
from bot.config.repository import Drift as Policy
from bot.config.repository import Folder
from bot.facts.branch import Drift, Edited, SourceFile
from bot.words import drift as words

MEMO = "drift"
"""The key of a branch's memo under which this is remembered."""
DAY = 86400.0
SINGLY = 5
"""So many edits are told each by itself; more of them together."""
ASIDE = ".edited"
"""Where edits that were put back are kept: in the mirrored folder, for whoever may see that one."""

_HEADER = re.compile(r"\A\ufeff?(?:#|--|//) Databricks notebook source[ \t]*\n?")
_BETWEEN_CELLS = re.compile(r"^(?:#|--|//) COMMAND -{5,}[ \t]*$", re.MULTILINE)
_CELLS_APART = "\n\n# COMMAND ----------\n\n"


@dataclass(frozen=True)
class WorkspaceObject:
    """What stands at a path of the workspace: `notebook`, `file`, `folder` or `other`, and when it
    was modified.
    """

    kind: str
    modified: int


@dataclass(frozen=True)
class DriftMemo:
    """What was seen before: `checked` is the newest modification that was compared, by the
    workspace's clock, and `whole` when everything was, in seconds since 1970. `again`: paths to
    compare in any case. `told`: edits that were told. `restored`: what was put back in the last
    look, and the digest of what it read before.
    """

    checked: int = 0
    whole: float = 0.0
    again: frozenset[str] = frozenset()
    told: frozenset[str] = frozenset()
    restored: Mapping[str, str] = field(default_factory=dict)


def recall(memo: Mapping[str, Any]) -> DriftMemo:
    """Read what a branch's memo keeps; nothing where it keeps nothing of the kind."""
    found: Any = memo.get(MEMO)
    try:
        return DriftMemo(
            int(found["checked"]),
            float(found["whole"]),
            frozenset(map(str, (*found["objects"], *found["again"]))),
            frozenset(map(str, found["told"])),
            {str(place): str(digest) for place, digest in found["restored"].items()},
        )
    except (TypeError, KeyError, ValueError, AttributeError):
        return DriftMemo()


def left(memo: Mapping[str, Any]) -> Edited:
    """What the last look that a branch's memo tells of found changed by hand, and left so."""
    found: Any = memo.get(MEMO)
    try:
        return Edited(
            tuple(map(str, found["objects"])),
            tuple(map(str, found["jobs"])),
            datetime.fromtimestamp(found["looked"], UTC),
        )
    except (TypeError, KeyError, ValueError, OverflowError):
        return Edited()


def owned(files: Mapping[str, str], wanted: Mapping[str, SourceFile]) -> dict[str, SourceFile]:
    """What the workspace should hold: of the manifest's files those that its commit has, too."""
    return {path: source for path, source in wanted.items() if files.get(path) == source.digest}


def listed(owned: Iterable[str]) -> tuple[str, ...]:
    """The folders in which these objects stand."""
    return tuple(sorted({str(PurePosixPath(path).parent) for path in owned}))


def suspects(
    owned: Mapping[str, SourceFile],
    standing: Mapping[str, WorkspaceObject],
    memory: DriftMemo,
    now: float,
) -> tuple[str, ...]:
    """The objects that have to be read: those that may have been edited since they were last
    compared.
    """
    every = overdue(memory, now)
    return tuple(
        path
        for path, source in owned.items()
        if path in standing
        and _fits(source, standing[path])
        and (
            every
            or standing[path].modified > memory.checked
            or not standing[path].modified
            or path in memory.again
        )
    )


def overdue(memory: DriftMemo, now: float) -> bool:
    """Whether everything is compared, whatever the workspace's clock says."""
    return not memory.checked or not 0 <= now - memory.whole < DAY


def missing(
    owned: Mapping[str, SourceFile],
    standing: Mapping[str, WorkspaceObject],
    folders: Sequence[Folder],
) -> list[Drift]:
    """What is not there, or is something else."""
    found: list[Drift] = []
    for path, source in owned.items():
        there = standing.get(path)
        if there is None:
            found.append(deleted(path, source, folders))
        elif not _fits(source, there):
            found.append(
                Drift(path, "replaced", policy(path, source, folders), there.kind, there.modified)
            )
    return found


def deleted(path: str, source: SourceFile, folders: Sequence[Folder]) -> Drift:
    """An object that is not there."""
    return Drift(path, "deleted", policy(path, source, folders), source.digest)


def policy(path: str, source: SourceFile, folders: Sequence[Folder]) -> Policy:
    """What is done when somebody edits this object."""
    folder = _folder(path, source, folders)
    if folder:
        return folder.drift
    return "report"


def untouched(source: SourceFile, found: bytes) -> bool:
    """Whether this is what Git has, to the byte."""
    if len(source.digest) == 40:
        make = hashlib.sha1
    else:
        make = hashlib.sha256
    return make(b"blob %d\0" % len(found) + found).hexdigest() == source.digest


def compared(
    path: str,
    source: SourceFile,
    wanted: bytes,
    found: bytes,
    modified: int,
    folders: Sequence[Folder],
    secrets: Iterable[str] = (),
) -> Drift | None:
    """How an object differs from Git's content; None when it says the same.

    A file says the same to the byte. A notebook does in its cells, for no export promises line ends
    and blank lines as they were written; of a Jupyter notebook, outputs and metadata are people's.
    """
    before = _text(source, wanted)
    after = _text(source, found)
    if wanted == found if not source.notebook or None in (before, after) else before == after:
        return None
    if before is not None and after is not None:
        apart = words.difference(before, after, secrets)
    else:
        apart = words.Difference()
    digest = hashlib.sha256(
        found if after is None else after.encode("utf-8", "surrogatepass")
    ).hexdigest()
    folder = _folder(path, source, folders)
    return Drift(
        path,
        "edited",
        folder.drift if folder else "report",
        digest,
        modified,
        apart.lines,
        apart.added,
        apart.removed,
        aside=_aside(path, folder, digest) if folder else "",
    )


def of_job(
    key: str, changed: Mapping[str, tuple[Any, Any]], policy: Policy, secrets: Iterable[str] = ()
) -> Drift:
    """The drift of a job that is not as the bot made it; `changed`: path -> what was applied and
    what was found.
    """
    rows = [(name, _value(wanted), _value(found)) for name, (wanted, found) in changed.items()]
    return Drift(
        key,
        "field",
        policy,
        hashlib.sha256(json.dumps(rows).encode()).hexdigest(),
        difference=words.of_fields(rows, secrets),
        fields=tuple(changed),
    )


def judged(drift: Drift, memory: DriftMemo) -> Drift:
    """The drift with what is done about it.

    An object that reads as it did before it was put back is left alone: to put it back for ever
    would help nobody. A job runs, and the sync puts it back each time.
    """
    wanted = drift.policy == "restore" and drift.kind != "replaced"
    again = wanted and memory.restored.get(drift.place) == drift.found
    back = wanted and (not again or drift.kind == "field")
    return replace(drift, put_back=back, again=again, aside=drift.aside if back else "")


def plan(
    drifts: Sequence[Drift],
    owned: Mapping[str, SourceFile],
    contents: Mapping[str, bytes],
    memory: DriftMemo,
    commit: str,
    pull_request: int,
) -> list[BranchAction]:
    """Tell what is new, and put back what is to be; `drifts` were judged, `contents` are those of
    the edited objects.

    An edit is told, and kept, before it is written over. A pull request that is 0 is told nothing.
    Jobs are put back by the sync.
    """
    fresh = [drift for drift in drifts if words.edit(drift) not in memory.told]
    orders: list[BranchAction] = [
        NoteDrift(drift) for drift in drifts if drift.put_back or drift in fresh
    ]
    for telling in _tellings(fresh) if pull_request else ():
        orders.append(Reply(pull_request, words.told(telling, commit), sign=words.begins(telling)))
    kept = [
        SetAside(drift.aside, contents[drift.place], suffix(owned[drift.place]))
        for drift in drifts
        if drift.aside and drift.place in contents
    ]
    back = [
        WriteObject(drift.place, owned[drift.place], commit)
        for drift in drifts
        if drift.put_back and drift.place in owned
    ]
    if kept:
        orders.append(Together(tuple(kept)))
    if back:
        orders.append(Together(tuple(back)))
    return orders


def _tellings(drifts: Sequence[Drift]) -> list[list[Drift]]:
    """What is told in one reply each: a few edits by themselves, many together; never two of
    another outcome.
    """
    tellings: list[list[Drift]] = []
    for outcome in dict.fromkeys((drift.put_back, drift.again) for drift in drifts):
        group = [drift for drift in drifts if (drift.put_back, drift.again) == outcome]
        tellings += [[drift] for drift in group] if len(group) <= SINGLY else [group]
    return tellings


def remembered(
    memory: DriftMemo,
    owned: Iterable[str],
    standing: Mapping[str, WorkspaceObject],
    drifts: Sequence[Drift],
    unread: Collection[str],
    now: float,
) -> dict[str, Any]:
    """What a branch's memo keeps of this look; `unread` could not be read."""
    newest = [standing[path].modified for path in owned if path in standing]
    if overdue(memory, now):
        whole = now
    else:
        whole = memory.whole
    return {
        MEMO: {
            "checked": max([memory.checked, *newest]),
            "whole": whole,
            "looked": now,
            "objects": sorted(
                drift.place for drift in drifts if drift.kind != "field" and not drift.put_back
            ),
            "jobs": sorted(
                drift.place for drift in drifts if drift.kind == "field" and not drift.put_back
            ),
            "again": sorted(
                {
                    *unread,
                    *(drift.place for drift in drifts if drift.kind != "field" and drift.put_back),
                }
            ),
            "told": sorted({words.edit(drift) for drift in drifts}),
            "restored": {
                drift.place: drift.found for drift in drifts if drift.put_back or drift.again
            },
        }
    }


def suffix(source: SourceFile) -> str:
    """What a notebook's name loses in the workspace; nothing for a file."""
    if source.notebook:
        return PurePosixPath(source.path).suffix
    return ""


def _fits(source: SourceFile, there: WorkspaceObject) -> bool:
    return there.kind == ("notebook" if source.notebook else "file")


def _folder(path: str, source: SourceFile, folders: Sequence[Folder]) -> Folder | None:
    own = [
        folder
        for folder in folders
        if path.startswith(f"{folder.to}/") and source.path.startswith(f"{folder.from_}/")
    ]
    return max(own, key=lambda entry: len(entry.to), default=None)


def _aside(path: str, folder: Folder, digest: str) -> str:
    inside = PurePosixPath(path).relative_to(folder.to)
    return str(
        PurePosixPath(folder.to)
        / ASIDE
        / inside.with_name(f"{inside.stem}~{digest[:7]}{inside.suffix}")
    )


def _text(source: SourceFile, content: bytes) -> str | None:
    """What is compared and shown of an object; None when it is no text."""
    try:
        if source.notebook and source.path.endswith(".ipynb"):
            return _CELLS_APART.join(_jupyter_cells(content))
        text = content.decode()
    except (ValueError, KeyError, TypeError):
        return None
    if "\0" in text:
        return None
    if not source.notebook:
        return text
    text = text.replace("\r\n", "\n")
    return _CELLS_APART.join(filter(None, map(_tidy, _BETWEEN_CELLS.split(_HEADER.sub("", text)))))


def _jupyter_cells(content: bytes) -> list[str]:
    found: list[str] = []
    for cell in json.loads(content)["cells"]:
        if isinstance(cell["source"], str):
            source = cell["source"]
        else:
            source = "".join(cell["source"])
        text = _tidy(source.replace("\r\n", "\n"))
        # In the workspace a cell of text is one that begins with %md.
        if cell["cell_type"] == "markdown" and not text.startswith("%md"):
            text = f"%md\n{text}"
        found.append(re.sub(r"\A%md[ \t]*\n?", "%md\n", text))
    return [cell for cell in found if cell.strip() not in ("", "%md")]


def _tidy(cell: str) -> str:
    return "\n".join(line.rstrip() for line in cell.split("\n")).strip("\n")


def _value(value: Any) -> str:
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
