"""Looking for what somebody changed by hand in the production workspace: listed, read where it may
differ, compared.

Only what a pass decides is written, and by the pass; looking changes nothing.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bot.actions import BranchAction, NoteDrift, SetAside
from bot.controllers import parallel
from bot.controllers.services import Repository, Services
from bot.errors import ServiceError
from bot.facts.branch import BranchFacts, Drift, SourceFile
from bot.passes import Memo
from bot.rules.branch import drift, jobs, sync
from bot.services.rate_limit import TOO_MANY
from bot.words import drift as words

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Seen:
    """What a look found: what is owned and what stands there, drifts with the content of edited
    objects, and the paths that could not be read.
    """

    owned: Mapping[str, SourceFile]
    standing: Mapping[str, drift.WorkspaceObject]
    drifts: tuple[Drift, ...]
    contents: Mapping[str, bytes]
    unread: tuple[str, ...]


def look_for_drift(
    facts: BranchFacts, memo: Memo, repository: Repository, services: Services
) -> tuple[list[BranchAction], Memo]:
    """What a pass has to do about drift, and what its memo keeps of it besides the rest.

    The workspace completely holds the commit that `facts` tell of, with its files.
    """
    commit = facts.manifest.commit
    live = facts.manifest.live
    memory = drift.recall(memo)
    now = services.now().timestamp()
    seen = _seen(facts, memory, now, repository, services)
    drifts = tuple(drift.judged(each, memory) for each in seen.drifts)
    number = None
    if live is not None and live.commit == commit:
        number = live.pull_request
    actions = drift.plan(drifts, seen.owned, seen.contents, memory, commit, number)
    return actions, drift.remembered(memory, seen.owned, seen.standing, drifts, seen.unread, now)


def perform(action: NoteDrift | SetAside, services: Services) -> str:
    """Do one thing; says in words what was done."""
    match action:
        case NoteDrift(found):
            return f"drift: {words.line(found)}"
        case SetAside(path, content, suffix):
            services.production.databricks.write(path, content, suffix)
            return f"kept an edit as {path}"


def _seen(
    facts: BranchFacts,
    memory: drift.DriftMemo,
    now: float,
    repository: Repository,
    services: Services,
) -> Seen:
    folders = facts.config.folders
    owned = drift.owned(facts.manifest.files, sync.objects(folders, facts.files))
    standing = _standing(drift.listed(owned), services)
    read = _read(drift.suspects(owned, standing, memory, now), owned, services)
    unread = tuple(path for path, content in read.items() if isinstance(content, ServiceError))
    drifts = drift.missing(owned, standing, folders)
    contents: dict[str, bytes] = {}
    for path, content in read.items():
        if content is None:
            drifts.append(drift.deleted(path, owned[path], folders))
        elif isinstance(content, bytes) and not drift.untouched(owned[path], content):
            source = owned[path]
            at = standing[path].modified
            wanted = repository.mirror.read(facts.tip, source.path) or b""
            edited = drift.compared(path, source, wanted, content, at, folders, services.secrets)
            if edited is not None:
                drifts.append(edited)
                contents[path] = content
    if facts.jobs:
        changed = jobs.unlike_applied(facts.jobs)
    else:
        changed = {}
    policy = facts.config.job_drift
    secrets = services.secrets
    drifts += [drift.of_job(key, fields, policy, secrets) for key, fields in changed.items()]
    return Seen(owned, standing, tuple(drifts), contents, unread)


def _standing(folders: Iterable[str], services: Services) -> dict[str, drift.WorkspaceObject]:
    def listing(folder: str) -> Callable[[], dict[str, drift.WorkspaceObject]]:
        databricks = services.production.databricks
        return lambda: {
            node.path: drift.WorkspaceObject(node.kind, node.modified)
            for node in databricks.nodes(folder)
        }

    listings = parallel.side_by_side([listing(folder) for folder in folders], services.calls)
    return {path: node for nodes in listings for path, node in nodes.items()}


def _read(
    paths: Sequence[str], owned: Mapping[str, SourceFile], services: Services
) -> dict[str, bytes | ServiceError | None]:
    databricks = services.production.databricks

    def reading(path: str) -> Callable[[], bytes | ServiceError | None]:
        jupyter = drift.suffix(owned[path]) == ".ipynb"

        def call() -> bytes | ServiceError | None:
            try:
                if jupyter:
                    return databricks.read_jupyter(path)
                return databricks.read(path)
            except ServiceError as error:
                if error.status == TOO_MANY:
                    raise
                # Such as a notebook whose outputs make it larger than what the workspace gives.
                log.warning("%s is not compared with Git: %s", path, error)
                return error

        return call

    contents = parallel.side_by_side([reading(path) for path in paths], services.calls)
    return dict(zip(paths, contents, strict=True))
