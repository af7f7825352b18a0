"""A workspace and its jobs in memory: what performing a sync's orders makes of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from bot.actions import (
    BranchAction,
    CreateJob,
    RemoveFolder,
    RemoveObject,
    Reply,
    Together,
    Wake,
    WriteManifest,
    WriteObject,
)
from bot.facts.branch import JobFacts, Manifest
from bot.rules.branch import jobs


@dataclass(frozen=True)
class WorkspaceInMemory:
    """Paths and the digests of what lies there, the folders that were made for it, the manifest,
    the jobs, and what people were told.
    """

    objects: dict[str, str] = field(default_factory=dict)
    folders: frozenset[str] = frozenset()
    manifest: Manifest = field(default_factory=lambda: Manifest("contoso/ml/wine"))
    jobs: dict[str, JobFacts] = field(default_factory=dict)
    told: tuple[str, ...] = ()

    def after(self, orders: Sequence[BranchAction]) -> "WorkspaceInMemory":
        """What it is when these orders were carried out."""
        world = self
        for order in orders:
            world = world._with(order)
        return world

    def _with(self, order: BranchAction) -> "WorkspaceInMemory":
        match order:
            case WriteObject(path, source):
                for other in self.objects:
                    # As the real one: a notebook and a folder cannot have one name.
                    assert not other.startswith(f"{path}/"), f"{path} is written where a folder is"
                    assert not path.startswith(f"{other}/"), (
                        f"{path} is written below the object {other}"
                    )
                above = frozenset(map(str, PurePosixPath(path).parents))
                return replace(
                    self,
                    objects={**self.objects, path: source.digest},
                    folders=self.folders | above,
                )
            case RemoveObject(path):
                left = {key: held for key, held in self.objects.items() if key != path}
                return replace(self, objects=left, folders=self.folders - {path})
            case RemoveFolder(folder):
                # As the real one: a folder with something in it stays.
                full = any(path.startswith(f"{folder}/") for path in (*self.objects, *self.folders))
                return self if full else replace(self, folders=self.folders - {folder})
            case Together(actions):
                return self.after(actions)
            case WriteManifest(manifest):
                ids = {job.tags[jobs.KEY]: job.id for job in self.jobs.values()}
                owned = {
                    key: replace(job, id=ids.get(key, job.id)) for key, job in manifest.jobs.items()
                }
                return replace(self, manifest=replace(manifest, jobs=owned))
            case CreateJob(definition, commit):
                settings = jobs.created(definition, self.manifest.repository, commit)
                name = settings["name"]
                assert name not in self.jobs, f"job {name} is created twice"
                job = JobFacts(len(self.jobs) + 1, name, tags=settings["tags"], settings=settings)
                return replace(self, jobs={**self.jobs, name: job})
            case Reply(_, body, sign):
                known = any(one.startswith(sign or body) for one in self.told)
                return self if known else replace(self, told=(*self.told, body))
            case Wake():
                return self
        raise AssertionError(f"a sync has no business with {order}")


def one_by_one(orders: Sequence[BranchAction]) -> list[BranchAction]:
    """The same orders, those that are carried out side by side each for itself."""
    found: list[BranchAction] = []
    for order in orders:
        found += order.actions if isinstance(order, Together) else [order]
    return found
