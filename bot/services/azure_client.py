"""How Azure DevOps is spoken to: REST 7.1, a token, a time limit, and the pauses that it asks for.

Only the configured organisation is ever called, and no redirect is followed.
"""

import json
import time
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import quote

import requests

from bot.config.environment import Secrets
from bot.errors import NotFound, ServiceError

# Throttled calls are held back for up to 30 seconds before they are answered with 200
# (https://learn.microsoft.com/azure/devops/integrate/concepts/rate-limits), so the limit is above
# that.
_TIMEOUT = (5.0, 40.0)

Method = Literal["GET", "POST", "PATCH", "DELETE"]
Query = Mapping[str, str | int]
Json = Mapping[str, Any]
"""A JSON object, as Azure DevOps tells it."""


class Client:
    """One organisation, called with the first of some tokens that it accepts. May be shared by
    threads.
    """

    def __init__(self, organization_url: str, tokens: Secrets) -> None:
        self._organization_url = organization_url
        self._tokens = tokens
        self._token = 0
        self._rest_until = 0.0
        self._me = ""
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.update(
            # Asks for a 401 instead of the HTML sign-in page, as Microsoft's own Python client
            # does.
            {
                "Accept": "application/json",
                "X-TFS-FedAuthRedirect": "Suppress",
                "User-Agent": "signalman",
            }
        )

    def me(self) -> str:
        """The identity id of whoever the token belongs to, asked for once."""
        if not self._me:
            # The Location service has it under preview only.
            connection = self.call("GET", "_apis/connectionData", version="7.1-preview.1")
            self._me = str(connection["authenticatedUser"]["id"])
        return self._me

    def call(
        self,
        method: Method,
        path: str,
        query: Query | None = None,
        body: object = None,
        version: str = "7.1",
    ) -> dict[str, Any]:
        """The JSON object that a path below the organisation answers. Raises NotFound and
        ServiceError.
        """
        answer = self.send(method, path, query, body, version).json()
        if not isinstance(answer, dict):
            raise ServiceError(
                "Azure DevOps",
                f"Azure DevOps answered {method} {path} with something else than asked.",
            )
        return answer

    def send(
        self,
        method: Method,
        path: str,
        query: Query | None = None,
        body: object = None,
        version: str = "7.1",
    ) -> requests.Response:
        """The whole answer, for who needs its headers. Bytes are sent as they are. Raises what
        `call` raises.
        """
        # %20, not +: Azure DevOps does not read the latter as a space.
        url = f"{self._organization_url}/{path}?api-version={version}"
        for name, value in (query or {}).items():
            url += f"&{quote(name, safe='$.')}={quote(str(value), safe='')}"
        rest = self._rest_until - time.monotonic()
        if rest > 0:
            raise ServiceError(
                "Azure DevOps", f"Azure DevOps asked for a pause of {rest:.0f} s.", retry_after=rest
            )
        for _ in self._tokens:
            response = self._once(method, url, body)
            if not _signed_out(response):
                break
            self._token = (self._token + 1) % len(self._tokens)
        # Asked for also where the call was carried out: the next one would be held back, and then
        # refused (https://learn.microsoft.com/azure/devops/integrate/concepts/rate-limits).
        self._rest_until = max(self._rest_until, time.monotonic() + (_retry_after(response) or 0.0))
        _raise(response, method, path.rpartition("_apis/git/repositories/")[2])
        return response

    def _once(self, method: Method, url: str, body: object) -> requests.Response:
        headers = {}
        content = None
        if isinstance(body, bytes):
            headers = {"Content-Type": "application/octet-stream"}
            content = body
        elif body is not None:
            headers = {"Content-Type": "application/json"}
            content = json.dumps(body).encode()
        # requests' own basic authentication would encode a non-ASCII token as Latin-1.
        token = self._tokens[self._token].get_secret_value().encode()
        try:
            return self._session.request(
                method,
                url,
                data=content,
                headers=headers,
                auth=requests.auth.HTTPBasicAuth(b"", token),
                timeout=_TIMEOUT,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise ServiceError(
                "Azure DevOps",
                f"Azure DevOps could not be reached: {type(error).__name__}. I will try again.",
            ) from error


def _signed_out(response: requests.Response) -> bool:
    html = "json" not in response.headers.get("Content-Type", "") and bool(response.content)
    return response.status_code in (203, 302, 401) or (response.ok and html)


def _raise(response: requests.Response, method: str, path: str) -> None:
    status = response.status_code
    if _signed_out(response):
        raise ServiceError(
            "Azure DevOps",
            f"Azure DevOps does not accept the bot's token ({status}, its sign-in page). It has "
            "expired, was revoked or belongs to another organisation: make a new one and set "
            "AZURE_DEVOPS_TOKEN.",
            status=status,
        )
    if response.ok:
        return
    message = _message(response)
    if status == 404:
        raise NotFound("Azure DevOps", f"Azure DevOps does not have {path}: {message}", status=404)
    raise ServiceError(
        "Azure DevOps",
        f"Azure DevOps answered {method} {path} with {status}: {message}",
        status=status,
        retry_after=_retry_after(response),
    )


def _message(response: requests.Response) -> str:
    try:
        body = response.json()
    except ValueError:
        return response.reason or "no reason given"
    message = None
    if isinstance(body, dict):
        message = body.get("message")
        nested = body.get("value")
        if not message and isinstance(nested, dict):
            message = nested.get("Message")
    return " ".join(str(message or response.reason).split())[:300]


def _retry_after(response: requests.Response) -> float | None:
    value = response.headers.get("Retry-After", "")
    if value.replace(".", "", 1).isdigit():
        return float(value)
    return None
