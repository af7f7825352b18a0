"""The door: authenticate a webhook, read it, mark its subject due, answer.

It holds every value it needs, reads no environment and calls nobody: neither
Azure DevOps nor a registry. Azure DevOps disables a subscription that is answered
410 or, for long enough, 500; so neither is ever said
(https://learn.microsoft.com/azure/devops/service-hooks/troubleshoot).
"""

import json
import logging
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from bot import subjects
from bot.dashboard import pages
from bot.errors import RefusedHook
from bot.log import line
from bot.metrics import Metrics
from bot.queue import Queue, QueueError
from bot.subjects import Delivery
from bot.webhooks import Ignored, authentication, azure_devops, databricks, mlflow
from bot.webhooks.azure_devops import WatchedRepository

log = logging.getLogger(__name__)

LARGEST_BODY = 1024 * 1024
# 503 is what Azure DevOps sends again; it then follows its own times (reference: 1, 2, 4 … 60 s).
RETRY_AFTER = "5"

Reader = Callable[[Mapping[str, str], bytes], Delivery | Ignored]


@dataclass(frozen=True, slots=True)
class Door:
    """Everything the web process needs.

    Of each secret several values may be accepted at a time; a sender without any is
    always refused. `dashboard_credentials` guard all pages and the metrics;
    without any, whoever reaches the address may read them.
    """

    queue: Queue
    served: tuple[WatchedRepository, ...] = ()
    azure_devops_credentials: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    databricks_secrets: tuple[str, ...] = field(default=(), repr=False)
    mlflow_secrets: tuple[str, ...] = field(default=(), repr=False)
    dashboard_credentials: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    clock: Callable[[], float] = time.time

    def readers(self) -> dict[str, Reader]:
        """Who may knock, and how what they bring is read."""
        return {
            "azure-devops": partial(
                azure_devops.read, credentials=self.azure_devops_credentials, served=self.served
            ),
            "databricks": partial(databricks.read, secrets=self.databricks_secrets),
            "mlflow": lambda headers, body: mlflow.read(
                headers, body, secrets=self.mlflow_secrets, now=self.clock()
            ),
        }


def create_app(door: Door) -> Flask:
    """Make the web application (contract §5). It opens no connection until it is asked
    something.
    """
    app = Flask("bot", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY + 1
    metrics = Metrics(door.queue)
    _hear_webhooks(app, door, metrics)
    _tell_of_itself(app, door.queue, metrics)
    app.register_blueprint(pages.blueprint(door.queue, door.clock, door.served))
    _guard_pages(app, door.dashboard_credentials)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(QueueError, _no_queue)
    app.register_error_handler(Exception, _unexpected)
    app.after_request(_harden)
    return app


def _hear_webhooks(app: Flask, door: Door, metrics: Metrics) -> None:
    """A route for each sender, each answer counted."""
    readers = door.readers()
    for sender, read in readers.items():
        view = partial(_receive, sender, read, door.queue)
        app.add_url_rule(
            f"/webhooks/{sender}",
            sender,
            view,
            methods=["POST"],
            provide_automatic_options=False,
        )

    @app.after_request
    def count(response: Response) -> Response:
        if request.endpoint in readers:
            metrics.answered(request.endpoint, _named(response))
        return response


def _tell_of_itself(app: Flask, queue: Queue, metrics: Metrics) -> None:
    """The routes by which a platform asks whether the process is well."""

    @app.get("/healthz")
    def alive() -> Response:
        return _answer(200, status="alive")

    @app.get("/readyz")
    def ready() -> Response:
        if queue.writable():
            return _answer(200, status="ready")
        return _unavailable()

    @app.get("/metrics")
    def numbers() -> Response:
        return Response(metrics.text(), content_type="text/plain; version=0.0.4; charset=utf-8")


def _guard_pages(app: Flask, credentials: tuple[tuple[str, str], ...]) -> None:
    """Show the dashboard and the metrics only to whoever signs in, where credentials are set."""

    @app.before_request
    def guard() -> Response | None:
        page = request.blueprint == "dashboard" and request.endpoint != "dashboard.static"
        if not credentials or not (page or request.endpoint == "numbers"):
            return None
        if authentication.basic(dict(request.headers), credentials):
            return None
        return _refused()


def _receive(sender: str, read: Reader, queue: Queue) -> Response:
    body = _body()
    try:
        delivery = read(dict(request.headers), body)
    except RefusedHook as refused:
        log.warning(line("refused", sender=sender, reason=refused.reason))
        if refused.status == 401:
            return _refused()
        return _answer(400, status="refused", reason=refused.reason)
    if isinstance(delivery, Ignored):
        log.info(line("ignored", sender=sender, reason=delivery.reason))
        return _answer(200, status="ignored", reason=delivery.reason)
    subject = subjects.key(delivery.subject)
    fresh = queue.mark(delivery)
    about = {"sender": sender, "subject": subject, "delivery": delivery.key}
    if not fresh:
        log.info(line("duplicate", **about))
        return _answer(200, status="duplicate", reason="This delivery was accepted before.")
    log.info(line("accepted", **about))
    return _answer(202, status="accepted", delivery=delivery.key, subject=subject)


def _body() -> bytes:
    # Of a chunked body, which tells no length, werkzeug silently keeps what MAX_CONTENT_LENGTH
    # allows (werkzeug/wsgi.py, LimitedStream.readall); one byte more than we take tells that it was
    # too long.
    if (request.content_length or 0) > LARGEST_BODY:
        raise RequestEntityTooLarge
    body = request.get_data(cache=False)
    if len(body) > LARGEST_BODY:
        raise RequestEntityTooLarge
    return body


def _named(response: Response) -> str:
    """An answer in one word, as the metrics count it."""
    words = {
        202: "accepted",
        400: "unreadable",
        401: "unauthorized",
        413: "too large",
        503: "unavailable",
    }
    return words.get(response.status_code) or str(json.loads(response.get_data())["status"])


def _answer(code: int, **content: str) -> Response:
    return Response(json.dumps(content), code, content_type="application/json")


def _unavailable() -> Response:
    response = _answer(
        503, status="unavailable", reason="The work queue cannot be reached; nothing was stored."
    )
    response.headers["Retry-After"] = RETRY_AFTER
    return response


def _refused() -> Response:
    # Empty, and the same for a wrong name and a wrong password: who asks learns nothing. The log
    # has the reason.
    response = Response(b"", 401)
    response.headers["WWW-Authenticate"] = 'Basic realm="signalman", charset="UTF-8"'
    return response


def _http_error(error: HTTPException) -> Response:
    code = error.code or 503
    if code >= 500:
        return _unavailable()
    return _answer(code, status="refused", reason=f"{error.name}.")


def _no_queue(error: QueueError) -> Response:
    log.error(line("unavailable", path=request.path, reason=str(error)))
    return _unavailable()


def _unexpected(error: Exception) -> Response:
    # The places, not the message: it might quote the body.
    places = "".join(traceback.format_tb(error.__traceback__))
    log.error(line("unexpected", path=request.path, error=type(error).__name__, trace=places))
    return _unavailable()


def _harden(response: Response) -> Response:
    response.headers.setdefault(
        "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    return response
