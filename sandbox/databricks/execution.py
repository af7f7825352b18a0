"""Carrying runs out: each task a process of its own, on as many clusters as there are slots.

A run goes PENDING (waiting for a slot, then for its cluster), RUNNING, and to
its end; QUEUED before that when its job allows no more runs at once. Tasks of
one run are carried out one after the other, in the order of `depends_on`.
"""

import json
import secrets
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sandbox import leash
from sandbox.databricks.dbfs import Dbfs
from sandbox.databricks.orders import Cannot, environment_for, order_for
from sandbox.databricks.runs import WORKLOAD_FAILED, Run, State, TaskRun
from sandbox.databricks.tree import Tree
from sandbox.databricks.wire import Refusal, now

PROGRAM = Path(__file__).with_name("task_main.py")


class Executor:
    """Runs runs. `changed` is notified whenever the state of any run changes."""

    def __init__(
        self,
        tree: Tree,
        dbfs: Dbfs,
        tokens: dict[str, str],
        *,
        python: str,
        home: Path,
        slots: int,
        cluster_start_seconds: float,
        environment: Mapping[str, str],
        url: Callable[[], str],
    ) -> None:
        self.changed = threading.Condition()
        self.cluster_start_seconds = cluster_start_seconds
        self._tree = tree
        self._dbfs = dbfs
        self._tokens = tokens
        self._python = python
        self._home = home
        self._home.mkdir(parents=True, exist_ok=True)
        self._slots = slots
        self._busy = 0
        self._waiting: deque[int] = deque()
        self._active: dict[int, list[Run]] = {}
        self._environment = environment
        self._url = url
        self.broken_clusters: list[State] = []
        self._stopped = False
        self._threads: set[threading.Thread] = set()

    def begin(self, run: Run) -> None:
        """Start carrying out a run, or skip it when its job runs often enough already."""
        limit = int(run.settings.get("max_concurrent_runs", 1))
        with self.changed:
            active = self._active.setdefault(run.job_id, [])
            if not run.one_time and len(active) >= limit:
                if not (run.settings.get("queue") or {}).get("enabled"):
                    message = (
                        f"Skipping this run because the limit of {limit} maximum concurrent runs "
                        "has been reached."
                    )
                    code, kind = "MAX_CONCURRENT_RUNS_EXCEEDED", "CLIENT_ERROR"
                    self._end(
                        run,
                        State("SKIPPED", "MAXIMUM_CONCURRENT_RUNS_REACHED", message, code, kind),
                    )
                    return
                run.state = State(
                    "QUEUED",
                    message="Queued due to reaching maximum concurrent runs in job settings.",
                )
            else:
                active.append(run)
        thread = threading.Thread(
            target=self._carry_out, args=[run, limit], daemon=True, name=f"run {run.run_id}"
        )
        self._threads.add(thread)
        thread.start()

    def cancel(self, run: Run) -> None:
        """Ask for the end of a run; its processes are killed. A run that is over stays as it is."""
        with self.changed:
            if run.state.final:
                return
            run.cancelled = True
            processes = [task.process for task in run.tasks if task.process]
            if run.state.life_cycle == "RUNNING":
                run.state = State("TERMINATING", message="Cancelling.")
            self.changed.notify_all()
        for process in processes:
            process.kill()

    def stop(self, runs: list[Run]) -> None:
        """Cancel everything and wait until no process is left."""
        self._stopped = True
        for run in runs:
            self.cancel(run)
        for thread in list(self._threads):
            thread.join(10)

    def wait(self, run: Run, timeout: float) -> bool:
        """Wait for the end of a run; False after `timeout` seconds."""
        with self.changed:
            return self.changed.wait_for(lambda: run.state.final, timeout)

    def _carry_out(self, run: Run, limit: int) -> None:
        slot = False
        try:
            with self.changed:
                active = self._active[run.job_id]
                if run not in active:
                    self.changed.wait_for(lambda: run.cancelled or len(active) < limit)
                    if not run.cancelled:
                        active.append(run)
                self._waiting.append(run.run_id)
                self._set(run, State("PENDING", message="Waiting for cluster"))
                self.changed.wait_for(
                    lambda: (
                        run.cancelled
                        or (self._busy < self._slots and self._waiting[0] == run.run_id)
                    )
                )
                self._waiting.remove(run.run_id)
                if not run.cancelled:
                    self._busy += 1
                    slot = True
                    run.left_queue = now()
                self.changed.notify_all()
            self._end(run, self._all_tasks(run) if slot else _cancelled())
        except (
            Exception
        ) as error:  # A stand-in that breaks says so in the run, where it is looked for.
            self._end(run, State("INTERNAL_ERROR", "FAILED", f"The stand-in failed: {error!r}", "INTERNAL_ERROR",  # noqa: E501 a table, or a text as it is sent
                                 "INTERNAL_ERROR"))  # fmt: skip
        finally:
            with self.changed:
                self._busy -= slot
                if run in self._active[run.job_id]:
                    self._active[run.job_id].remove(run)
                self._threads.discard(threading.current_thread())
                self.changed.notify_all()

    def _all_tasks(self, run: Run) -> State:
        deadline = _deadline(run.settings)
        if self.cluster_start_seconds:
            with self.changed:
                self.changed.wait_for(lambda: run.cancelled, self.cluster_start_seconds)
        with self.changed:
            if self.broken_clusters and not run.cancelled:
                return self.broken_clusters.pop(0)
        left = list(run.tasks)
        results: dict[str, str] = {}
        while left:
            ready = [
                t
                for t in left
                if all(d["task_key"] in results for d in t.spec.get("depends_on", []))
            ]
            if not ready:
                raise Cannot("the tasks depend on each other in a circle")
            task = ready[0]
            left.remove(task)
            before = [results[d["task_key"]] for d in task.spec.get("depends_on", [])]
            if run.cancelled:
                state = _cancelled()
            elif task.spec.get("run_if", "ALL_SUCCESS") == "ALL_SUCCESS" and any(
                r != "SUCCESS" for r in before
            ):
                state = State(
                    "TERMINATED",
                    "UPSTREAM_FAILED",
                    "A task it depends on failed.",
                    "SKIPPED",
                    "CLIENT_ERROR",
                )
            else:
                state = self._one_task(run, task, min(deadline, _deadline(task.spec)))
            with self.changed:
                task.state, task.ended = state, now()
                self.changed.notify_all()
            results[task.key] = state.result or ""
        return _outcome(run)

    def _one_task(self, run: Run, task: TaskRun, deadline: float) -> State:
        token = "dapi-task-" + secrets.token_hex(16)
        self._tokens[token] = run.user
        try:
            process = self._start(run, task, token)
        except (Cannot, Refusal) as error:
            task.outcome = {"error": str(error)}
            return State(
                "INTERNAL_ERROR", "FAILED", str(error), "RESOURCE_NOT_FOUND", "CLIENT_ERROR"
            )
        try:
            with self.changed:
                task.process, task.started = process, now()
                if (
                    run.state.life_cycle == "PENDING"
                ):  # The first task is the one that waited for the cluster.
                    task.setup = int(self.cluster_start_seconds * 1000)
                    task.started -= task.setup
                task.state = State("RUNNING", message="In run")
                if not run.cancelled:
                    self._set(run, State("RUNNING", message="In run"))
                else:
                    process.kill()
            timed_out = False
            try:
                code = process.wait(
                    None if deadline == float("inf") else max(0.0, deadline - time.monotonic())
                )
            except subprocess.TimeoutExpired:
                timed_out = True
                process.kill()
        finally:
            task.process = None
            self._tokens.pop(token, None)
        if run.cancelled:
            return _cancelled()
        if timed_out:
            return State("TERMINATED", "TIMEDOUT", "Run timed out.", "CANCELED", "CLIENT_ERROR")
        outcome = task.folder / "outcome.json"
        if outcome.exists():
            task.outcome = json.loads(outcome.read_text())
        else:
            task.outcome = {
                "error": f"Fatal error: The Python process ended with code {code} and without a "
                "word."
            }
        if "error" in task.outcome:
            return State(
                "TERMINATED", "FAILED", WORKLOAD_FAILED, "RUN_EXECUTION_ERROR", "CLIENT_ERROR"
            )
        return State("TERMINATED", "SUCCESS")

    def _start(self, run: Run, task: TaskRun, token: str) -> leash.Leashed:
        task.folder.mkdir(parents=True, exist_ok=True)
        directory, order = order_for(run, task, self._tree, self._dbfs)
        order_file = task.folder / "order.json"
        order_file.write_text(json.dumps(order))
        environment = environment_for(
            task,
            python=self._python,
            home=self._home,
            host=self._url(),
            token=token,
            further=self._environment,
        )
        if self._stopped:
            raise Cannot("The workspace is shutting down.")
        return leash.start(
            [str(PROGRAM), str(order_file)],
            python=self._python,
            environment=environment,
            directory=directory,
            log=task.log,
        )

    def _set(self, run: Run, state: State) -> None:
        with self.changed:
            run.state = state
            self.changed.notify_all()

    def _end(self, run: Run, state: State) -> None:
        with self.changed:
            run.ended = now()
            for task in run.tasks:
                if not task.state.final:
                    task.state, task.ended = state, run.ended
            self._set(run, state)


def _deadline(settings: Mapping[str, Any]) -> float:
    seconds = settings.get("timeout_seconds") or 0
    return time.monotonic() + seconds if seconds else float("inf")


def _cancelled() -> State:
    return State("TERMINATED", "CANCELED", "Run cancelled.", "USER_CANCELED", "CLIENT_ERROR")


def _outcome(run: Run) -> State:
    """The state of a run from those of its tasks.

    A failed task shows at the run as INTERNAL_ERROR in the old state, and as
    TERMINATED in the new one (measured by databricks/cli, libs/testserver/jobs.go);
    in the form of Jobs 2.0 run and task are one.
    """
    if run.in_old_form:
        return run.tasks[0].state
    if run.cancelled:
        return _cancelled()
    for task in run.tasks:
        if task.state.result == "TIMEDOUT":
            return task.state
        if task.state.result == "FAILED":
            message = f"Task {task.key} failed with message: {task.state.message}."
            return State("INTERNAL_ERROR", "FAILED", message, task.state.code, "CLIENT_ERROR")
    return State("TERMINATED", "SUCCESS")
