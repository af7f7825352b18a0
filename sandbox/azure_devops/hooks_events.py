"""Turns what happened into events: resources and the sentences people read.

Shapes and wording follow recorded deliveries (resource version 1.0; comments 2.0).
Which kind of update a pull request had is in no field, only in the sentence and
in the subscription's filter, as with the real service.
"""

from typing import Any

from sandbox.azure_devops import discussion_shapes, pull_request_shapes, shapes
from sandbox.azure_devops.dates import written
from sandbox.azure_devops.happening import Happening
from sandbox.azure_devops.people import Person
from sandbox.azure_devops.plumbing import ZERO
from sandbox.azure_devops.state import Comment, PullRequest, Push, Thread, World

CREATED = "git.pullrequest.created"
UPDATED = "git.pullrequest.updated"
MERGED = "git.pullrequest.merged"
PUSHED = "git.push"
COMMENTED = "ms.vss-code.git-pullrequest-comment-event"

MERGE_RESULTS = {
    "succeeded": {"Succeeded"},
    "conflicts": {"Conflicts", "Unsuccessful"},
    "failure": {"Failure", "Unsuccessful"},
    "rejectedByPolicy": {"RejectedByPolicy", "Unsuccessful"},
}


def pull_request_created(world: World, found: PullRequest) -> None:
    """Tell that a pull request was opened."""
    _tell_pull_request(world, CREATED, found, f"{found.author.name} created ")


def pull_request_updated(
    world: World, found: PullRequest, who: Person, action: str, notification_type: str
) -> None:
    """Tell of an update; `action` is what the sentence says, such as "updated the source branch
    of".
    """
    filters = {"notificationType": frozenset({notification_type})}
    _tell_pull_request(world, UPDATED, found, f"{who.name} {action} ", filters)


def merge_attempted(world: World, found: PullRequest) -> None:
    """Tell that the merge job has finished, well or not, preview or real."""
    filters = {"mergeResult": frozenset(MERGE_RESULTS.get(found.merge_status, set()))}
    _tell_pull_request(world, MERGED, found, "Merge attempted  for ", filters)


def _tell_pull_request(
    world: World,
    event_type: str,
    found: PullRequest,
    lead: str,
    filters: dict[str, frozenset[str]] | None = None,
) -> None:
    home = shapes.web_url(world)
    name, page = f"pull request {found.number}", f"{home}/pullrequest/{found.number}"
    message = {
        "text": f"{lead}{name} ({found.title}) in {world.repository}\r\n{home}/",
        "html": f'{lead}<a href="{page}">{name}</a> ({found.title}) in <a '
        f'href="{home}/">{world.repository}</a>',
        "markdown": f"{lead}[{name}]({page}) ({found.title}) in [{world.repository}]({home}/)",
    }
    detail = dict(message)
    if found.description:
        detail["text"] += f"\r\n{found.description}\r\n"
        detail["html"] += f"<p>{found.description}</p>"
        detail["markdown"] += f"\r\n{found.description}\r\n"
    resource = pull_request_shapes.hooked_pull_request(world, found)
    world.tell(
        Happening(
            event_type,
            {"1.0": resource},
            message,
            detail,
            _pull_request_filters(world, found) | (filters or {}),
        )
    )


def _pull_request_filters(world: World, found: PullRequest) -> dict[str, frozenset[str]]:
    return {
        "projectId": frozenset({world.project_id}),
        "repository": frozenset({world.repository_id}),
        "branch": frozenset({found.target.removeprefix("refs/heads/"), found.target}),
        "pullrequestCreatedBy": frozenset({found.author.id}),
        "pullrequestReviewersContains": frozenset(found.reviewers),
    }


