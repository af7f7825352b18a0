"""The stand-in's WSGI application: who is calling, which operation it is, what goes back.

Credentials that are missing or wrong get what the service gives: a sign-in page
with status 203 for GET and POST, 401 otherwise and wherever
`X-TFS-FedAuthRedirect: Suppress` is sent.
"""

import base64
import logging
import re
import secrets
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from urllib.parse import unquote

from werkzeug import Request, Response

from sandbox.azure_devops import git_http
from sandbox.azure_devops.calls import Answer, Call, Exchange, Route, Routes, match
from sandbox.azure_devops.faults import Fault, Faults
from sandbox.azure_devops.people import Person
from sandbox.azure_devops.refusal import FRAMEWORK, Refusal, unauthorized
from sandbox.azure_devops.state import World

Pages = Callable[[Request, Sequence[str]], Response]
SIGN_IN = """<!DOCTYPE html><html lang="en-US"><head><title>Azure DevOps Services | Sign In</title></head>
<body><p>Sign in to your account to continue.</p></body></html>"""  # noqa: E501 a table, or a text as it is sent
VERSION = re.compile(r"(\d+)\.(\d+)(-preview(\.\d+)?)?")
NEWEST = (7, 2)
log = logging.getLogger(__name__)


class Door:
    """Everything a request passes through. `latency` is added to every REST call, in seconds."""

    def __init__(
        self, world: World, tables: Sequence[Routes], pages: Pages, *, latency: float
    ) -> None:
        self.world, self.tables, self.pages, self.latency = world, tables, pages, latency
        self.faults = Faults()
        self.calls: list[Exchange] = []
        self.observers: list[Callable[[Exchange], None]] = []
        self.session = secrets.token_urlsafe(24)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """WSGI."""
        request = Request(environ)
        raw_path = str(environ.get("REQUEST_URI") or request.path).split("?", 1)[0]
        segments = [part for part in raw_path.split("/") if part]
        if "_apis" in segments:
            response = self._rest(request, raw_path, segments)
        elif request.path.endswith(git_http.SERVICES) and "_git" in segments:
            response = self._git(request, request.path)
        else:
            response = self.pages(request, [part for part in request.path.split("/") if part])
            response.set_cookie("signed-in", self.session, httponly=True, samesite="Strict")
        return response(environ, start_response)

    def _rest(self, request: Request, raw_path: str, segments: Sequence[str]) -> Response:
        if self.latency:
            time.sleep(self.latency)
        raw = request.get_data()
        who = self._caller(request)
        fault = self.faults.next_for(request.method, raw_path)
        try:
            if fault is not None and not fault.lose_answer:
                answer = _faulty(fault)
            elif who is None:
                answer = _sign_in(request)
            else:
                answer = self._carry_out(request, segments, who, raw)
        except Refusal as refusal:
            answer = Answer(refusal.body(), status=refusal.status)
        except Exception:
            log.exception("The stand-in failed on %s %s", request.method, raw_path)
            answer = Answer(
                Refusal(
                    500,
                    "VssServiceException",
                    "The stand-in failed; its log says how.",
                    area=FRAMEWORK,
                ).body(),
                status=500,
            )
        response = Response(answer.data(), answer.status, dict(answer.headers))
        response.headers["X-VSS-E2EID"] = response.headers["ActivityId"] = str(uuid.uuid4())
        if answer.body is not None:
            response.headers["Content-Type"] = answer.content_type
        else:
            response.headers.pop("Content-Type", None)
        if answer.status == 401:
            response.headers["WWW-Authenticate"] = f'Basic realm="{self.world.address}/", Bearer'
        self._observe(request, raw_path, raw, answer, response, who)
        if fault is not None and fault.lose_answer:
            raise ConnectionAbortedError("The answer is lost on purpose.")
        return response

    def _observe(
        self,
        request: Request,
        path: str,
        raw: bytes,
        answer: Answer,
        response: Response,
        who: Person | None,
    ) -> None:
        exchange = Exchange(
            request.method,
            path,
            request.args.to_dict(),
            dict(request.headers),
            raw,
            answer.status,
            dict(response.headers),
            answer.data(),
            who.name if who else None,
        )
        self.calls.append(exchange)
        for observer in list(self.observers):
            observer(exchange)

    def _caller(self, request: Request) -> Person | None:
        kind, _, value = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return self.world.people.with_token(value.strip())
        if kind.lower() == "basic":
            try:
                pair = base64.b64decode(value, validate=True).decode()
            except ValueError:
                return None
            return self.world.people.with_token(pair.partition(":")[2])
        # A browser that came by the pages may read what they show, such as attached images.
        if request.method == "GET" and secrets.compare_digest(
            request.cookies.get("signed-in", ""), self.session
        ):
            return self.world.people.system
        return None

    def _carry_out(
        self, request: Request, segments: Sequence[str], who: Person, raw: bytes
    ) -> Answer:
        position = segments.index("_apis")
        organization, *project = [unquote(part) for part in segments[:position]] or [""]
        if organization.lower() != self.world.organization.lower() or len(project) > 1:
            raise Refusal(
                404, "ServiceHostDoesNotExistException", "TF200019: There is no such organization."
            )
        route, path = match(self.tables, request.method, "/".join(segments[position + 1 :]))
        _check_version(request, route)
        self._check_place(route, project[0] if project else None, path.get("repositoryId"))
        _check_content_type(request, route, raw)
        query = request.args.to_dict() | {"accept": request.headers.get("Accept", "")}
        with self.world.lock:
            return route.handler(Call(self.world, who, path, query, raw))

    def _check_place(self, route: Route, project: str | None, repository: str | None) -> None:
        world = self.world
        if project is not None and project.lower() not in (world.project.lower(), world.project_id):
            raise Refusal(
                404,
                "ProjectDoesNotExistWithNameException",
                f"TF200016: The following project does not exist: {project}. Verify that the name "
                "of the project is correct and that the project exists on the specified Azure "
                "DevOps Server.",
                area="Microsoft.TeamFoundation.Core.WebApi",
            )
        if (route.scope, project is None) in (("organization", False), ("project", True)):
            raise Refusal(
                404,
                "VssResourceNotFoundException",
                "The resource is not at this level.",
                area=FRAMEWORK,
            )
        by_name = (
            project is not None
            and repository is not None
            and repository.lower() == world.repository.lower()
        )
        if repository is not None and not by_name and repository.lower() != world.repository_id:
            raise Refusal(
                404,
                "GitRepositoryNotFoundException",
                f"TF401019: The Git repository with name or identifier {repository} does not exist "
                "or you do not have permissions for the operation you are attempting.",
            )

    def _git(self, request: Request, path: str) -> Response:
        home, _, rest = path.lstrip("/").partition("/_git/")
        repository, _, service = rest.partition("/")
        organization, _, project = home.partition("/")
        world = self.world
        places = (
            world.project.lower(),
            world.project_id,
            "" if world.project == world.repository else None,
        )
        names = (world.repository.lower(), world.repository_id)
        who = self._caller(request)
        if who is None:
            headers = {"WWW-Authenticate": f'Bearer, Basic realm="{world.address}/"'}
            return Response("TF401444: Sign in to use git.", 401, headers)
        if organization.lower() != world.organization.lower() or project.lower() not in places:
            return Response("TF200016: The project does not exist.", 404)
        if repository.lower() not in names:
            return Response(f"TF401019: The Git repository {repository} does not exist.", 404)
        return git_http.serve(world, request, service, who)


