"""The dashboard: what waits, what fails, what came in, what was done and what runs wrote. Reads
only.

Rendered on the server, without scripts and without anything from another host.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, make_response, render_template, request, url_for

from bot.queue import Queue, RunRecord
from bot.subjects import Branch, Model, PullRequest, Retraining, Subject
from bot.webhooks.azure_devops import WatchedRepository
from bot.words.escape import duration

POLICY = (
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors "
    "'none'"
)
ROWS = 50
SHOWN = 200_000
"""How many characters of a log a page shows; they are its last."""

OFTEN, SELDOM = 3, 15
"""After how many seconds a page is read anew: one of a run that goes on, and the overview."""

PATIENCE = 120.0
"""For so many seconds after its end a run's log may still be on its way."""


def pages(
    queue: Queue, clock: Callable[[], float], served: Sequence[WatchedRepository] = ()
) -> Blueprint:
    """The pages as a part of the web application, at `/`."""
    blueprint = Blueprint(
        "dashboard",
        __name__,
        template_folder="templates",
        static_folder="static",
        static_url_path="/dashboard",
    )

    def page(template: str, code: int = 200, **told: Any) -> Response:
        response = make_response(
            render_template(f"dashboard/{template}.html", now=clock(), **_WORDS, **told), code
        )
        response.headers["Content-Security-Policy"] = POLICY
        return response

    @blueprint.get("/")
    def overview() -> Response:
        return page(
            "overview",
            refresh=SELDOM,
            counts=queue.counts(),
            subjects=queue.subjects(ROWS),
            runs=queue.runs(limit=ROWS // 2),
            deliveries=queue.deliveries(ROWS),
            passes=queue.passes(limit=ROWS),
        )

    @blueprint.get("/runs/<token>")
    def run(token: str) -> Response:
        found = queue.run(token)
        if found is None:
            return page(
                "missing",
                404,
                sentence="There is no such run, or it was so long ago that it was forgotten.",
            )
        if "raw" in request.args:
            return Response(queue.log(token), content_type="text/plain; charset=utf-8")
        log, kept = queue.log_end(token, SHOWN)
        if len(log) < kept:
            log = log[log.find("\n") + 1 :]
        return page(
            "run",
            run=found,
            name=found.project.rpartition("/")[2],
            log=log,
            shown=len(log),
            kept=kept,
            refresh=OFTEN if _going_on(found, clock()) else None,
            change=_change(found.subject, served),
        )

    @blueprint.get("/pull-requests/<path:repository>/<int:number>")
    def pull_request(repository: str, number: int) -> Response:
        subject = PullRequest(repository, number)
        runs = queue.runs(subject, ROWS)
        if not runs and repository not in {repository.key for repository in served}:
            return page("missing", 404, sentence="This Signalman does not serve that repository.")
        return page(
            "pull_request",
            subject=subject,
            runs=runs,
            refresh=OFTEN if any(_going_on(run, clock()) for run in runs) else None,
            change=_change(subject, served),
        )

    return blueprint


def _going_on(run: RunRecord, now: float) -> bool:
    """Whether there is something to wait for: the run's end, or the whole of its log."""
    return not run.log_whole and (run.ended_at is None or now - run.ended_at < PATIENCE)


def _change(subject: Subject, served: Sequence[WatchedRepository]) -> str:
    """Where Azure DevOps shows a pull request; empty when it is not of a repository that is
    served.
    """
    if isinstance(subject, PullRequest):
        for known in served:
            if known.key == subject.repository:
                project = f"{known.organization_url}/{quote(known.project)}"
                repository = f"{project}/_git/{quote(known.repository)}"
                return f"{repository}/pullrequest/{subject.number}"
    return ""


def said(subject: Subject) -> str:
    """A subject as people call it."""
    match subject:
        case PullRequest(repository, number):
            return f"pull request {number} of {repository}"
        case Branch(repository):
            return f"target branch of {repository}"
        case Model(name):
            return f"model {name}"
        case Retraining(repository, number, project=project):
            return f"retraining of {project}, asked for on pull request {number} of {repository}"


def address(subject: Subject) -> str:
    """The page of a subject; empty when it has none."""
    if isinstance(subject, PullRequest):
        return url_for(
            "dashboard.pull_request", repository=subject.repository, number=subject.number
        )
    return ""


def tone(run: RunRecord) -> str:
    """How a run's state is to look: `going`, `good`, `bad` or `odd`."""
    match run.state:
        case "starting" | "running":
            return "going"
        case "succeeded":
            return "good"
        case "failed" | "timed out":
            return "bad"
        case _:
            return "odd"


def moment(seconds: float) -> str:
    """A time, in UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def span(seconds: float) -> str:
    """A length of time, roughly."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 0.0):.0f} s"


def size(characters: int) -> str:
    """How long a text is, roughly."""
    for unit, length in (("MB", 1024 * 1024), ("KB", 1024)):
        if characters >= length:
            return f"{characters / length:.1f} {unit}"
    return f"{characters} characters"


_WORDS: dict[str, Any] = {
    "said": said,
    "address": address,
    "tone": tone,
    "moment": moment,
    "span": span,
    "duration": duration,
    "size": size,
}
