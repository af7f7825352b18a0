"""`status` and `rollback`: what is live, and what was live before, from a terminal."""

import time
import uuid
from collections.abc import Iterator

from bot.controllers import target_config
from bot.controllers.branch import live, manifest
from bot.controllers.branch import rollback as merge_rollback
from bot.controllers.model import rollback
from bot.controllers.services import Repository, Services
from bot.errors import ConfigError, SignalmanError
from bot.facts.branch import Live, LiveStatus
from bot.passes import Look
from bot.queue import Queue
from bot.subjects import Branch
from bot.words import drift

_PAUSE = 0.2
_MOMENT = "%Y-%m-%d %H:%M UTC"


def status_lines(repository: Repository, services: Services) -> Iterator[str]:
    """What the production workspace holds of a repository, and what its scoring jobs load; a line
    each.
    """
    now = live.live_status(repository, services)
    yield f"{now.repository}: {_held(now)}"
    for path, why in sorted(now.kept.items()):
        yield f"  {path} is gone from Git and still there: {why}"
    if edited := drift.left(now.edited):
        yield f"  {edited}"
    for job in now.jobs:
        line = f"  job {job.job}: {job.problem or _loads(job)}"
        if job.next_run:
            line += f"; next run {job.next_run:%Y-%m-%d %H:%M %Z}"
        yield line


def _loads(job: Live) -> str:
    version = f"{job.model} v{job.version}"
    if job.commit:
        version += f", trained at {job.commit[:7]}"
    if job.since:
        version += f", since {job.since:{_MOMENT}}"
    return version


def roll_back_model(job: str, key: str | None, services: Services) -> str:
    """Roll a scoring job back, the only one when none is named; gives the answer."""
    repository = _chosen(key, services)
    _, config = target_config.read(repository)
    look = Look(Branch(repository.served.key), {}, news=True)
    answer, _ = rollback.roll_back(job, config, look, repository, services)
    return _plain(services.templates.filled(answer))


def take_back(
    who: str, key: str | None, limit: float, queue: Queue, services: Services
) -> Iterator[str]:
    """Have the newest commit taken back, and wait for it; raises SignalmanError when that takes
    more than the limit.
    """
    repository = _chosen(key, services)
    subject = Branch(repository.served.key)
    answer, done = merge_rollback.take_back(
        who, f"terminal/{uuid.uuid4().hex}", None, repository, services
    )
    yield _plain(answer)
    if not done:
        return
    queue.wake([subject])
    taken_back = manifest.read_rollback(subject.repository, services.production.databricks)
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        held = manifest.read(subject.repository, services.production.databricks)
        if taken_back is not None and held.commit == taken_back.instead:
            yield f"The workspace holds {held.commit[:7]}."
            return
        time.sleep(_PAUSE)
    raise SignalmanError(
        f"That was not done within {limit:.0f} s. It is noted, and a worker does it as soon as one "
        "runs: python -m bot status tells."
    )


def _held(now: LiveStatus) -> str:
    if now.live is None:
        return "nothing was brought to the workspace yet"
    line = f"the workspace holds {now.live.commit[:7]}"
    if now.live.pull_request:
        line += f" (pull request {now.live.pull_request})"
    if now.live.at:
        line += f" since {now.live.at:{_MOMENT}}"
    line += f", {now.objects} objects"
    if now.rolled_back is not None:
        by = ""
        if now.rolled_back.by:
            by = f" by {now.rolled_back.by}"
        return f"{line}; {now.rolled_back.commit[:7]} was taken back{by}, until the next merge"
    if now.unfinished:
        return f"{line}; {now.tip[:7]} is being brought there"
    if now.live.commit != now.tip:
        return f"{line}; {now.tip[:7]} is to come"
    return line


def _chosen(key: str | None, services: Services) -> Repository:
    matching = []
    for repository in services.repositories.values():
        if key in (None, repository.served.key, repository.served.repository):
            matching.append(repository)
    if len(matching) == 1:
        return matching[0]
    raise ConfigError(
        f"Say which repository by --repository; it is one of {', '.join(services.repositories)}."
    )


def _plain(answer: str) -> str:
    return answer.strip().replace("`", "").replace("**", "")
