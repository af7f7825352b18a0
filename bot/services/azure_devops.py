"""Azure DevOps: pull requests, their statuses and threads, and branches, over REST 7.1.

One verb of ours is one call of theirs (or one per page). Every verb may be
repeated. Only the configured organisation is ever called, with a time limit and
without following redirects.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

import requests

from bot.actions import State, ThreadStatus
from bot.errors import NotFound, ServiceError
from bot.facts import PullRequestHead
from bot.settings import Secrets, Served

GENRE, NAME = "signalman", "validate"
THREAD_PROPERTY, REPORT = "signalman.thread", "report"
LONGEST_COMMENT = 150_000
"""Characters (https://github.com/runatlantis/atlantis/pull/1585)."""

# Throttled calls are held back for up to 30 seconds before they are answered with 200
# (https://learn.microsoft.com/azure/devops/integrate/concepts/rate-limits), so the limit is above that.
_TIMEOUT = (5.0, 40.0)
_PAGE = 2000

Method = Literal["GET", "POST", "PATCH"]


@dataclass(frozen=True)
class Thread:
    """The bot's thread on a pull request: its id and what its comments say, the first being the report."""

    id: int
    comments: tuple[str, ...]


class AzureDevOps:
    """One served repository."""

    def __init__(self, served: Served, tokens: Secrets) -> None:
        self._served = served
        self._tokens = tokens
        self._token = 0
        self._rest_until = 0.0
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.update(
            # Asks for a 401 instead of the HTML sign-in page, as Microsoft's own Python client does.
            {"Accept": "application/json", "X-TFS-FedAuthRedirect": "Suppress", "User-Agent": "signalman"}
        )

    @property
    def key(self) -> str:
        """The repository's name among the subjects: organization/project/repository."""
        return self._served.key

    def page(self, number: int) -> str:
        """Where people read a pull request."""
        return f"{self._served.url}/pullrequest/{number}"

    def pull_request(self, number: int) -> PullRequestHead:
        """A pull request and its newest iteration, two calls. Raises NotFound."""
        body = self._call("GET", f"pullrequests/{number}")
        iterations = self._call("GET", f"pullRequests/{number}/iterations")["value"]
        newest = max(iterations, key=lambda one: int(one["id"]), default=None)
        commit = newest["sourceRefCommit"]["commitId"] if newest else body["lastMergeSourceCommit"]["commitId"]
        author = body.get("createdBy") or {}
        return PullRequestHead(
            number=number,
            title=str(body.get("title") or ""),
            url=self.page(number),
            open=body["status"] == "active",
            fork=bool(body.get("forkSource")),
            source=_short(body["sourceRefName"]),
            target=_short(body["targetRefName"]),
            author=_slug(str(author.get("uniqueName") or author.get("displayName") or "")),
            commit=str(commit),
            iteration=int(newest["id"]) if newest else 0,
            merged=body["status"] == "completed",
        )

    def changed(self, number: int, iteration: int) -> tuple[str, ...]:
        """Every path that a pull request changes against its merge base, both names of a renamed file; all pages."""
        found: dict[str, None] = {}
        skip = 0
        while True:
            page = self._call(
                "GET",
                f"pullRequests/{number}/iterations/{iteration}/changes",
                {"$compareTo": 0, "$top": _PAGE, "$skip": skip},
            )
            for entry in page.get("changeEntries") or ():
                names = (
                    entry.get("originalPath"),
                    entry.get("sourceServerItem"),
                    (entry.get("item") or {}).get("path"),
                )
                found.update((name.lstrip("/"), None) for name in names if isinstance(name, str))
            skip = int(page.get("nextSkip") or 0)
            if not skip:
                return tuple(found)

    def verdict(self, number: int, iteration: int) -> State | None:
        """The newest state of `signalman/validate` on an iteration; None when there is none."""
        found: Any = None
        for status in self._call("GET", f"pullRequests/{number}/statuses")["value"]:
            context = status.get("context") or {}
            ours = (context.get("genre"), context.get("name")) == (GENRE, NAME)
            newer = found is None or int(status.get("id") or 0) > int(found.get("id") or 0)
            if ours and status.get("iterationId") == iteration and newer:
                found = status
        return found["state"] if found else None

    def set_status(self, number: int, iteration: int, state: State, description: str, target_url: str) -> None:
        """Post the status on an iteration. Posting it again replaces it: only the newest of a context counts."""
        body: dict[str, Any] = {
            "state": state,
            "description": description,
            "context": {"genre": GENRE, "name": NAME},
            "iterationId": iteration,
        }
        if target_url:
            body["targetUrl"] = target_url
        self._call("POST", f"pullRequests/{number}/statuses", body=body)

    def thread(self, number: int) -> Thread | None:
        """The bot's report thread, found by its property; None when there is none or somebody deleted it."""
        for thread in self._call("GET", f"pullRequests/{number}/threads")["value"]:
            mark = (thread.get("properties") or {}).get(THREAD_PROPERTY)
            value = mark.get("$value") if isinstance(mark, dict) else mark
            comments = thread.get("comments") or []
            first_gone = not comments or comments[0].get("isDeleted")
            if value == REPORT and not thread.get("isDeleted") and not first_gone:
                return Thread(int(thread["id"]), tuple(str(one.get("content") or "") for one in comments))
        return None

    def open_thread(self, number: int, body: str, status: ThreadStatus | None) -> int:
        """Write the report for the first time; its thread carries the property it is found by. Gives its id."""
        thread: dict[str, Any] = {
            "comments": [{"parentCommentId": 0, "content": body[:LONGEST_COMMENT], "commentType": "text"}],
            "properties": {
                THREAD_PROPERTY: {"$type": "System.String", "$value": REPORT},
                "Microsoft.TeamFoundation.Discussion.SupportsMarkdown": {"$type": "System.Int32", "$value": 1},
            },
        }
        if status is not None:
            thread["status"] = status
        return int(self._call("POST", f"pullRequests/{number}/threads", body=thread)["id"])

    def edit_report(self, number: int, thread: int, body: str) -> None:
        """Replace what the report says. Raises NotFound when the thread is gone."""
        self._call(
            "PATCH", f"pullRequests/{number}/threads/{thread}/comments/1", body={"content": body[:LONGEST_COMMENT]}
        )

    def set_thread_status(self, number: int, thread: int, status: ThreadStatus) -> None:
        """Open or resolve the thread."""
        self._call("PATCH", f"pullRequests/{number}/threads/{thread}", body={"status": status})

    def reply(self, number: int, thread: int, body: str) -> None:
        """Add a comment below the report."""
        self._call(
            "POST",
            f"pullRequests/{number}/threads/{thread}/comments",
            body={"content": body[:LONGEST_COMMENT], "parentCommentId": 1, "commentType": "text"},
        )

    def active(self, target: str, source: str = "") -> list[int]:
        """The numbers of all open pull requests to a branch, from any or from one; all pages."""
        wanted = {"searchCriteria.sourceRefName": f"refs/heads/{source}"} if source else {}
        found: list[int] = []
        while True:
            page = self._call(
                "GET",
                "pullrequests",
                {
                    "searchCriteria.status": "active",
                    "searchCriteria.targetRefName": f"refs/heads/{target}",
                    **wanted,
                    "$top": 100,
                    "$skip": len(found),
                },
            )["value"]
            found += [int(one["pullRequestId"]) for one in page]
            if len(page) < 100:
                return found

    def merged_as(self, commits: Sequence[str]) -> dict[str, int]:
        """The pull requests whose completion made some commits, by commit; one call. A direct push has none."""
        body = {"queries": [{"type": "lastMergeCommit", "items": list(commits)}]}
        found: dict[str, int] = {}
        for result in self._call("POST", "pullrequestquery", body=body).get("results") or ():
            for commit in commits:
                for pull_request in result.get(commit) or ():
                    if pull_request.get("status") == "completed":
                        found[commit] = int(pull_request["pullRequestId"])
        return found

    def branches(self, start: str = "") -> dict[str, str]:
        """Branches whose name begins so (all by default) and the commits they are at; all pages."""
        return dict(self._refs(f"heads/{start}"))

    def tip(self, branch: str) -> str:
        """The commit a branch is at. Raises NotFound."""
        found = self.branches(branch).get(branch)
        if found is None:
            raise NotFound("Azure DevOps", f"{self.key} has no branch {branch}.")
        return found

    def _refs(self, start: str) -> Iterator[tuple[str, str]]:
        query: dict[str, str | int] = {"filter": start}
        while True:
            response = self._send("GET", "refs", query, None)
            for ref in response.json()["value"]:
                yield _short(ref["name"]), ref["objectId"]
            following = response.headers.get("x-ms-continuationtoken")
            if not following:
                return
            query["continuationToken"] = following

    def _call(
        self, method: Method, path: str, query: Mapping[str, str | int] | None = None, body: object = None
    ) -> dict[str, Any]:
        answer = self._send(method, path, query or {}, body).json()
        if not isinstance(answer, dict):
            raise ServiceError("Azure DevOps", f"Azure DevOps answered {method} {path} with something else than asked.")
        return answer

    def _send(self, method: Method, path: str, query: Mapping[str, str | int], body: object) -> requests.Response:
        served = self._served
        # %20, not +: Azure DevOps does not read the latter as a space.
        project, repository = quote(served.project, safe=""), quote(served.repository, safe="")
        url = f"{served.organization_url}/{project}/_apis/git/repositories/{repository}/{path}"
        parameters = "&".join(f"{quote(k, safe='$.')}={quote(str(v), safe='')}" for k, v in query.items())
        rest = self._rest_until - time.monotonic()
        if rest > 0:
            raise ServiceError("Azure DevOps", f"Azure DevOps asked for a pause of {rest:.0f} s.", retry_after=rest)
        for _ in self._tokens:
            response = self._once(method, f"{url}?api-version=7.1{'&' if parameters else ''}{parameters}", body)
            if not _signed_out(response):
                break
            self._token = (self._token + 1) % len(self._tokens)
        # Asked for also where the call was carried out: the next one would be held back, and then refused
        # (https://learn.microsoft.com/azure/devops/integrate/concepts/rate-limits).
        self._rest_until = time.monotonic() + (_retry_after(response) or 0.0)
        _raise(response, method, path)
        return response

    def _once(self, method: Method, url: str, body: object) -> requests.Response:
        # requests' own basic authentication would encode a non-ASCII token as Latin-1.
        try:
            return self._session.request(
                method,
                url,
                data=None if body is None else json.dumps(body).encode(),
                headers={} if body is None else {"Content-Type": "application/json"},
                auth=requests.auth.HTTPBasicAuth(b"", self._tokens[self._token].get_secret_value().encode()),
                timeout=_TIMEOUT,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise ServiceError(
                "Azure DevOps", f"Azure DevOps could not be reached: {type(error).__name__}. I will try again."
            ) from error


def _signed_out(response: requests.Response) -> bool:
    html = "json" not in response.headers.get("Content-Type", "") and bool(response.content)
    return response.status_code in (203, 302, 401) or (response.ok and html)


def _raise(response: requests.Response, method: str, path: str) -> None:
    status = response.status_code
    if _signed_out(response):
        raise ServiceError(
            "Azure DevOps",
            f"Azure DevOps does not accept the bot's token ({status}, its sign-in page). It has expired, was revoked "
            "or belongs to another organisation: make a new one and set AZURE_DEVOPS_TOKEN.",
            status=status,
        )
    if response.ok:
        return
    told = _message(response)
    if status == 404:
        raise NotFound("Azure DevOps", f"Azure DevOps does not have {path}: {told}", status=404)
    raise ServiceError(
        "Azure DevOps",
        f"Azure DevOps answered {method} {path} with {status}: {told}",
        status=status,
        retry_after=_retry_after(response),
    )


def _message(response: requests.Response) -> str:
    try:
        body = response.json()
    except ValueError:
        return response.reason or "no reason given"
    nested = body.get("value") if isinstance(body, dict) else None
    told = (body.get("message") if isinstance(body, dict) else None) or (
        nested.get("Message") if isinstance(nested, dict) else None
    )
    return " ".join(str(told or response.reason).split())[:300]


def _retry_after(response: requests.Response) -> float | None:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.replace(".", "", 1).isdigit() else None


def _short(ref: str) -> str:
    return ref.removeprefix("refs/heads/")


def _slug(name: str) -> str:
    local = name.split("\\")[-1].split("@")[0]
    return "".join(c if c.isalnum() or c in "_-" else "_" for c in local) or "someone"
