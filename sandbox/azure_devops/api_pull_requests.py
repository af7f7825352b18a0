"""REST: pull requests themselves, iterations and their changes, and questions about them."""

from datetime import datetime
from typing import Any

from sandbox.azure_devops import dates, lifecycle, pull_request_shapes, shapes
from sandbox.azure_devops.api_repositories import REPOSITORY, change_type
from sandbox.azure_devops.calls import Answer, Call, Routes, listed
from sandbox.azure_devops.refusal import Refusal, invalid
from sandbox.azure_devops.state import Iteration, PullRequest

routes = Routes()
ONE = f"{REPOSITORY}/pullrequests/{{pullRequestId}}"
STATUSES = ("notset", "active", "abandoned", "completed", "all")
SEEN = "searchCriteria."


@routes("POST", f"{REPOSITORY}/pullrequests")
def create(call: Call) -> Answer:
    """Open a pull request; its merge is attempted afterwards, so it is answered as queued."""
    found = lifecycle.open_pull_request(call.world, call.person, call.object())
    return Answer(pull_request_shapes.linked_pull_request(call.world, found), status=201)


@routes("GET", "git/pullrequests/{pullRequestId}")
@routes("GET", ONE)
def get(call: Call) -> Answer:
    """One pull request."""
    shape = pull_request_shapes.linked_pull_request(call.world, call.pull_request)
    if call.asked_yes("includeCommits"):
        shape["commits"] = _commits(call, call.pull_request.iterations[-1])
    if call.asked_yes("includeWorkItemRefs"):
        shape["workItemRefs"] = []
    return Answer(shape)


@routes("PATCH", ONE)
def update(call: Call) -> Answer:
    """Change a pull request. Completion is only accepted here; it is done a little later."""
    lifecycle.change(call.world, call.pull_request, call.person, call.object())
    return Answer(pull_request_shapes.linked_pull_request(call.world, call.pull_request))


@routes("GET", "git/pullrequests", scope="project")
@routes("GET", f"{REPOSITORY}/pullrequests")
def search(call: Call) -> Answer:
    """Pull requests by the search criteria, newest first; active ones unless asked otherwise."""
    found = [each for each in reversed(call.world.pull_requests.values()) if _fits(call, each)]
    skip, top = (
        call.asked_number("$skip", default=0),
        min(call.asked_number("$top", default=100), 1000),
    )
    return listed(
        [
            pull_request_shapes.listed_pull_request(call.world, each)
            for each in found[skip : skip + top]
        ]
    )


def _fits(call: Call, found: PullRequest) -> bool:
    def asked(name: str) -> str | None:
        return call.asked(SEEN + name, name)

    status = (asked("status") or "active").lower()
    if status not in STATUSES:
        raise invalid("searchCriteria.status", f"'{status}' is none of {', '.join(STATUSES)}.")
    if status in STATUSES[1:4] and status != found.status:
        return False
    for name, value in (
        ("sourceRefName", found.source),
        ("targetRefName", found.target),
        ("creatorId", found.author.id),
        ("repositoryId", call.world.repository_id),
        (
            "sourceRepositoryId",
            shapes.fork_id(call.world, found.fork) if found.fork else call.world.repository_id,
        ),
    ):
        if asked(name) not in (None, value):
            return False
    if asked("reviewerId") and asked("reviewerId") not in found.reviewers:
        return False
    moment = (
        found.closed if (asked("queryTimeRangeType") or "").lower() == "closed" else found.created
    )
    earliest, latest = _moment(asked("minTime")), _moment(asked("maxTime"))
    if earliest and (moment is None or moment < earliest):
        return False
    return not (latest and (moment is None or moment > latest))


def _moment(text: str | None) -> datetime | None:
    try:
        return dates.read(text) if text else None
    except ValueError:
        raise invalid("searchCriteria", f"'{text}' is not a date.") from None


