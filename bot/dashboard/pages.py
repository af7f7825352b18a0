"""The dashboard's pages: their addresses, and what is read in words.

Rendered on the server, without scripts and without anything from another host.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, make_response, render_template, request, url_for

from bot.dashboard import queries
from bot.queue import Queue, RunRecord
from bot.subjects import Branch, Model, PullRequest, Retraining, Subject
from bot.webhooks.azure_devops import WatchedRepository
from bot.words.escape import duration

POLICY = (
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors "
    "'none'"
)

OFTEN, SELDOM = 3, 15
"""After how many seconds a page is read anew: one of a run that goes on, and the overview."""

LOG_MAY_FOLLOW = 120.0
"""For so many seconds after its end a run's log may still be on its way."""


def blueprint(
    queue: Queue, clock: Callable[[], float], served: Sequence[WatchedRepository] = ()
) -> Blueprint:
    """The pages as a part of the web application, at `/`."""
    pages = _Pages(queue, clock, served)
    part = Blueprint(
        "dashboard",
        __name__,
        template_folder="templates",
        static_folder="static",
        static_url_path="/dashboard",
    )
    part.add_url_rule("/", "overview", pages.overview)
    part.add_url_rule("/runs/<token>", "run", pages.run)
    part.add_url_rule(
        "/pull-requests/<path:repository>/<int:number>", "pull_request", pages.pull_request
    )
    return part


class _Pages:
    def __init__(
        self, queue: Queue, clock: Callable[[], float], served: Sequence[WatchedRepository]
    ) -> None:
        self._queue = queue
        self._clock = clock
        self._served = served

    def overview(self) -> Response:
        return self._page("overview", refresh=SELDOM, **queries.overview(self._queue))

    def run(self, token: str) -> Response:
        run = self._queue.run(token)
        if run is None:
            return self._missing(
                "There is no such run, or it was so long ago that it was forgotten."
            )
        if "raw" in request.args:
            return Response(self._queue.log(token), content_type="text/plain; charset=utf-8")
        log = queries.log_end(self._queue, token)
        return self._page(
            "run",
            run=run,
            name=run.project.rpartition("/")[2],
            log=log.text,
            shown=len(log.text),
            kept=log.kept,
            refresh=self._refresh([run]),
            change=_change(run.subject, self._served),
        )

    def pull_request(self, repository: str, number: int) -> Response:
        subject = PullRequest(repository, number)
        runs = queries.runs_of(self._queue, subject)
        keys = {served.key for served in self._served}
        if not runs and repository not in keys:
            return self._missing("This Signalman does not serve that repository.")
        return self._page(
            "pull_request",
            subject=subject,
            runs=runs,
            refresh=self._refresh(runs),
            change=_change(subject, self._served),
        )

    def _refresh(self, runs: Sequence[RunRecord]) -> int | None:
        now = self._clock()
        if any(_going_on(run, now) for run in runs):
            return OFTEN
        return None

    def _missing(self, sentence: str) -> Response:
        return self._page("missing", 404, sentence=sentence)

    def _page(self, template: str, code: int = 200, **content: Any) -> Response:
        text = render_template(f"dashboard/{template}.html", now=self._clock(), **_WORDS, **content)
        response = make_response(text, code)
        response.headers["Content-Security-Policy"] = POLICY
        return response


def _going_on(run: RunRecord, now: float) -> bool:
    """Whether there is something to wait for: the run's end, or the whole of its log."""
    return not run.log_whole and (run.ended_at is None or now - run.ended_at < LOG_MAY_FOLLOW)


def _change(subject: Subject, served: Sequence[WatchedRepository]) -> str:
    """Where Azure DevOps shows a pull request; empty when it is not of a repository that is
    served.
    """
    if isinstance(subject, PullRequest):
        for repository in served:
            if repository.key == subject.repository:
                project = f"{repository.organization_url}/{quote(repository.project)}"
                page = f"{project}/_git/{quote(repository.repository)}"
                return f"{page}/pullrequest/{subject.number}"
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
