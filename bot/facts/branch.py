"""Facts about a target branch and the workspace that is to hold it: objects, jobs, drift.

Plain frozen data. Times are aware UTC datetimes; durations are seconds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, Literal

from bot.config.repository import Drift as Policy
from bot.config.repository import Mlops, Schedule


@dataclass(frozen=True)
class Live:
    """What a scoring job loads: the commit that trained it (empty: unknown) and since when.
    `problem` says in a sentence why it loads nothing, or what cannot be told. `next_run` is in the
    time zone of its schedule.
    """

    job: str
    model: str = ""
    version: str = ""
    commit: str = ""
    since: datetime | None = None
    problem: str = ""
    next_run: datetime | None = None


@dataclass(frozen=True)
class Edited:
    """What was found changed by hand and left so, when a sweep last `looked`: paths of objects, and
    keys of jobs.
    """

    objects: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()
    looked: datetime | None = None


@dataclass(frozen=True)
class LiveStatus:
    """What the workspace holds of a target branch that is at `tip`; `live` is None before the first
    sync.

    `kept`: paths that are gone from Git and not yet from the workspace, and why. `jobs`: what
    scoring jobs load. `unfinished`: a sync is under way, or could not be finished. `edited`: what
    somebody changed by hand.
    """

    repository: str
    tip: str
    live: "Synced | None"
    unfinished: bool = False
    objects: int = 0
    kept: Mapping[str, str] = field(default_factory=dict)
    rolled_back: "RolledBack | None" = None
    jobs: "tuple[Live, ...]" = ()
    edited: Edited = field(default_factory=Edited)


@dataclass(frozen=True)
class JobTouched:
    """A job that a merge changes, or that uses what it changes. `created`: the merge creates it.
    `schedule` in words, empty: none; `next_run` is aware, None when it is paused or has no
    schedule; `later` are the two runs after it.

    `changes`: what of its own changes, each in a few words, such as `schedule` or
    `tasks.score.timeout_seconds`. `released`: the repository describes it no more, and it stays,
    because the bot did not create it. `was`: its name before, when it is renamed. `left`: keys that
    the file names and that are left to the workspace.
    """

    name: str
    created: bool
    schedule: str = ""
    next_run: datetime | None = None
    paused: bool = False
    later: tuple[datetime, ...] = ()
    removed: bool = False
    was: str = ""
    changes: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    released: bool = False


@dataclass(frozen=True)
class JobLeftAlone:
    """A job that the repository describes in `file` and that is left alone: the repository `owner`
    has it; None: an Asset Bundle manages it.
    """

    file: str
    key: str
    name: str
    owner: str | None = None


@dataclass(frozen=True)
class ObjectFault:
    """What is wrong with a `file` of a mirrored folder, or with it and an `other`: a link, too many
    bytes (`size`, of which `most` are taken), both become one object (`path`), names that differ by
    case only (`first_spelling` and `path`), or one becomes a folder that has to be a file (`path`).
    """

    kind: Literal["link", "too large", "one object", "case", "folder"]
    file: str
    other: str = ""
    path: str = ""
    first_spelling: str = ""
    size: int = 0
    most: int = 0


MergeFault = ObjectFault | JobLeftAlone | str
"""Why a merge cannot be brought to the workspace, or not all of it. A sentence comes from the
reader of a configuration or a definition.
"""


@dataclass(frozen=True)
class Preview:
    """What a merge would do to the workspace: object paths, and the jobs that use them.

    `problem` says in a sentence why it cannot be told; `refused` why the merge result cannot be
    brought to the workspace, which is the pull request's fault. `held`: how many of the `objects`
    that are there are removed, where somebody has to confirm it; 0: nobody has to. `already`: what
    is wrong with the target branch too, and so no fault of the pull request's.
    """

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    jobs: tuple[JobTouched, ...] = ()
    problem: str = ""
    refused: tuple[MergeFault, ...] = ()
    held: int = 0
    objects: int = 0
    already: tuple[MergeFault, ...] = ()


@dataclass(frozen=True)
class SourceFile:
    """A file of the repository at a commit: `digest` is its Git object id; `notebook` whether it is
    one.
    """

    path: str
    digest: str
    size: int
    notebook: bool = False
    link: bool = False


_NOTEBOOK_HEADERS = {
    ".py": b"# Databricks notebook source",
    ".r": b"# Databricks notebook source",
    ".sql": b"-- Databricks notebook source",
    ".scala": b"// Databricks notebook source",
}


def is_notebook(path: str, first: Callable[[int], bytes]) -> bool:
    """Whether Databricks imports a file as a notebook: Jupyter's always, sources that begin with
    its own line (https://docs.databricks.com/aws/en/notebooks/notebook-format). `first` gives so
    many first bytes of the file; it is asked only where they decide.
    """
    if path.endswith(".ipynb"):
        return True
    header = _NOTEBOOK_HEADERS.get(PurePosixPath(path).suffix.lower())
    # A byte or two more tell whether the line ends there; it may end in \r\n.
    return header is not None and first(len(header) + 2).split(b"\n")[0].rstrip() == header


@dataclass(frozen=True)
class Synced:
    """A commit that the workspace held completely: the pull request that brought it (None: none is
    known), and when.

    `by`: who rolled back to it; empty when a merge brought it.
    """

    commit: str
    pull_request: int | None = None
    at: datetime | None = None
    by: str = ""


@dataclass(frozen=True)
class OwnedJob:
    """A job that the bot made or changed: its id, 0 while it is not known, and the settings that it
    was given last.
    """

    id: int
    applied: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class RolledBack:
    """A commit that somebody took out of the workspace, and the one that is there `instead` until
    the branch moves.

    `pull_request`: where it was asked for, None: at a terminal. `order` tells one such wish from
    another.
    """

    commit: str
    instead: str
    by: str = ""
    at: datetime | None = None
    pull_request: int | None = None
    order: str = ""


@dataclass(frozen=True)
class Manifest:
    """What the bot wrote into the workspace: the commit that is completely there, and path ->
    digest.

    A path with an empty digest is owned and was never there before; a digest that ends in `?` is
    being replaced or removed, so what lies there is not known. `since`: while nothing is completely
    there, what last was. `history`: what was completely there, the newest first. `jobs` by their
    key in the repository. `kept`: paths that the branch does not hold any more, and which job uses
    them, in a sentence.
    """

    repository: str
    commit: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    since: str = ""
    history: tuple[Synced, ...] = ()
    jobs: Mapping[str, OwnedJob] = field(default_factory=dict)
    kept: Mapping[str, str] = field(default_factory=dict)

    @property
    def live(self) -> Synced | None:
        """What the workspace holds, or held last."""
        if self.history:
            return self.history[0]
        return None

    @property
    def objects(self) -> int:
        """How many objects of ours are there."""
        return sum(bool(digest) for digest in self.files.values())

    def brought(self, commit: str) -> int | None:
        """The pull request that brought a commit to the workspace; None: none is known."""
        for synced in self.history:
            if synced.commit == commit:
                return synced.pull_request
        return None


@dataclass(frozen=True)
class JobFacts:
    """A Databricks job as it stands; `bundle` when an Asset Bundle manages it. `schedule`: None
    when it has none.

    `settings`: all of them, in the terms of the Jobs API
    (https://docs.databricks.com/api/workspace/jobs/get).
    """

    id: int
    name: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    bundle: bool = False
    schedule: Schedule | None = None
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class JobDefinition:
    """A job as the repository wants it.

    `key` is its name in the file, `settings` what the file names, in the terms of the Jobs API;
    `file` is where it stands. `theirs`: keys that the file names and that are left to the workspace
    all the same. `follows`: it is pointed at the promoted version of a model, so that what its
    parameters say of a model is not the file's.
    """

    key: str
    settings: Mapping[str, Any] = field(hash=False)
    file: str
    theirs: tuple[str, ...] = ()
    follows: bool = False

    @property
    def name(self) -> str:
        """What the job is called; its key where the file does not say."""
        return str(self.settings.get("name", self.key))


@dataclass(frozen=True)
class BranchJobs:
    """All a rule may know of the jobs that a commit describes, and of those in the workspace.

    `there`: the job of each key, of `wanted` and of `owned`, None where there is none. `running`:
    the keys of those that run now, of which only the removed are asked. `pull_request` brought the
    commit, None: none is known.
    """

    repository: str
    commit: str
    wanted: Mapping[str, JobDefinition]
    owned: Mapping[str, OwnedJob]
    there: Mapping[str, JobFacts | None]
    running: frozenset[str] = frozenset()
    pull_request: int | None = None


@dataclass(frozen=True)
class BranchFacts:
    """All a rule may know of what the workspace is to hold of the target branch, and of what it
    holds.

    `tip` is the commit to hold, with its `config` and `files`: the branch's newest, or the one that
    is there instead of a newest that was `rolled_back`. `merged`: the pull requests that the
    workspace does not hold yet, each with the commit it was merged as. `jobs` are None where nobody
    asked. `used`: workspace paths that jobs run, each with the id and the name of the job.
    `confirmed`: somebody who may has agreed that so much is removed.
    """

    repository: str
    target: str
    tip: str
    config: Mlops
    files: tuple[SourceFile, ...]
    manifest: Manifest
    jobs: BranchJobs | None = None
    merged: tuple[tuple[int, str], ...] = ()
    now: datetime | None = None
    rolled_back: RolledBack | None = None
    used: tuple[tuple[str, int, str], ...] = ()
    confirmed: bool = False


@dataclass(frozen=True)
class Drift:
    """Something of ours in the workspace that is not as the bot left it: an object, or `fields` of
    a job.

    `place` is its path, or the job's key; `replaced`: something of another kind stands there.
    `found` is a digest of what was found, `modified` when that was written, 0 where it is not
    known. `difference`: `-` as it should be, `+` as it was found, masked and shortened; `added` and
    `removed` count all its lines. `put_back`: the pass does that; `again`: it was done before, and
    the same was found once more. `aside`: the path under which what was found is kept.
    """

    place: str
    kind: Literal["edited", "deleted", "replaced", "field"]
    policy: Policy
    found: str = ""
    modified: int = 0
    difference: tuple[str, ...] = ()
    added: int = 0
    removed: int = 0
    fields: tuple[str, ...] = ()
    put_back: bool = False
    again: bool = False
    aside: str = ""
