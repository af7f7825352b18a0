"""The dashboard: what waits, what fails, what came in and what was done. Reads only.

Rendered on the server, without scripts and without anything from another host.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from flask import Blueprint, Response, make_response, render_template

from bot.queue import Queue
from bot.subjects import Branch, Model, PullRequest, Retraining, Subject

POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
ROWS = 50


def pages(queue: Queue, clock: Callable[[], float]) -> Blueprint:
    """The pages as a part of the web application, at `/`."""
    blueprint = Blueprint(
        "dashboard", __name__, template_folder="templates", static_folder="static", static_url_path="/dashboard"
    )

    @blueprint.get("/")
    def overview() -> Response:
        response = make_response(
            render_template(
                "dashboard/overview.html",
                now=clock(),
                counts=queue.counts(),
                subjects=queue.subjects(ROWS),
                deliveries=queue.deliveries(ROWS),
                passes=queue.passes(limit=ROWS),
                said=said,
                moment=moment,
                span=span,
            )
        )
        response.headers["Content-Security-Policy"] = POLICY
        return response

    return blueprint


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


def moment(seconds: float) -> str:
    """A time, in UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def span(seconds: float) -> str:
    """A length of time, roughly."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 0.0):.0f} s"
