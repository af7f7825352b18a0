"""One REST call and its answer, and the table of operations they are matched against."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from sandbox.azure_devops.people import Person
from sandbox.azure_devops.refusal import FRAMEWORK, Refusal, invalid
from sandbox.azure_devops.state import PullRequest, World


@dataclass(frozen=True)
class Exchange:
    """A REST request and what was answered, for observers. `by` is the caller's display name, if
    known.
    """

    method: str
    path: str
    query: Mapping[str, str]
    request_headers: Mapping[str, str]
    request_body: bytes
    status: int
    response_headers: Mapping[str, str]
    response_body: bytes
    by: str | None = None


@dataclass(frozen=True)
class Answer:
    """What an operation answers: a JSON value, or bytes with their content type."""

    body: Any = None
    status: int = 200
    content_type: str = "application/json; charset=utf-8; api-version=7.1"
    headers: Mapping[str, str] = field(default_factory=dict)

    def data(self) -> bytes:
        """The bytes that go over the wire."""
        if self.body is None:
            return b""
        return (
            self.body
            if isinstance(self.body, bytes)
            else json.dumps(self.body, ensure_ascii=False).encode()
        )


@dataclass(frozen=True)
class Call:
    """A call that has been authenticated and matched."""

    world: World
    person: Person
    path: Mapping[str, str]
    query: Mapping[str, str]
    raw: bytes

    def json(self) -> Any:
        """The body as JSON; 400 when it is none."""
        try:
            return json.loads(self.raw)
        except ValueError:
            raise invalid("body", "The request body is not JSON.") from None

    def object(self) -> dict[str, Any]:
        """The body as a JSON object; 400 when it is something else."""
        value = self.json()
        if not isinstance(value, dict):
            raise invalid("body", "The request body is not a JSON object.")
        return value

    def number(self, name: str) -> int:
        """A number out of the path; 400 when it is none."""
        return _number(name, self.path[name])

    def asked(self, *names: str) -> str | None:
        """A query parameter under the first of its names that is there, names in any case."""
        lower = {name.lower(): value for name, value in self.query.items()}
        return next(
            (lower[name.lower()] for name in names if lower.get(name.lower()) not in (None, "")),
            None,
        )

    def asked_number(self, *names: str, default: int) -> int:
        """A number in the query, or the default."""
        given = self.asked(*names)
        return default if given is None else _number(names[0], given)

    def asked_yes(self, *names: str) -> bool:
        """Whether a flag in the query is set."""
        return (self.asked(*names) or "").lower() == "true"

    @property
    def pull_request(self) -> PullRequest:
        """The pull request the path names; 404 when there is none."""
        return self.world.pull_request(self.number("pullRequestId"))


JSON, JSON_PATCH, BYTES = (
    "application/json",
    "application/json-patch+json",
    "application/octet-stream",
)
Handler = Callable[[Call], Answer]


def listed(values: Sequence[Any], **headers: str) -> Answer:
    """A collection as the service wraps it, with its count."""
    return Answer(
        {"value": list(values), "count": len(values)},
        headers={k.replace("_", "-"): v for k, v in headers.items()},
    )


@dataclass(frozen=True)
class Route:
    """One operation: method, path after `_apis/`, and what it needs."""

    method: str
    pattern: re.Pattern[str]
    handler: Handler
    preview: bool
    scope: str
    consumes: str


class Routes:
    """A table of operations; each `api_…` module fills one."""

    def __init__(self) -> None:
        self.table: list[Route] = []

    def __call__(
        self,
        method: str,
        path: str,
        *,
        preview: bool = False,
        scope: str = "either",
        consumes: str = JSON,
    ) -> Callable[[Handler], Handler]:
        """Register an operation. `{name}` stands for a segment, `scope` for organization, project
        or either.
        """
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)

        def register(handler: Handler) -> Handler:
            self.table.append(
                Route(method, re.compile(pattern, re.IGNORECASE), handler, preview, scope, consumes)
            )
            return handler

        return register


def match(tables: Sequence[Routes], method: str, path: str) -> tuple[Route, dict[str, str]]:
    """The operation for a path (still percent-encoded) and its parameters; 404 or 405 when there is
    none.
    """
    allowed = set()
    for table in tables:
        for route in table.table:
            if found := route.pattern.fullmatch(path):
                if route.method == method:
                    return route, {
                        name: unquote(value) for name, value in found.groupdict().items()
                    }
                allowed.add(route.method)
    if allowed:
        raise Refusal(
            405,
            "VssServiceException",
            f"The requested resource does not support http method '{method}'.",
            area=FRAMEWORK,
            event_id=0,
        )
    raise Refusal(
        404,
        "VssResourceNotFoundException",
        f"API resource location for '{path}' is not registered on this server (the stand-in has no "
        "such operation).",
        area=FRAMEWORK,
        event_id=0,
    )


def _number(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise invalid(name, f"'{text}' is not a number.") from None
