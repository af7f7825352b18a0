"""The Jobs API 2.0, 2.1 and 2.2, as far as jobs go; their runs are in `runs_api.py`.

https://docs.databricks.com/api/workspace/jobs
"""

import copy
import itertools
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sandbox.databricks import settings as job_settings
from sandbox.databricks.settings import Settings
from sandbox.databricks.wire import Call, Refusal, missing, now

Found = TypeVar("Found")

LARGE = 100


@dataclass
class Job:
    """A job that is kept: settings as the server completed them."""

    job_id: int
    settings: Settings
    user: str
    created: int = field(default_factory=now)
    runs: int = 0

    def shown(self, *, with_tasks: bool = True) -> dict[str, Any]:
        """The job as jobs/get shows it; jobs/list leaves out tasks and clusters."""
        hidden = set() if with_tasks else {"tasks", "job_clusters"}
        return {
            "job_id": self.job_id,
            "creator_user_name": self.user,
            "run_as_user_name": self.user,
            "run_as_owner": True,
            "settings": {
                key: copy.deepcopy(value)
                for key, value in self.settings.items()
                if key not in hidden
            },
            "created_time": self.created,
        }


class JobsApi:
    """Answers the calls below `/api/2.x/jobs/`."""

    def __init__(self) -> None:
        self.jobs: dict[int, Job] = {}
        self._ids = itertools.count(574_587_036_927_544, 104_729)
        self._lock = threading.RLock()

    def create(self, call: Call) -> dict[str, Any]:
        """`jobs/create`."""
        job = Job(next(self._ids), job_settings.accepted(call.json(), version_of(call)), call.user)
        self.jobs[job.job_id] = job
        return {"job_id": job.job_id}

    def get(self, call: Call) -> dict[str, Any]:
        """`jobs/get`; in 2.2 by pages where a job has more than 100 tasks, clusters, parameters or
        environments.
        """
        job = self.find(call).shown()
        if version_of(call) != "2.2":
            return job
        begin = int(call.asked().get("page_token") or 0)
        more = cut(job["settings"], begin)
        return {**job, "next_page_token": str(begin + LARGE)} if more else job

    def list(self, call: Call) -> dict[str, Any]:
        """`jobs/list`, newest first; the name filter is exact but does not look at case."""
        asked = call.asked()
        name = str(asked.get("name", "")).lower()
        found = [
            job for job in self.jobs.values() if not name or job.settings["name"].lower() == name
        ]
        found.sort(key=lambda job: job.job_id, reverse=True)
        if version_of(call) == "2.0":
            return {"jobs": [job.shown() for job in found]} if found else {}
        shown, more = page(found, asked, most=100)
        with_tasks = str(asked.get("expand_tasks", "")).lower() == "true"
        jobs = [job.shown(with_tasks=with_tasks) for job in shown]
        if version_of(call) == "2.2" and with_tasks:
            jobs = [{**job, "has_more": True} if cut(job["settings"], 0) else job for job in jobs]
        return {**({"jobs": jobs} if jobs else {}), **more}

    def update(self, call: Call) -> dict[str, Any]:
        """`jobs/update`; runs that have begun keep the settings they began with."""
        job, asked = self.find(call), call.json()
        with self._lock:
            job.settings = job_settings.merged(
                job.settings,
                asked.get("new_settings") or {},
                asked.get("fields_to_remove") or [],
                version_of(call),
            )
        return {}

    def reset(self, call: Call) -> dict[str, Any]:
        """`jobs/reset`: everything is replaced, but a `run_as` that is left out stays
        (databricks/cli testserver).
        """
        job, asked = self.find(call), call.json()
        if not isinstance(asked.get("new_settings"), dict):
            raise missing("new_settings")
        settings = job_settings.accepted(asked["new_settings"], version_of(call))
        if "run_as" in job.settings:
            settings.setdefault("run_as", job.settings["run_as"])
        job.settings = settings
        return {}

    def delete(self, call: Call) -> dict[str, Any]:
        """`jobs/delete`; its runs stay to be looked at."""
        del self.jobs[self.find(call).job_id]
        return {}

    def find(self, call: Call) -> Job:
        """The job that a call is about; a refusal when it does not exist."""
        job_id = number_in(call, "job_id")
        if job_id not in self.jobs:
            if version_of(call) == "2.0":
                raise Refusal(400, "INVALID_PARAMETER_VALUE", f"Job {job_id} does not exist.")
            raise Refusal(404, None, f"Job {job_id} does not exist.")
        return self.jobs[job_id]


def cut(settings: Settings, begin: int) -> bool:
    """Leave 100 elements of each large array, those from `begin`; whether there are more after
    them.

    https://docs.databricks.com/api/workspace/jobs/get
    """
    arrays = {name: settings[name] for name in job_settings.KEYS if settings.get(name)}
    settings |= {name: entries[begin : begin + LARGE] for name, entries in arrays.items()}
    return any(len(entries) > begin + LARGE for entries in arrays.values())


def version_of(call: Call) -> str:
    """The version of the Jobs API a call speaks."""
    return call.path.split("/")[2]


def number_in(call: Call, name: str) -> int:
    """A number that a call has to name."""
    value = call.asked().get(name)
    if value in (None, ""):
        raise missing(name)
    try:
        return int(str(value))
    except ValueError:
        raise Refusal(
            400, "INVALID_PARAMETER_VALUE", f"{name} has to be a number; found {value!r}."
        ) from None


def page(
    found: Sequence[Found], asked: dict[str, Any], *, most: int
) -> tuple[Sequence[Found], dict[str, Any]]:
    """One page, and the tokens of the pages around it. A token is the offset, which clients must
    not rely on.
    """
    limit = int(asked.get("limit") or 20)
    if not 0 < limit <= most:
        raise Refusal(
            400, "INVALID_PARAMETER_VALUE", f"limit has to be between 1 and {most}; found {limit}."
        )
    offset = int(asked.get("page_token") or asked.get("offset") or 0)
    more: dict[str, Any] = {"has_more": offset + limit < len(found)}
    if more["has_more"]:
        more["next_page_token"] = str(offset + limit)
    if offset > 0:
        more["prev_page_token"] = str(max(0, offset - limit))
    return found[offset : offset + limit], more
