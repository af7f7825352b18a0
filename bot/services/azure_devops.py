"""Azure DevOps: pull requests, their statuses and threads, and branches, over REST 7.1.

One verb of ours is one call of theirs (or one per page). Every verb may be
repeated.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from bot.actions import State, ThreadStatus
from bot.errors import NotFound
from bot.facts import PullRequestHead
from bot.services.azure_client import Client, Method, Query
from bot.settings import Served

GENRE, NAME = "signalman", "validate"
THREAD_PROPERTY, REPORT = "signalman.thread", "report"
LONGEST_COMMENT = 150_000
"""Characters (https://github.com/runatlantis/atlantis/pull/1585)."""

_PAGE = 2000


@dataclass(frozen=True)
class Thread:
    """The bot's thread on a pull request: its id and what its comments say, the first being the report."""

    id: int
    comments: tuple[str, ...]


class AzureDevOps:
    """One served repository."""

    def __init__(self, served: Served, client: Client) -> None:
        self._served = served
        self._client = client
        project, repository = quote(served.project, safe=""), quote(served.repository, safe="")
        self._below = f"{project}/_apis/git/repositories/{repository}"

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

    def answers(self, number: int, thread: int, comment: int) -> list[str]:
        """What was said in answer to a comment of a thread. Raises NotFound when the thread is gone."""
        found = self._call("GET", f"pullRequests/{number}/threads/{thread}/comments")["value"]
        return [str(one.get("content") or "") for one in found if one.get("parentCommentId") == comment]

    def answer(self, number: int, thread: int, comment: int, body: str) -> None:
        """Answer a comment in its thread. Raises NotFound when the thread is gone."""
        self._call(
            "POST",
            f"pullRequests/{number}/threads/{thread}/comments",
            body={"content": body[:LONGEST_COMMENT], "parentCommentId": comment, "commentType": "text"},
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
            response = self._client.send("GET", f"{self._below}/refs", query)
            for ref in response.json()["value"]:
                yield _short(ref["name"]), ref["objectId"]
            following = response.headers.get("x-ms-continuationtoken")
            if not following:
                return
            query["continuationToken"] = following

    def _call(self, method: Method, path: str, query: Query | None = None, body: object = None) -> dict[str, Any]:
        return self._client.call(method, f"{self._below}/{path}", query, body)


def _short(ref: str) -> str:
    return ref.removeprefix("refs/heads/")


def _slug(name: str) -> str:
    local = name.split("\\")[-1].split("@")[0]
    return "".join(c if c.isalnum() or c in "_-" else "_" for c in local) or "someone"
