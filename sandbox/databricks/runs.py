"""Runs and their tasks: what is known of each, and how the Jobs API shows it.

Both the old `state` and the newer `status` are shown, as the service does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.databricks.settings import Settings
from sandbox.databricks.wire import now
from sandbox.leash import Leashed

FINAL = {"TERMINATED", "SKIPPED", "INTERNAL_ERROR"}
WORKLOAD_FAILED = "Workload failed, see run output for details"


@dataclass
class State:
    """Where a run or a task stands. `code` and `kind` are the newer API's termination details."""

    life_cycle: str = "PENDING"
    result: str | None = None
    message: str = ""
    code: str = "SUCCESS"
    kind: str = "SUCCESS"

    @property
    def final(self) -> bool:
        """Whether nothing will change any more."""
        return self.life_cycle in FINAL

    def shown(self) -> dict[str, Any]:
        """`state` and `status`, as runs/get shows them."""
        state: dict[str, Any] = {
            "life_cycle_state": self.life_cycle,
            "state_message": self.message,
            "user_cancelled_or_timedout": self.result in ("CANCELED", "TIMEDOUT"),
        }
        status: dict[str, Any] = {"state": "TERMINATED" if self.final else self.life_cycle}
        if self.result:
            state["result_state"] = self.result
        if self.final:
            status["termination_details"] = {
                "code": self.code,
                "type": self.kind,
                "message": self.message,
            }
        if self.life_cycle == "QUEUED":
            state["queue_reason"] = self.message
            status["queue_details"] = {
                "code": "MAX_CONCURRENT_RUNS_REACHED",
                "message": self.message,
            }
        return {"state": state, "status": status}


@dataclass
class TaskRun:
    """One task of one run. `folder` holds its log, its order and its outcome."""

    run_id: int
    spec: dict[str, Any]
    cluster: dict[str, Any]
    folder: Path
    state: State = field(default_factory=State)
    started: int = 0
    setup: int = 0
    ended: int = 0
    outcome: dict[str, str] = field(default_factory=dict)
    process: Leashed | None = None

    @property
    def key(self) -> str:
        """The task's key; the one task of the old form has none."""
        return str(self.spec.get("task_key", ""))

    @property
    def log(self) -> Path:
        """What the task wrote to stdout and stderr."""
        return self.folder / "log.txt"


@dataclass
class Run:
    """A run of a job, or a one-time run. `parameters` are the job parameters, each with its
    value.
    """

    run_id: int
    job_id: int
    name: str
    settings: Settings
    user: str
    page: str
    trigger: str
    number: int
    tasks: list[TaskRun] = field(default_factory=list)
    parameters: list[dict[str, str]] = field(default_factory=list)
    overriding: dict[str, Any] = field(default_factory=dict)
    state: State = field(default_factory=State)
    one_time: bool = False
    cancelled: bool = False
    started: int = field(default_factory=now)
    left_queue: int = 0
    ended: int = 0

    @property
    def in_old_form(self) -> bool:
        """Whether it was asked for in the form of Jobs API 2.0: one task, without a key."""
        return bool(self.settings["format"] == "SINGLE_TASK")

    def shown(self, *, with_tasks: bool = True) -> dict[str, Any]:
        """The run as runs/get shows it."""
        begun = min((task.started for task in self.tasks if task.started), default=0)
        found: dict[str, Any] = {
            "job_id": self.job_id,
            "run_id": self.run_id,
            "job_run_id": self.run_id,
            "number_in_job": self.number,
            "original_attempt_run_id": self.run_id,
            "creator_user_name": self.user,
            **self.state.shown(),
            "start_time": self.started,
            "setup_duration": 0,
            "execution_duration": 0,
            "cleanup_duration": 0,
            "end_time": self.ended,
            "run_duration": (self.ended or now()) - self.started,
            "queue_duration": (self.left_queue or self.ended or now()) - self.started,
            "trigger": self.trigger,
            "run_name": self.name,
            "run_page_url": self.page,
            "run_type": "SUBMIT_RUN" if self.one_time else "JOB_RUN",
            "format": self.settings["format"],
        }
        for shown, value in (
            ("schedule", self.settings.get("schedule")),
            ("job_parameters", self.parameters),
            ("overriding_parameters", self.overriding),
            ("job_clusters", self.settings.get("job_clusters")),
            ("git_source", self.settings.get("git_source")),
        ):
            if value:
                found[shown] = value
        if self.in_old_form:
            task = self.tasks[0]
            found["task"] = {kind: task.spec[kind] for kind in task.spec if kind.endswith("_task")}
            found["cluster_spec"] = {
                key: task.spec[key]
                for key in ("new_cluster", "existing_cluster_id", "libraries")
                if key in task.spec
            }
            found["setup_duration"] = task.setup
            found["execution_duration"] = task.ended - begun if task.ended and begun else 0
        elif with_tasks:
            found["tasks"] = [self._shown_task(task) for task in self.tasks]
        return found

    def shown_task(self, task: TaskRun) -> dict[str, Any]:
        """A single task as runs/get shows it when asked for the task's own run id."""
        if self.in_old_form:
            return self.shown()
        rest = {
            key: value
            for key, value in self.shown(with_tasks=False).items()
            if key not in ("state", "status")
        }
        return {**rest, **self._shown_task(task), "run_name": task.key, "job_run_id": self.run_id}

    def _shown_task(self, task: TaskRun) -> dict[str, Any]:
        return {
            **task.spec,
            "run_id": task.run_id,
            "run_page_url": f"{self.page.partition('?')[0]}/tasks/{task.run_id}",
            **task.state.shown(),
            "start_time": task.started,
            "setup_duration": task.setup,
            "execution_duration": task.ended - task.started - task.setup if task.ended else 0,
            "cleanup_duration": 0,
            "end_time": task.ended,
            "attempt_number": 0,
        }


def resolved_parameters(settings: Settings, given: Mapping[str, str]) -> list[dict[str, str]]:
    """The job's parameters with the values of this run."""
    found = {
        parameter["name"]: {
            "name": parameter["name"],
            "default": str(parameter["default"]),
            "value": str(parameter["default"]),
        }
        for parameter in settings.get("parameters", [])
    }
    for name, value in given.items():
        found[name] = {**found.get(name, {"name": name}), "value": str(value)}
    return list(found.values())
