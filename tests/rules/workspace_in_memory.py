"""A workspace and its jobs in memory: what performing a sync's orders makes of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from bot.actions import Action, CreateJob, RemoveObject, Reply, Wake, WriteManifest, WriteObject
from bot.facts import JobFacts, Manifest
from bot.rules import sync


@dataclass(frozen=True)
class WorkspaceInMemory:
    """Paths and the digests of what lies there, the manifest, the jobs, and what people were told."""

    objects: dict[str, str] = field(default_factory=dict)
    manifest: Manifest = field(default_factory=lambda: Manifest("contoso/ml/wine"))
    jobs: dict[str, JobFacts] = field(default_factory=dict)
    told: tuple[str, ...] = ()

    def after(self, orders: Sequence[Action]) -> "WorkspaceInMemory":
        """What it is when these orders were carried out."""
        world = self
        for order in orders:
            world = world._with(order)
        return world

    def _with(self, order: Action) -> "WorkspaceInMemory":
        match order:
            case WriteObject(path, source):
                for other in self.objects:
                    # As the real one: a notebook and a folder cannot have one name.
                    assert not other.startswith(f"{path}/"), f"{path} is written where a folder is"
                    assert not path.startswith(f"{other}/"), f"{path} is written below the object {other}"
                return replace(self, objects={**self.objects, path: source.digest})
            case RemoveObject(path):
                return replace(self, objects={key: held for key, held in self.objects.items() if key != path})
            case WriteManifest(manifest):
                return replace(self, manifest=manifest)
            case CreateJob(name, commit):
                assert name not in self.jobs, f"job {name} is created twice"
                return replace(
                    self, jobs={**self.jobs, name: JobFacts(len(self.jobs) + 1, name, tags={sync.CREATED: commit})}
                )
            case Reply(_, body, sign):
                known = any(one.startswith(sign or body) for one in self.told)
                return self if known else replace(self, told=(*self.told, body))
            case Wake():
                return self
        raise AssertionError(f"a sync has no business with {order}")