def pushed(world: World, push: Push) -> None:
    """Tell of a push; `commits` is left out where the push brought none, as on deletions."""
    base = f"{world.organization_url}/_apis/git/repositories/{world.repository_id}"
    url = f"{base}/pushes/{push.id}"
    first = push.updates[0]
    resource: dict[str, Any] = {}
    if commits := _new_commits(world, push):
        resource["commits"] = commits
    resource |= {
        "refUpdates": [
            {"name": update.name, "oldObjectId": update.old, "newObjectId": update.new}
            for update in push.updates
        ],
        "repository": shapes.pushed_repository(world),
        "pushedBy": shapes.person(world, push.person),
        "pushId": push.id,
        "date": written(push.when),
        "url": url,
        "_links": {
            "self": {"href": url},
            "repository": {"href": shapes.repository_url(world)},
            "commits": {"href": f"{url}/commits"},
            "pusher": {"href": f"{world.organization_url}/_apis/Identities/{push.person.id}"},
            "refs": {"href": f"{shapes.repository_url(world)}/{first.name}"},
        },
    }
    names = [update.name for update in push.updates]
    short = names[0].removeprefix("refs/heads/").removeprefix("refs/")
    verb = "deleted" if first.new == ZERO else "pushed updates to"
    home = shapes.web_url(world)
    message = {
        "text": f"{push.person.name} {verb} "
        f"{world.repository}:{short}\r\n({home}/#version=GB{short})",
        "html": f'{push.person.name} {verb} <a href="{home}/">{world.repository}</a>:{short}',
        "markdown": f"{push.person.name} {verb} [{world.repository}]({home}/):{short}",
    }
    filters = {
        "projectId": frozenset({world.project_id}),
        "repository": frozenset({world.repository_id}),
        "branch": frozenset([*names, *(name.removeprefix("refs/heads/") for name in names)]),
        "pushedBy": frozenset({push.person.id}),
    }
    world.tell(Happening(PUSHED, {"1.0": resource}, message, message, filters))


def _new_commits(world: World, push: Push) -> list[dict[str, Any]]:
    moved = {update.name for update in push.updates}
    wanted = [update.new for update in push.updates if update.new != ZERO]
    known = [update.old for update in push.updates if update.old != ZERO]
    known += [sha for name, sha in world.git.refs("refs/heads/").items() if name not in moved]
    if not wanted:
        return []
    found = world.git.commits(
        "--max-count=100", *wanted, *(f"^{sha}" for sha in sorted(set(known)))
    )
    plain = f"{world.organization_url}/_apis/git/repositories/{world.repository_id}/commits/"
    return [shapes.commit(world, each) | {"url": plain + each.sha} for each in found]


def commented(
    world: World, found: PullRequest, thread: Thread, comment: Comment, verb: str
) -> None:
    """Tell of a comment that was written, edited or deleted; `verb` is the word the
    sentence uses.
    """
    page = f"{shapes.web_url(world)}/pullrequest/{found.number}?discussionId={thread.id}"
    before, after = {
        "commented": ("has ", " on a pull request"),
        "edited": ("has ", " a pull request comment"),
        "deleted": ("has ", " a pull request comment"),
    }[verb]
    lead = f"{comment.author.name} {before}"
    message = {
        "text": f"{lead}{verb}{after}",
        "html": f'{lead}<a href="{page}">{verb}</a>{after}',
        "markdown": f"{lead}[{verb}]({page}){after}",
    }
    detail = dict(message)
    if not comment.deleted:
        detail["text"] += f"\r\n{comment.content}\r\n"
        detail["html"] += f"<p>{comment.content}</p>"
        detail["markdown"] += f"\r\n{comment.content}\r\n"
    threads = f"{shapes.pull_request_url(world, found.number)}/threads/{thread.id}"
    shape = discussion_shapes.comment(world, comment) | {
        "_links": {
            "self": {"href": f"{threads}/comments/{comment.id}"},
            "repository": {"href": shapes.repository_url(world)},
            "threads": {"href": threads},
            "pullRequests": {"href": shapes.pull_request_url(world, found.number)},
        }
    }
    resources = {
        "1.0": shape,
        "2.0": {
            "comment": shape,
            "pullRequest": pull_request_shapes.hooked_pull_request(world, found),
        },
    }
    world.tell(
        Happening(COMMENTED, resources, message, detail, _pull_request_filters(world, found))
    )
