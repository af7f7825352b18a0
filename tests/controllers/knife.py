"""A knife between the bot and its neighbours: counts every call that changes something, and ends
the pass at one.

The services are the real ones. What `kill -9` does to a process, `Killed` does to
a pass: nothing after the cut happens, and nothing of the pass is remembered.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from bot.backends.databricks_jobs import DatabricksJobs
from bot.controllers.services import Services, Workspace

Side = Literal["before", "after"]

AZURE = (
    "set_status",
    "open_thread",
    "edit_report",
    "set_thread_status",
    "reply",
    "answer",
    "like",
    "attach",
)
DATABRICKS = (
    "make_folder",
    "write",
    "remove",
    "submit",
    "cancel",
    "create_job",
    "update_job",
    "comment",
)
MLFLOW = (
    "make_experiment",
    "start",
    "tag",
    "end",
    "record",
    "archive_version",
    "tag_experiment",
    "delete_version",
    "delete_run",
    "tag_version",
)


class Killed(BaseException):
    """The process is gone. Not an Exception, so that nothing in the bot can live on after it."""


@dataclass
class Knife:
    """Cuts once: `side` of the call named `cut`, such as `set_status 2`. `passes` lists the calls
    of each pass.
    """

    side: Side = "before"
    cut: str = ""
    used: bool = False
    resting: bool = False
    passes: list[list[str]] = field(default_factory=lambda: [[]])
    _count: Counter[str] = field(default_factory=Counter)

    def a_pass_begins(self) -> None:
        """What follows is another pass's."""
        self.passes.append([])

    def rest(self) -> None:
        """Cut nothing for now: what follows only prepares the story."""
        self.resting = True

    def cut_from_here(self) -> None:
        """Count from here on: the story begins."""
        self.passes[:] = [[]]
        self._count.clear()
        self.resting = False

    def around(self, verb: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same call, counted, and cut off if it is its turn."""

        def cut(*given: Any, **more: Any) -> Any:
            self._count[verb] += 1
            name = f"{verb} {self._count[verb]}"
            self.passes[-1].append(name)
            mine = name == self.cut and not self.used and not self.resting
            if mine and self.side == "before":
                self._strike()
            answer = call(*given, **more)
            if mine:
                self._strike()
            return answer

        return cut

    def _strike(self) -> None:
        self.used = True
        raise Killed(f"{self.side} {self.cut}")


class Watched:
    """A service, some of whose verbs pass by the knife."""

    def __init__(self, service: Any, verbs: tuple[str, ...], knife: Knife) -> None:
        self._service, self._verbs, self._knife = service, verbs, knife

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._service, name)
        return self._knife.around(name, found) if name in self._verbs else found


def within_reach(world: Services, knife: Knife) -> Services:
    """The same neighbours, all of whose changes pass by the knife."""

    def place(one: Workspace) -> Workspace:
        watched: Any = (
            Watched(one.databricks, DATABRICKS, knife),
            Watched(one.runs, MLFLOW, knife),
            Watched(one.models, MLFLOW, knife),
        )
        return Workspace(*watched, {**one.backends, "databricks-jobs": DatabricksJobs(watched[0])})

    validation, production = place(world.validation), place(world.production)
    repositories: Any = {
        key: replace(one, azure=Watched(one.azure, AZURE, knife))  # type: ignore[arg-type]
        for key, one in world.repositories.items()
    }
    return replace(
        world,
        repositories=repositories,
        validation=validation,
        production=production,
    )
