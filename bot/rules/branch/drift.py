"""Drift: what somebody changed by hand in the workspace, and what is done about it.

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

from bot.actions import (
    BranchAction,
    NoteDrift,
    ObjectAction,
    Reply,
    SetAside,
    Together,
    WriteObject,
)
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
    kept: Any = memo.get(MEMO)
    try:
        return DriftMemo(
            int(kept["checked"]),
            float(kept["whole"]),
            frozenset(map(str, (*kept["objects"], *kept["again"]))),
            frozenset(map(str, kept["told"])),
            {str(path): str(digest) for path, digest in kept["restored"].items()},
        )
    except (TypeError, KeyError, ValueError, AttributeError):
        return DriftMemo()


def left(memo: Mapping[str, Any]) -> Edited:
    """What the last look that a branch's memo tells of found changed by hand, and left so."""
    kept: Any = memo.get(MEMO)
    try:
        return Edited(
            tuple(map(str, kept["objects"])),
            tuple(map(str, kept["jobs"])),
            datetime.fromtimestamp(kept["looked"], UTC),
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
    everything = overdue(memory, now)
    paths: list[str] = []
    for path, source in owned.items():
        present = standing.get(path)
        if present is None or not _fits(source, present):
            continue
        newer = present.modified > memory.checked or not present.modified
        if everything or newer or path in memory.again:
            paths.append(path)
    return tuple(paths)


def overdue(memory: DriftMemo, now: float) -> bool:
    """Whether everything is compared, whatever the workspace's clock says."""
    return not memory.checked or not 0 <= now - memory.whole < DAY


def missing(
    owned: Mapping[str, SourceFile],
    standing: Mapping[str, WorkspaceObject],
    folders: Sequence[Folder],
) -> list[Drift]:
    """What is not there, or is something else."""
    drifts: list[Drift] = []
    for path, source in owned.items():
        present = standing.get(path)
        if present is None:
            drifts.append(deleted(path, source, folders))
        elif not _fits(source, present):
            what_to_do = policy(path, source, folders)
            drifts.append(Drift(path, "replaced", what_to_do, present.kind, present.modified))
    return drifts


def deleted(path: str, source: SourceFile, folders: Sequence[Folder]) -> Drift:
    """An object that is not there."""
    return Drift(path, "deleted", policy(path, source, folders), source.digest)


def policy(path: str, source: SourceFile, folders: Sequence[Folder]) -> Policy:
    """What is done when somebody edits this object."""
    folder = _folder(path, source, folders)
    if folder:
        return folder.drift
    return "report"


def untouched(source: SourceFile, content: bytes) -> bool:
    """Whether this is what Git has, to the byte."""
    if len(source.digest) == 40:
        algorithm = hashlib.sha1
    else:
        algorithm = hashlib.sha256
    return algorithm(b"blob %d\0" % len(content) + content).hexdigest() == source.digest


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
    if wanted == found:
        return None
    if source.notebook and before is not None and before == after:
        return None
    apart = words.Difference()
    if before is not None and after is not None:
        apart = words.difference(before, after, secrets)
    if after is None:
        shown = found
    else:
        shown = after.encode("utf-8", "surrogatepass")
    digest = hashlib.sha256(shown).hexdigest()
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
    """A drift with what is done about it.

    An object that reads as it did before it was put back is left alone: to put it back for ever
    would help nobody. A job runs, and the sync puts it back each time.
    """
    if drift.policy != "restore" or drift.kind == "replaced":
        return replace(drift, put_back=False, again=False, aside="")
    again = memory.restored.get(drift.place) == drift.found
    if again and drift.kind != "field":
        return replace(drift, put_back=False, again=True, aside="")
    return replace(drift, put_back=True, again=again)


def plan(
    drifts: Sequence[Drift],
    owned: Mapping[str, SourceFile],
    contents: Mapping[str, bytes],
    memory: DriftMemo,
    commit: str,
    pull_request: int | None,
) -> list[BranchAction]:
    """Tell what is new, and put back what is to be; `drifts` were judged, `contents` are those of
    the edited objects.

    An edit is told, and kept, before it is written over. Without a pull request nobody is told.
    Jobs are put back by the sync.
    """
    fresh = [drift for drift in drifts if words.edit(drift) not in memory.told]
    actions: list[BranchAction] = []
    for drift in drifts:
        if drift.put_back or drift in fresh:
            actions.append(NoteDrift(drift))
    if pull_request is not None:
        for group in _told_together(fresh):
            body = words.drift_reply(group, commit)
            sign = words.begins(group)
            actions.append(Reply(pull_request, body, sign=sign))
    kept: list[ObjectAction] = []
    written: list[ObjectAction] = []
    for drift in drifts:
        path = drift.place
        if drift.aside and path in contents:
            kept.append(SetAside(drift.aside, contents[path], suffix(owned[path])))
        if drift.put_back and path in owned:
            written.append(WriteObject(path, owned[path], commit))
    if kept:
        actions.append(Together(tuple(kept)))
    if written:
        actions.append(Together(tuple(written)))
    return actions


def _told_together(drifts: Sequence[Drift]) -> list[list[Drift]]:
    """What is told in one reply each: a few edits by themselves, many together; never two of
    another outcome.
    """
    by_outcome: dict[tuple[bool, bool], list[Drift]] = {}
    for drift in drifts:
        by_outcome.setdefault((drift.put_back, drift.again), []).append(drift)
    groups: list[list[Drift]] = []
    for alike in by_outcome.values():
        if len(alike) > SINGLY:
            groups.append(alike)
        else:
            groups += [[drift] for drift in alike]
    return groups


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
    objects = [drift for drift in drifts if drift.kind != "field"]
    jobs = [drift for drift in drifts if drift.kind == "field"]
    put_back = {drift.place for drift in objects if drift.put_back}
    restored = {drift.place: drift.found for drift in drifts if drift.put_back or drift.again}
    return {
        MEMO: {
            "checked": max([memory.checked, *newest]),
            "whole": now if overdue(memory, now) else memory.whole,
            "looked": now,
            "objects": sorted(drift.place for drift in objects if not drift.put_back),
            "jobs": sorted(drift.place for drift in jobs if not drift.put_back),
            "again": sorted({*unread, *put_back}),
            "told": sorted({words.edit(drift) for drift in drifts}),
            "restored": restored,
        }
    }


def suffix(source: SourceFile) -> str:
    """What a notebook's name loses in the workspace; nothing for a file."""
    if source.notebook:
        return PurePosixPath(source.path).suffix
    return ""


def _fits(source: SourceFile, present: WorkspaceObject) -> bool:
    return present.kind == ("notebook" if source.notebook else "file")


def _folder(path: str, source: SourceFile, folders: Sequence[Folder]) -> Folder | None:
    """The mirrored folder that brought an object; the innermost of several."""
    holding = [
        folder
        for folder in folders
        if path.startswith(f"{folder.to}/") and source.path.startswith(f"{folder.from_}/")
    ]
    return max(holding, key=lambda folder: len(folder.to), default=None)


def _aside(path: str, folder: Folder, digest: str) -> str:
    """Where an edit is kept that is put back."""
    inside = PurePosixPath(path).relative_to(folder.to)
    name = f"{inside.stem}~{digest[:7]}{inside.suffix}"
    return str(PurePosixPath(folder.to) / ASIDE / inside.with_name(name))


def _text(source: SourceFile, content: bytes) -> str | None:
    """What is compared and shown of an object; None when it is no text."""
    try:
        if source.notebook and source.path.endswith(".ipynb"):
            return _CELLS_APART.join(_jupyter_cells(content))
        text = content.decode()
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if "\0" in text:
        return None
    if not source.notebook:
        return text
    body = _HEADER.sub("", text.replace("\r\n", "\n"))
    cells = [_tidy(cell) for cell in _BETWEEN_CELLS.split(body)]
    return _CELLS_APART.join(cell for cell in cells if cell)


def _jupyter_cells(content: bytes) -> list[str]:
    texts: list[str] = []
    for cell in json.loads(content)["cells"]:
        source = cell["source"]
        if not isinstance(source, str):
            source = "".join(source)
        text = _tidy(source.replace("\r\n", "\n"))
        # In the workspace a cell of text is one that begins with %md.
        if cell["cell_type"] == "markdown" and not text.startswith("%md"):
            text = f"%md\n{text}"
        texts.append(re.sub(r"\A%md[ \t]*\n?", "%md\n", text))
    return [text for text in texts if text.strip() not in ("", "%md")]


def _tidy(cell: str) -> str:
    return "\n".join(line.rstrip() for line in cell.split("\n")).strip("\n")


def _value(value: Any) -> str:
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