def _faulty(fault: Fault) -> Answer:
    headers = {"Retry-After": f"{fault.retry_after:g}"} if fault.retry_after is not None else {}
    sentence = (
        "TF400733: The request has been canceled: Request was blocked due to exceeding usage of "
        "resource."
    )
    if fault.status != 429:
        sentence = "The service is unavailable."
    body = Refusal(fault.status, "VssServiceException", sentence, area=FRAMEWORK, event_id=0).body()
    return Answer(body, status=fault.status, headers=headers)


def _sign_in(request: Request) -> Answer:
    suppressed = request.headers.get("X-TFS-FedAuthRedirect", "").lower() == "suppress"
    if suppressed or request.method not in ("GET", "POST"):
        raise unauthorized()
    return Answer(SIGN_IN.encode(), status=203, content_type="text/html; charset=utf-8")


def _check_version(request: Request, route: Route) -> None:
    asked = request.args.get("api-version") or ""
    if not asked:
        found = re.search(r"api-version=([^;,\s]+)", request.headers.get("Accept", ""))
        asked = found.group(1) if found else ""
    if not asked:
        if request.method == "GET":
            return
        raise Refusal(
            400,
            "VssVersionNotSpecifiedException",
            f'No api-version was supplied for the "{request.method}" request. The version must be '
            "supplied either as "
            'part of the Accept header (e.g. "application/json; api-version=1.0") or as a query '
            "parameter "
            '(e.g. "?api-version=1.0").',
            area="Microsoft.VisualStudio.Services.WebApi",
            event_id=0,
        )
    version = VERSION.fullmatch(asked)
    if version is None or (int(version[1]), int(version[2])) > NEWEST:
        raise Refusal(
            400,
            "VssVersionOutOfRangeException",
            f"The requested REST API version of {asked} is out of range for this server.",
            area="Microsoft.VisualStudio.Services.WebApi",
            event_id=0,
        )
    if route.preview and not version[3]:
        raise Refusal(
            400,
            "VssInvalidPreviewVersionException",
            f'The requested version "{asked}" of the resource is under preview. The -preview flag '
            "must be supplied "
            f'in the api-version for such requests. For example: "{asked}-preview"',
            area="Microsoft.VisualStudio.Services.WebApi",
            event_id=0,
        )


def _check_content_type(request: Request, route: Route, raw: bytes) -> None:
    if raw and request.method in ("POST", "PUT", "PATCH") and request.mimetype != route.consumes:
        raise Refusal(
            415,
            "VssRequestContentTypeNotSupportedException",
            f'The request indicated a Content-Type of "{request.mimetype}" for method type '
            f'"{request.method}" which '
            f"is not supported. Valid content types for this method are: {route.consumes}.",
            area="Microsoft.VisualStudio.Services.WebApi",
            event_id=0,
        )
