"""The pages of the workspace, for people: the tree, jobs, runs. Read-only, and without a login."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from sandbox.databricks import quartz
from sandbox.databricks.jobs import JobsApi
from sandbox.databricks.runs_api import RunsApi
from sandbox.databricks.tree import Tree
from sandbox.databricks.webhooks import Webhooks
from sandbox.databricks.wire import Answer, Call, Refusal

TEMPLATES = Path(__file__).with_name("templates")
SHOWN = 200 * 1024
LISTED = 100
HTML = "text/html; charset=utf-8"
SAFE = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'",
    "X-Content-Type-Options": "nosniff",
}


class Pages:
    """Answers every path that is not an API's."""

    def __init__(
        self, tree: Tree, jobs: JobsApi, runs: RunsApi, webhooks: Webhooks, mlflow_url: str | None
    ) -> None:
        self._tree = tree
        self._jobs = jobs
        self._runs = runs
        self._webhooks = webhooks
        self._mlflow_url = mlflow_url
        self._templates = Environment(
            loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,  # noqa: E501 a table, or a text as it is sent
            lstrip_blocks=True,
        )  # fmt: skip
        self._templates.filters["moment"] = _moment
        self._templates.filters["duration"] = _duration
        self._templates.globals["mlflow_url"] = mlflow_url

    def answer(self, call: Call) -> Answer:
        """A page, or a page that says that there is none."""
        if call.method not in ("GET", "HEAD"):
            return self._page("missing.html", 405, what=f"{call.method} {call.path}")
        first, _, rest = call.path.strip("/").partition("/")
        pages: dict[str, Callable[[str], Answer]] = {
            "": self._home,
            "workspace": self._workspace,
            "jobs": self._job_or_run,
            "runs": self._all_runs,
            "webhooks": self._deliveries,
            "ml": self._mlflow,
        }
        if call.path == "/style.css":
            return Answer(
                (TEMPLATES / "style.css").read_bytes(), content_type="text/css; charset=utf-8"
            )
        try:
            return pages[first](rest)
        except (KeyError, ValueError, Refusal):
            return self._page("missing.html", 404, what=call.path)

    def _home(self, _: str) -> Answer:
        return _moved("/runs")

    def _workspace(self, rest: str) -> Answer:
        path = "/" + rest.strip("/")
        info = self._tree.info(path)
        crumbs = [
            (part, "/".join(rest.split("/")[: depth + 1]))
            for depth, part in enumerate(rest.split("/"))
            if part
        ]
        if info["object_type"] == "DIRECTORY":
            children = self._tree.listing(path)
            children.sort(key=lambda child: (child["object_type"] != "DIRECTORY", child["path"]))
            return self._page("folder.html", path=path, crumbs=crumbs, children=children)
        content = self._tree.read(path)
        text = content[:SHOWN].decode(errors="replace")
        return self._page(
            "file.html", path=path, crumbs=crumbs, info=info, text=text, cut=len(content) > SHOWN
        )

    def _job_or_run(self, rest: str) -> Answer:
        parts = rest.strip("/").split("/")
        if parts == [""]:
            jobs = sorted(self._jobs.jobs.values(), key=lambda job: job.job_id, reverse=True)
            rows = [
                (job.shown(), self._next(job.settings), self._last_run(job.job_id)) for job in jobs
            ]
            return self._page("jobs.html", rows=rows)
        if len(parts) >= 3 and parts[1] == "runs":
            return self._run(int(parts[2]))
        if len(parts) > 1:
            raise KeyError(rest)
        job = self._jobs.jobs[int(parts[0])]
        runs = [run.shown() for run in self._runs.runs.values() if run.job_id == job.job_id]
        return self._page(
            "job.html", job=job.shown(), next_run=self._next(job.settings), runs=runs[::-1][:LISTED]
        )

    def _all_runs(self, _: str) -> Answer:
        runs = [run.shown() for run in self._runs.runs.values()]
        return self._page("runs.html", runs=runs[::-1][:LISTED])

    def _run(self, run_id: int) -> Answer:
        run = self._runs.runs[run_id]
        with self._runs.executor.changed:
            shown = run.shown()
            tasks = [
                ({**run.shown_task(task), **task.spec}, dict(task.outcome), task.log, task.cluster)
                for task in run.tasks
            ]
        rows = []
        for task, outcome, log, cluster in tasks:
            text = log.read_bytes() if log.exists() else b""
            rows.append((task, outcome, text[-SHOWN:].decode(errors="replace"), cluster))
        return self._page(
            "run.html",
            run=shown,
            tasks=rows,
            over=run.state.final,
            kept=run.job_id in self._jobs.jobs,
        )

    def _deliveries(self, _: str) -> Answer:
        hooks = [hook.shown() for hook in self._webhooks.hooks.values()]
        return self._page(
            "webhooks.html", hooks=hooks, deliveries=self._webhooks.post.deliveries[::-1][:LISTED]
        )

    def _mlflow(self, rest: str) -> Answer:
        """Addresses of runs and models, as MLflow's client prints them for a workspace, lead to
        MLflow's own pages.
        """
        if self._mlflow_url is None:
            raise KeyError(rest)
        return _moved(f"{self._mlflow_url}/#/{quote(rest)}")

    def _last_run(self, job_id: int) -> dict[str, Any] | None:
        runs = [run for run in self._runs.runs.values() if run.job_id == job_id]
        return runs[-1].shown() if runs else None

    def _page(self, template: str, status: int = 200, **values: Any) -> Answer:
        return Answer(
            self._templates.get_template(template).render(values).encode(), status, SAFE, HTML
        )

    @staticmethod
    def _next(settings: dict[str, Any]) -> datetime | None:
        schedule = settings.get("schedule")
        if not schedule or schedule.get("pause_status") == "PAUSED":
            return None
        return quartz.next_run(
            schedule["quartz_cron_expression"], schedule["timezone_id"], datetime.now(UTC)
        )


def _moved(address: str) -> Answer:
    return Answer(b"", 302, {"Location": address}, HTML)


def _moment(milliseconds: int) -> str:
    return (
        datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        if milliseconds
        else "–"
    )


def _duration(milliseconds: int) -> str:
    seconds = milliseconds / 1000
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)} min {int(seconds % 60)} s"
