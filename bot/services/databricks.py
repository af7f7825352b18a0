"""What the bot asks of a Databricks workspace, whichever client speaks to it.

Two do: `databricks_sdk.py`, the default, and `databricks_cli.py`, the legacy package. Both pass the
same tests.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from bot.config.repository import Schedule
from bot.errors import ServiceError
from bot.facts.branch import JobFacts
from bot.facts.model import TransitionRequest
from bot.facts.runs import Outcome

Json = Mapping[str, Any]
"""A JSON object, as the workspace's API takes it or tells it."""


@dataclass(frozen=True)
class ClusterRun:
    """A run as Databricks shows it; `outcome` is None until it has ended. Times are UTC."""

    id: str
    task: str
    page: str
    outcome: Outcome | None
    message: str
    started: datetime | None
    ended: datetime | None


@dataclass(frozen=True)
class RunOutput:
    """What a run's task left: the text of its error, and what it wrote to its standard streams.

    `cut`: it wrote more than Databricks gives, which are the last 5 MB
    (https://docs.databricks.com/api/workspace/jobs/getrunoutput).
    """

    error: str
    log: str
    result: str = ""
    cut: bool = False


@dataclass(frozen=True)
class Node:
    """An object of the workspace tree; `modified` is milliseconds by the workspace's clock, 0 for a
    folder.
    """

    path: str
    kind: Literal["notebook", "file", "folder", "other"]
    modified: int = 0


class Databricks(Protocol):
    """One workspace.

    Each verb is one call, unless it says otherwise, and given up after 30 seconds. All of them
    raise ServiceError, with `retry_after` where the workspace said so, and `status` 429 where there
    were too many calls at once; may be called by several threads.
    """

    @property
    def host(self) -> str:
        """The workspace's address."""

    def bearer(self) -> str:
        """A token to present as `Authorization: Bearer`, fresh where it is one that expires."""

    # -- the workspace tree (https://docs.databricks.com/api/workspace/workspace)

    def make_folder(self, path: str) -> None:
        """Create a folder with its parents; one that exists is left alone."""

    def write(self, path: str, content: bytes, suffix: str = "") -> None:
        """Write an object, over what is there; a second and third call create its folder where that
        is missing.

        `suffix` is the one that a notebook loses in the workspace, such as `.py`; empty for a plain
        file.
        """

    def read(self, path: str) -> bytes | None:
        """A file's content, or the source of a notebook; None when it is not there."""

    def read_jupyter(self, path: str) -> bytes | None:
        """A notebook in Jupyter's format; None when it is not there."""

    def nodes(self, folder: str) -> list[Node]:
        """What lies directly in a folder; nothing in one that is not there."""

    def exists(self, path: str) -> bool:
        """Whether an object is there."""

    def remove(self, path: str) -> None:
        """Remove one object, never a folder with something in it; one that is gone is already
        removed.
        """

    def remove_folder(self, path: str) -> None:
        """Remove a folder unless something is in it; one that is gone is already removed."""

    # -- runs

    def submit(
        self,
        *,
        token: str,
        name: str,
        python_file: str,
        parameters: list[str],
        cluster: Json | None,
        libraries: list[Json],
        timeout: float,
    ) -> str:
        """Run a Python file of the workspace once on a cluster of its own; the same token gives the
        same run's id.
        """

    def run(self, run: str) -> ClusterRun:
        """A run as it stands. Raises NotFound when Databricks does not know it (any more)."""

    def output(self, task: str) -> RunOutput:
        """What the run of a task wrote; empty when Databricks kept none. Takes a task's run id, not
        a job run's.
        """

    def cancel(self, run: str) -> None:
        """Stop a run; one that has ended stays ended."""

    # -- jobs (https://docs.databricks.com/api/workspace/jobs)

    def job(self, name: str) -> JobFacts | None:
        """The job of exactly this name, the oldest when there are several; None when there is none.
        Two calls.
        """

    def read_job(self, job: int) -> JobFacts:
        """A job as it stands. Raises NotFound."""

    def jobs(self) -> list[JobFacts]:
        """All jobs of the workspace with their tasks, in pages of 100; their parameters may be
        missing.
        """

    def create_job(self, settings: Json) -> int:
        """Create a job from settings in the terms of the Jobs API; gives its id."""

    def update_job(self, job: int, settings: Json, remove: Sequence[str] = ()) -> None:
        """Change what is named and nothing else: top-level fields are replaced, tasks and clusters
        merged by key.

        `remove` names top-level fields, and entries such as `tasks/score`.
        """

    def reset_job(self, job: int, settings: Json) -> None:
        """Replace all settings of a job; who it runs as and its permissions stay."""

    def delete_job(self, job: int) -> None:
        """Delete a job; one that is gone is already deleted."""

    def is_running(self, job: int) -> bool:
        """Whether a run of the job is under way."""

    # -- the workspace's model registry (https://docs.databricks.com/api/workspace/modelregistry)

    def comment(self, model: str, version: str, text: str) -> None:
        """Comment on a model version."""

    def transition_requests(self, model: str, version: str) -> list[TransitionRequest]:
        """What people ask of a model version and nobody has answered: to be moved to a stage."""


def job_facts(job: Json) -> JobFacts:
    """A job as `jobs/get` and `jobs/list` tell it. Raises ServiceError when its settings are
    missing.
    """
    settings = job.get("settings")
    if not isinstance(settings, Mapping):
        raise ServiceError(
            "Databricks", f"Databricks shows job {job.get('job_id')} without its settings."
        )
    parameters = settings.get("parameters") or ()
    return JobFacts(
        id=int(job["job_id"]),
        name=settings.get("name", ""),
        parameters={entry["name"]: entry.get("default", "") for entry in parameters},
        tags=dict(settings.get("tags") or {}),
        bundle=bool(settings.get("deployment")),
        schedule=_schedule(settings.get("schedule")),
        settings=dict(settings),
    )


def more_of(job: Json, page: Json) -> dict[str, Any]:
    """A job of which `jobs/get` tells more than one page: 100 tasks, clusters or parameters
    each.
    """
    settings = dict(job["settings"])
    more = page.get("settings", {})
    for name in ("tasks", "job_clusters", "parameters", "environments"):
        settings[name] = [*settings.get(name, ()), *more.get(name, ())]
    filled = {name: value for name, value in settings.items() if value != []}
    return {**job, "settings": filled}


def _schedule(schedule: Json | None) -> Schedule | None:
    if not schedule:
        return None
    return Schedule(
        cron=schedule.get("quartz_cron_expression", ""),
        timezone=schedule.get("timezone_id", "UTC"),
        paused=schedule.get("pause_status") == "PAUSED",
    )