@routes("POST", f"{REPOSITORY}/pullrequestquery")
def query(call: Call) -> Answer:
    """Which pull requests a commit belongs to, as their last merge commit or as any commit they
    merged.
    """
    body = call.object()
    results = []
    for each in body.get("queries") or []:
        kind = str(each.get("type", "")).lower()
        answer: dict[str, list[Any]] = {}
        for sha in each.get("items") or []:
            found = [
                one for one in call.world.pull_requests.values() if _holds(call, one, kind, sha)
            ]
            if found:
                answer[sha] = [
                    pull_request_shapes.listed_pull_request(call.world, one) for one in found
                ]
        results.append(answer)
    return Answer({"queries": body.get("queries") or [], "results": results})


def _holds(call: Call, found: PullRequest, kind: str, sha: str) -> bool:
    if kind in ("lastmergecommit", "1"):
        return found.merge_commit == sha
    git = call.world.git
    if sha in found.merge_commits:
        return True
    return (
        git.commit_of(sha) is not None
        and git.is_ancestor(sha, found.source_commit)
        and not git.is_ancestor(sha, found.target_commit)
    )


@routes("GET", f"{ONE}/iterations")
def iterations(call: Call) -> Answer:
    """Every push to the source branch, oldest first."""
    found = call.pull_request
    shaped = [
        pull_request_shapes.iteration(call.world, found.number, each) for each in found.iterations
    ]
    if call.asked_yes("includeCommits"):
        for shape, each in zip(shaped, found.iterations, strict=True):
            shape["commits"] = _commits(call, each)
    return listed(shaped)


@routes("GET", f"{ONE}/iterations/{{iterationId}}")
def iteration(call: Call) -> Answer:
    """One iteration."""
    return Answer(
        pull_request_shapes.iteration(
            call.world, call.pull_request.number, _iteration(call, call.number("iterationId"))
        )
    )


@routes("GET", f"{ONE}/iterations/{{iterationId}}/changes")
def changes(call: Call) -> Answer:
    """Changed files: against the merge base, or since the iteration `$compareTo`; in pages."""
    now = _iteration(call, call.number("iterationId"))
    earlier = call.asked_number("$compareTo", default=0)
    before = _iteration(call, earlier).source if earlier else now.common
    entries = []
    for position, change in enumerate(call.world.git.changes(before, now.source), start=1):
        gone = change.kind == "D"
        item: dict[str, Any] = {
            "objectId": change.old_id if gone else change.new_id,
            "path": f"/{change.path}",
        }
        if change.kind != "A":
            item["originalObjectId"] = change.old_id
        entry = {
            "changeTrackingId": position,
            "changeId": position,
            "item": item,
            "changeType": change_type(change),
        }
        if change.kind == "R":
            entry["originalPath"] = f"/{change.old_path}"
        entries.append(entry)
    skip = call.asked_number("$skip", default=0)
    top = min(call.asked_number("$top", default=100), 2000)
    answer: dict[str, Any] = {"changeEntries": entries[skip : skip + top]}
    if skip + top < len(entries):
        answer |= {"nextSkip": skip + top, "nextTop": min(top, len(entries) - skip - top)}
    return Answer(answer)


@routes("GET", f"{ONE}/commits")
def commits(call: Call) -> Answer:
    """The commits a pull request brings, newest first."""
    return listed(_commits(call, call.pull_request.iterations[-1]))


@routes("GET", f"{ONE}/iterations/{{iterationId}}/commits")
def iteration_commits(call: Call) -> Answer:
    """The commits of the source branch at an iteration, newest first."""
    return listed(_commits(call, _iteration(call, call.number("iterationId"))))


@routes("GET", f"{ONE}/workitems")
def work_items(_: Call) -> Answer:
    """No work items: the stand-in has no boards."""
    return listed([])


def _commits(call: Call, at: Iteration) -> list[dict[str, Any]]:
    return [
        shapes.commit(call.world, each)
        for each in call.world.git.commits(f"{at.common}..{at.source}")
    ]


def _iteration(call: Call, number: int) -> Iteration:
    found = call.pull_request.iterations
    if not 1 <= number <= len(found):
        raise Refusal(
            404,
            "GitPullRequestIterationNotFoundException",
            f"Pull request {call.pull_request.number} has no iteration {number}.",
        )
    return found[number - 1]
