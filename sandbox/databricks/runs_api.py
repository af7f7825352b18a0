"""The Jobs API 2.0, 2.1 and 2.2, as far as runs go: of jobs, and one-time runs.

https://docs.databricks.com/api/workspace/jobs/submit
"""

import copy
import itertools
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sandbox.databricks import settings as job_settings
from sandbox.databricks.execution import Executor
from sandbox.databricks.jobs import JobsApi, number_in, page, version_of
from sandbox.databricks.runs import Run, TaskRun, resolved_parameters
from sandbox.databricks.settings import Settings
from sandbox.databricks.wire import Call, Refusal

LOG_LIMIT = 5 * 1024 * 1024
GIVEN = (
    "notebook_params",
    "python_params",
    "jar_params",
    "python_named_params",
    "spark_submit_params",
)


class RunsApi:
    """Answers `jobs/run-now` and the calls below `/api/2.x/jobs/runs/`. `runs` holds all runs,
    oldest first.
    """

    def __init__(
        self,
        jobs: JobsApi,
        executor: Executor,
        folder: Path,
        url: Callable[[], str],
        workspace_id: str,
    ) -> None:
        self.executor = executor
        self.runs: dict[int, Run] = {}
        self._jobs = jobs
        self._folder = folder
        self._url = url
        self._workspace_id = workspace_id
        self._ids = itertools.count(846_204_117_350_011, 104_729)
        self._once: dict[tuple[str, str], int] = {}
        self._lock = threading.RLock()

    def run_now(self, call: Call) -> dict[str, Any]:
        """`jobs/run-now`."""
        job, asked = self._jobs.find(call), call.json()
        given = {key: asked[key] for key in GIVEN if asked.get(key)}
        if asked.get("job_parameters") and given:
            raise Refusal(
                400,
                "INVALID_PARAMETER_VALUE",
                "job_parameters cannot be used together with task-level parameters.",
            )
        with self._lock:
            known = self._known(call, asked)
            if known:
                return {"run_id": known.run_id, "number_in_job": known.number}
            job.runs += 1
            run = self._new_run(
                job.job_id, copy.deepcopy(job.settings), job.user, "ONE_TIME", job.runs
            )
            run.parameters = resolved_parameters(job.settings, asked.get("job_parameters") or {})
            run.overriding = given
            self._remember(call, asked, run)
        self.executor.begin(run)
        return {"run_id": run.run_id, "number_in_job": run.number}

    def submit(self, call: Call) -> dict[str, Any]:
        """`jobs/runs/submit`: a one-time run."""
        asked = call.json()
        settings = job_settings.accepted(
            {**asked, "name": asked.get("run_name") or "Untitled"}, version_of(call)
        )
        with self._lock:
            known = self._known(call, asked)
            if known:
                return {"run_id": known.run_id}
            run = self._new_run(next(self._ids), settings, call.user, "ONE_TIME", 1)
            run.one_time = True
            self._remember(call, asked, run)
        self.executor.begin(run)
        return {"run_id": run.run_id}

    def get_run(self, call: Call) -> dict[str, Any]:
        """`jobs/runs/get`, for the id of a run or of one of its tasks."""
        run, task = self._run(call)
        with self.executor.changed:
            return run.shown_task(task) if task else run.shown()

    def get_output(self, call: Call) -> dict[str, Any]:
        """`jobs/runs/get-output`. A notebook task has no `logs` here, as the service says of
        itself.
        """
        run, task = self._run(call)
        if task is None:
            if len(run.tasks) > 1:
                raise Refusal(
                    400,
                    "INVALID_PARAMETER_VALUE",
                    "Retrieving the output of runs with multiple tasks is not supported. Please "
                    "retrieve the output of each individual task run instead.",
                )
            task = run.tasks[0]
        with self.executor.changed:
            found: dict[str, Any] = {"metadata": run.shown_task(task)}
            outcome, over = dict(task.outcome), task.state.final
        if "notebook_task" in task.spec:
            result = outcome.get("result")
            found["notebook_output"] = (
                {"result": result[:LOG_LIMIT], "truncated": len(result) > LOG_LIMIT}
                if result
                else {}
            )
        elif over or task.started:
            logs = task.log.read_bytes() if task.log.exists() else b""
            found["logs"] = logs[-LOG_LIMIT:].decode(errors="replace")
            found["logs_truncated"] = len(logs) > LOG_LIMIT
        return {
            **found,
            **{key: outcome[key] for key in ("error", "error_trace") if key in outcome},
        }

    def list_runs(self, call: Call) -> dict[str, Any]:
        """`jobs/runs/list`, newest first."""
        asked = call.asked()
        active, completed = (
            str(asked.get(key, "")).lower() == "true" for key in ("active_only", "completed_only")
        )
        found = [
            run
            for run in self.runs.values()
            if ("job_id" not in asked or run.job_id == int(asked["job_id"]))
            and ("run_type" not in asked or (asked["run_type"] == "SUBMIT_RUN") == run.one_time)
            and not (active and run.state.final)
            and not (completed and not run.state.final)
            and int(asked.get("start_time_from", 0))
            <= run.started
            <= int(asked.get("start_time_to", 2**62))
        ]
        found.sort(key=lambda run: run.run_id, reverse=True)
        shown, more = page(found, asked, most=25)
        with_tasks = str(asked.get("expand_tasks", "")).lower() == "true"
        with self.executor.changed:
            runs = {"runs": [run.shown(with_tasks=with_tasks) for run in shown]} if shown else {}
        return {**runs, **more}

    def cancel(self, call: Call) -> dict[str, Any]:
        """`jobs/runs/cancel`: asked for now, done soon."""
        run, _ = self._run(call)
        self.executor.cancel(run)
        return {}

    def cancel_all(self, call: Call) -> dict[str, Any]:
        """`jobs/runs/cancel-all` of one job."""
        job = self._jobs.find(call)
        for run in [run for run in self.runs.values() if run.job_id == job.job_id]:
            self.executor.cancel(run)
        return {}

    def delete_run(self, call: Call) -> dict[str, Any]:
        """`jobs/runs/delete`, of a run that is over."""
        run, _ = self._run(call)
        if not run.state.final:
            raise Refusal(
                400, "INVALID_STATE", f"Run {run.run_id} is active and cannot be deleted."
            )
        del self.runs[run.run_id]
        return {}

    def _new_run(
        self, job_id: int, settings: Settings, user: str, trigger: str, number: int
    ) -> Run:
        run_id = next(self._ids)
        page = f"{self._url()}/jobs/{job_id}/runs/{run_id}?o={self._workspace_id}"
        run = Run(run_id, job_id, settings["name"], settings, user, page, trigger, number)
        for spec in job_settings.tasks_of(settings):
            task_id = run_id if run.in_old_form else next(self._ids)
            cluster = job_settings.cluster_of(spec, settings)
            run.tasks.append(TaskRun(task_id, spec, cluster, self._folder / str(task_id)))
        self.runs[run_id] = run
        return run

    def _known(self, call: Call, asked: dict[str, Any]) -> Run | None:
        token = str(asked.get("idempotency_token") or "")
        if len(token) > 64:
            raise Refusal(
                400, "INVALID_PARAMETER_VALUE", "idempotency_token can have at most 64 characters."
            )
        run_id = self._once.get((call.path.rsplit("/", 1)[1], token)) if token else None
        if run_id is not None and run_id not in self.runs:
            raise Refusal(
                400,
                "INVALID_PARAMETER_VALUE",
                f"The run with the idempotency token {token} was deleted.",
            )
        return self.runs.get(run_id or 0)

    def _remember(self, call: Call, asked: dict[str, Any], run: Run) -> None:
        if asked.get("idempotency_token"):
            self._once[call.path.rsplit("/", 1)[1], asked["idempotency_token"]] = run.run_id

    def _run(self, call: Call) -> tuple[Run, TaskRun | None]:
        run_id = number_in(call, "run_id")
        for run in list(self.runs.values()):
            if run.run_id == run_id:
                return run, None
            for task in run.tasks:
                if task.run_id == run_id:
                    return run, task
        if version_of(call) == "2.0":
            raise Refusal(400, "INVALID_PARAMETER_VALUE", f"Run {run_id} does not exist.")
        raise Refusal(404, "RESOURCE_DOES_NOT_EXIST", f"Run {run_id} does not exist.")
