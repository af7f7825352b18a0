"""Azure DevOps: pull requests, their statuses and threads, and branches, over REST 7.1.

One verb of ours is one call of theirs (or one per page). Every verb may be
repeated.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from bot.actions import State
from bot.config.deployment import ThreadStatus
from bot.config.environment import ServedRepository
from bot.errors import NotFound, ServiceError
from bot.facts.discussion import COMMAND, Comment, Discussion, Double, Report
from bot.facts.pull_request import VALIDATE, Check, PullRequestHead
from bot.services.azure_client import Client, Json, Method, Query

GENRE = "signalman"
THREAD_PROPERTY, REPORT = "signalman.thread", "report"
LONGEST_COMMENT = 150_000
"""Characters (https://github.com/runatlantis/atlantis/pull/1585)."""

_PAGE = 2000
_MEMBERS = 100
_ACTIVE = 100


class AzureDevOps:
    """One served repository."""

    def __init__(self, served: ServedRepository, client: Client) -> None:
        self._served = served
        self._client = client
        project = quote(served.project, safe="")
        repository = quote(served.repository, safe="")
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
        iterations.sort(key=lambda entry: int(entry["id"]))
        commits = [str(iteration["sourceRefCommit"]["commitId"]) for iteration in iterations]
        newest = 0
        pushed = None
        if iterations:
            commit = commits[-1]
            newest = int(iterations[-1]["id"])
            pushed = _moment(iterations[-1].get("createdDate"))
        else:
            commit = str(body["lastMergeSourceCommit"]["commitId"])
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
            commit=commit,
            iteration=newest,
            commits=tuple(commits),
            pushed=pushed,
            merge_commit=_landed(body),
            merged=body["status"] == "completed",
            author_id=str(author.get("id") or ""),
        )

    def changed(self, number: int, iteration: int) -> tuple[str, ...]:
        """Every path that a pull request changes against its merge base, both names of a renamed
        file; all pages.
        """
        paths: dict[str, None] = {}
        skip = 0
        while True:
            page = self._call(
                "GET",
                f"pullRequests/{number}/iterations/{iteration}/changes",
                {"$compareTo": 0, "$top": _PAGE, "$skip": skip},
            )
            for entry in page.get("changeEntries") or ():
                paths.update(dict.fromkeys(_paths(entry)))
            skip = int(page.get("nextSkip") or 0)
            if not skip:
                return tuple(paths)

    def checks(self, number: int) -> list[Check]:
        """The newest status of each name, iteration and identity that posted it, in the bot's
        genre; one call.
        """
        newest: dict[tuple[str, int, str], Json] = {}
        for status in self._call("GET", f"pullRequests/{number}/statuses")["value"]:
            context = status.get("context") or {}
            if context.get("genre") != GENRE or not status.get("iterationId"):
                continue
            by = str((status.get("createdBy") or {}).get("id") or "")
            about = (str(context["name"]), int(status["iterationId"]), by)
            if about not in newest or _order(newest[about]) < _order(status):
                newest[about] = status
        return [_check(*about, status) for about, status in newest.items()]

    def set_status(
        self,
        number: int,
        iteration: int,
        state: State,
        description: str,
        target_url: str,
        name: str = VALIDATE,
    ) -> None:
        """Post a status on an iteration. Posting it again replaces it: only the newest of a context
        counts.
        """
        body: dict[str, Any] = {
            "state": state,
            "description": description,
            "context": {"genre": GENRE, "name": name},
            "iterationId": iteration,
        }
        if target_url:
            body["targetUrl"] = target_url
        self._call("POST", f"pullRequests/{number}/statuses", body=body)

    def thread(self, number: int) -> Report | None:
        """The bot's report thread, found by its property; None when there is none or somebody
        deleted it.
        """
        for thread in self._call("GET", f"pullRequests/{number}/threads")["value"]:
            if _is_report(thread):
                return _report(thread)
        return None

    def me(self) -> str:
        """The bot's own identity id; one call in the life of the process."""
        return self._client.me()

    def discussion(self, number: int) -> Discussion:
        """The bot's report and every thread that holds a command or an answer to one, one call.

        A thread of somebody else's that carries the report's property is not the report.
        """
        me = self.me()
        report: Report | None = None
        doubles: list[Double] = []
        comments: list[Comment] = []
        for thread in self._call("GET", f"pullRequests/{number}/threads")["value"]:
            inside = thread.get("comments") or []
            if _is_report(thread) and _author(inside[0]) == me:
                if report is None:
                    report = _report(thread)
                else:
                    doubles.append(_double(thread, me))
            if any(_concerns_a_command(entry, me) for entry in inside):
                comments += [
                    _comment(int(thread["id"]), comment, first=position == 0)
                    for position, comment in enumerate(inside)
                ]
        return Discussion(me, report, tuple(doubles), tuple(comments))

    def comment(self, number: int, body: str) -> int:
        """Open a thread that says this, and give its id. Not to be repeated: each time it is a new
        one.
        """
        first = {"parentCommentId": 0, "content": body[:LONGEST_COMMENT], "commentType": "text"}
        thread = {"comments": [first], "status": "active"}
        return int(self._call("POST", f"pullRequests/{number}/threads", body=thread)["id"])

    def answer(self, number: int, thread: int, comment: int, body: str) -> None:
        """Answer a comment, in its thread. Raises NotFound when the thread is gone."""
        self._call(
            "POST",
            f"pullRequests/{number}/threads/{thread}/comments",
            body={
                "content": body[:LONGEST_COMMENT],
                "parentCommentId": comment,
                "commentType": "text",
            },
        )

    def like(self, number: int, thread: int, comment: int) -> None:
        """Like a comment; twice is once. Raises NotFound when it is gone."""
        self._client.send(
            "POST", f"{self._below}/pullRequests/{number}/threads/{thread}/comments/{comment}/likes"
        )

    def members(self, team: str) -> frozenset[str]:
        """The identity ids of a team of the served project, by its name; all pages. Raises
        NotFound.

        A group that is a member stays a group: who is in it is not told
        (https://learn.microsoft.com/rest/api/azure/devops/core/teams/get-team-members-with-extended-properties).
        """
        project = quote(self._served.project, safe="")
        path = f"_apis/projects/{project}/teams/{quote(team, safe='')}/members"
        members: set[str] = set()
        skip = 0
        while True:
            page = self._client.call("GET", path, {"$top": _MEMBERS, "$skip": skip})["value"]
            members.update(str(entry["identity"]["id"]) for entry in page)
            skip += len(page)
            if len(page) < _MEMBERS:
                return frozenset(members)

    def open_thread(self, number: int, body: str, status: ThreadStatus) -> int:
        """Write the report for the first time; its thread carries the property it is found by.
        Gives its id.
        """
        first = {"parentCommentId": 0, "content": body[:LONGEST_COMMENT], "commentType": "text"}
        thread = {
            "status": status,
            "comments": [first],
            "properties": {
                THREAD_PROPERTY: {"$type": "System.String", "$value": REPORT},
                "Microsoft.TeamFoundation.Discussion.SupportsMarkdown": {
                    "$type": "System.Int32",
                    "$value": 1,
                },
            },
        }
        return int(self._call("POST", f"pullRequests/{number}/threads", body=thread)["id"])

    def edit_report(self, number: int, thread: int, body: str) -> None:
        """Replace what the report says. Raises NotFound when the thread is gone."""
        self._call(
            "PATCH",
            f"pullRequests/{number}/threads/{thread}/comments/1",
            body={"content": body[:LONGEST_COMMENT]},
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

    def delete_comment(self, number: int, thread: int, comment: int) -> None:
        """Take back a comment of the bot's own. Raises NotFound when its thread is gone."""
        self._client.send(
            "DELETE", f"{self._below}/pullRequests/{number}/threads/{thread}/comments/{comment}"
        )

    def attach(self, number: int, name: str, content: bytes) -> str:
        """Attach a file to a pull request, and give the address that an image in a comment names.

        One call. A name that is taken already (what the service answers then is not documented) is
        that of the file that was attached before the pass was cut off: its address is found in a
        second.
        """
        path = f"pullRequests/{number}/attachments"
        try:
            return str(self._call("POST", f"{path}/{quote(name, safe='')}", body=content)["url"])
        except ServiceError as refused:
            if refused.status not in (400, 409):
                raise
            for attachment in self._call("GET", path)["value"]:
                if attachment.get("displayName") == name:
                    return str(attachment["url"])
            raise

    def answers(self, number: int, thread: int, comment: int) -> list[str]:
        """What was said in answer to a comment of a thread. Raises NotFound when the thread is
        gone.
        """
        entries = self._call("GET", f"pullRequests/{number}/threads/{thread}/comments")["value"]
        return [
            str(entry.get("content") or "")
            for entry in entries
            if entry.get("parentCommentId") == comment
        ]

    def active(self, target: str, source: str = "") -> list[int]:
        """The numbers of all open pull requests to a branch, from any or from one; all pages."""
        query: dict[str, str | int] = {
            "searchCriteria.status": "active",
            "searchCriteria.targetRefName": f"refs/heads/{target}",
            "$top": _ACTIVE,
        }
        if source:
            query["searchCriteria.sourceRefName"] = f"refs/heads/{source}"
        numbers: list[int] = []
        while True:
            query["$skip"] = len(numbers)
            page = self._call("GET", "pullrequests", query)["value"]
            numbers += [int(entry["pullRequestId"]) for entry in page]
            if len(page) < _ACTIVE:
                return numbers

    def merged_as(self, commits: Sequence[str]) -> dict[str, int]:
        """The pull requests whose completion made some commits, by commit; one call. A direct push
        has none.
        """
        body = {"queries": [{"type": "lastMergeCommit", "items": list(commits)}]}
        numbers: dict[str, int] = {}
        for result in self._call("POST", "pullrequestquery", body=body).get("results") or ():
            for commit in commits:
                for pull_request in result.get(commit) or ():
                    if pull_request.get("status") == "completed":
                        numbers[commit] = int(pull_request["pullRequestId"])
        return numbers

    def branches(self, start: str = "") -> dict[str, str]:
        """Branches whose name begins so (all by default) and the commits they are at; all pages."""
        return dict(self._refs(f"heads/{start}"))

    def tip(self, branch: str) -> str:
        """The commit a branch is at. Raises NotFound."""
        commit = self.branches(branch).get(branch)
        if commit is None:
            raise NotFound("Azure DevOps", f"{self.key} has no branch {branch}.")
        return commit

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

    def _call(
        self, method: Method, path: str, query: Query | None = None, body: object = None
    ) -> dict[str, Any]:
        return self._client.call(method, f"{self._below}/{path}", query, body)


def _landed(body: Any) -> str:
    # Of an open pull request it is the merge on trial.
    commit = (body.get("lastMergeCommit") or {}).get("commitId")
    if body["status"] == "completed":
        return str(commit or "")
    return ""


def _paths(change: Json) -> list[str]:
    """Where a changed file is, and where it was before it was renamed."""
    paths = (
        change.get("originalPath"),
        change.get("sourceServerItem"),
        (change.get("item") or {}).get("path"),
    )
    return [path.lstrip("/") for path in paths if isinstance(path, str)]


def _order(status: Json) -> int:
    return int(status.get("id") or 0)


def _check(name: str, iteration: int, by: str, status: Json) -> Check:
    description = str(status.get("description") or "")
    posted = _moment(status.get("creationDate"))
    return Check(name, iteration, str(status["state"]), description, posted, by)


def _is_report(thread: Json) -> bool:
    mark = (thread.get("properties") or {}).get(THREAD_PROPERTY)
    if isinstance(mark, dict):
        mark = mark.get("$value")
    comments = thread.get("comments") or []
    if mark != REPORT or not comments:
        return False
    return not thread.get("isDeleted") and not comments[0].get("isDeleted")


def _report(thread: Json) -> Report:
    return Report(
        int(thread["id"]),
        tuple(str(comment.get("content") or "") for comment in thread["comments"]),
    )


def _double(thread: Json, me: str) -> Double:
    ours = {}
    for comment in thread["comments"]:
        if _author(comment) == me and not comment.get("isDeleted"):
            ours[int(comment["id"])] = str(comment.get("content") or "")
    return Double(int(thread["id"]), ours)


def _author(comment: Json) -> str:
    return str((comment.get("author") or {}).get("id") or "")


def _concerns_a_command(comment: Json, me: str) -> bool:
    if comment.get("commentType") == "system":
        return False
    content = str(comment.get("content") or "").casefold()
    if _author(comment) == me:
        return content.lstrip("` ").startswith(COMMAND)
    return content.startswith(COMMAND)


def _comment(thread: int, comment: Json, *, first: bool) -> Comment:
    author = comment.get("author") or {}
    published = comment.get("publishedDate")
    return Comment(
        thread=thread,
        id=int(comment["id"]),
        author_id=_author(comment),
        author=str(author.get("displayName") or ""),
        unique_name=str(author.get("uniqueName") or ""),
        content=str(comment.get("content") or ""),
        published=_moment(published),
        content_updated=_moment(comment.get("lastContentUpdatedDate") or published),
        parent=int(comment.get("parentCommentId") or 0),
        first=first,
        liked_by=frozenset(str(person.get("id")) for person in comment.get("usersLiked") or ()),
        # A deleted comment has no content, and stays listed.
        deleted=bool(comment.get("isDeleted")),
    )


def _moment(text: object) -> datetime:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    if moment.tzinfo:
        return moment
    return moment.replace(tzinfo=UTC)


def _short(ref: str) -> str:
    return ref.removeprefix("refs/heads/")


def _slug(name: str) -> str:
    local = name.split("\\")[-1].split("@")[0]
    return "".join(c if c.isalnum() or c in "_-" else "_" for c in local) or "someone"
