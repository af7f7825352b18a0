"""Between the bot and its services: counts every call that changes something, and ends the pass at
one.

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
class CallInterrupter:
    """Cuts once: `side` of the call named `cut`, such as `set_status 2`. `passes` lists the calls
    of each pass.
    """

    side: Side = "before"
    cut: str = ""
    used: bool = False
    paused: bool = False
    passes: list[list[str]] = field(default_factory=lambda: [[]])
    _count: Counter[str] = field(default_factory=Counter)

    def begin_pass(self) -> None:
        """What follows is another pass's."""
        self.passes.append([])

    def pause(self) -> None:
        """Cut nothing for now: what follows only prepares the story."""
        self.paused = True

    def count_from_here(self) -> None:
        """Count from here on: the story begins."""
        self.passes[:] = [[]]
        self._count.clear()
        self.paused = False

    def around(self, verb: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same call, counted, and cut off if it is its turn."""

        def cut(*given: Any, **more: Any) -> Any:
            self._count[verb] += 1
            name = f"{verb} {self._count[verb]}"
            self.passes[-1].append(name)
            mine = name == self.cut and not self.used and not self.paused
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


class InterruptedService:
    """A service, some of whose calls may be interrupted."""

    def __init__(self, service: Any, verbs: tuple[str, ...], interrupter: CallInterrupter) -> None:
        self._service, self._verbs, self._interrupter = service, verbs, interrupter

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._service, name)
        return self._interrupter.around(name, found) if name in self._verbs else found


def interrupted_by(world: Services, interrupter: CallInterrupter) -> Services:
    """The same neighbours, each of whose changes may be interrupted."""

    def place(one: Workspace) -> Workspace:
        watched: Any = (
            InterruptedService(one.databricks, DATABRICKS, interrupter),
            InterruptedService(one.runs, MLFLOW, interrupter),
            InterruptedService(one.models, MLFLOW, interrupter),
        )
        return Workspace(*watched, {**one.backends, "databricks-jobs": DatabricksJobs(watched[0])})

    validation, production = place(world.validation), place(world.production)
    repositories: Any = {
        key: replace(one, azure=InterruptedService(one.azure, AZURE, interrupter))  # type: ignore[arg-type]
        for key, one in world.repositories.items()
    }
    return replace(
        world,
        repositories=repositories,
        validation=validation,
        production=production,
    )
