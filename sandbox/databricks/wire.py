"""What goes over the wire: a call that came in, an answer, a refusal, and the record of both.

Knows HTTP and the envelope of Databricks' errors, and nothing of what is asked.
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

JSON = "application/json; charset=utf-8"
KEPT = 256 * 1024


@dataclass(frozen=True)
class Call:
    """One request, read whole. `uploads` are the parts of a multipart form that are files."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    user: str = ""
    form: Mapping[str, str] = field(default_factory=dict)
    uploads: Mapping[str, bytes] = field(default_factory=dict)
    query_string: str = ""

    def json(self) -> dict[str, Any]:
        """The body as an object; an empty body is an empty object."""
        if not self.body.strip():
            return {}
        try:
            found = json.loads(self.body)
        except ValueError as error:
            raise Refusal(
                400, "MALFORMED_REQUEST", f"Could not parse request object: {error}"
            ) from None
        if not isinstance(found, dict):
            raise Refusal(
                400, "MALFORMED_REQUEST", "Could not parse request object: Expected an object."
            )
        return found

    def asked(self) -> dict[str, Any]:
        """What is asked for, from query and body together: databricks-cli sends some of a GET in
        its body.
        """
        return {**self.query, **self.json()}


@dataclass(frozen=True)
class Answer:
    """An answer that is not simply a JSON object with status 200."""

    body: bytes | Iterable[bytes]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = JSON


Handler = Callable[[Call], dict[str, Any] | Answer]


class Refusal(Exception):
    """An error as Databricks answers it: `{"error_code": …, "message": …}`.

    `code` is left out of the body when it is None, as some older endpoints do.
    """

    def __init__(
        self,
        status: int,
        code: str | int | None,
        message: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}

    def answer(self) -> Answer:
        """The refusal as it is sent."""
        body: dict[str, Any] = {} if self.code is None else {"error_code": self.code}
        return Answer(
            json.dumps({**body, "message": self.message}).encode(), self.status, self.headers
        )


@dataclass(frozen=True)
class Exchange:
    """One call and what was answered.

    `request` and `response` are JSON values where they were JSON, else None;
    `sent` and `answered` are the bodies as they were, a form's files joined;
    of bodies larger than `KEPT` only the beginning.
    """

    method: str
    path: str
    query: Mapping[str, str]
    user: str
    request: Any
    status: int
    response: Any
    seconds: float
    sent: bytes = b""
    answered: bytes = b""
    at: float = field(default_factory=time.time)


def missing(name: str) -> Refusal:
    """The refusal of a call that lacks a required field."""
    return Refusal(400, "INVALID_PARAMETER_VALUE", f"Missing required field: {name}")


def now() -> int:
    """This moment as Databricks writes it: milliseconds since 1970."""
    return int(time.time() * 1000)
