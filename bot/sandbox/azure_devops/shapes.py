"""How repositories, people, commits and pull requests look in JSON.

The same shapes serve REST answers and service hooks; where the two differ in
recorded traffic, a function says which one it writes.
"""

from typing import Any
from urllib.parse import quote

from bot.sandbox.azure_devops.dates import written
from bot.sandbox.azure_devops.people import Person
from bot.sandbox.azure_devops.plumbing import Commit, Signature
from bot.sandbox.azure_devops.state import Iteration, PullRequest, Reviewer, World

Json = dict[str, Any]


def project_url(world: World) -> str:
    """The REST base of the project, by id."""
    return f"{world.organization_url}/{world.project_id}/_apis"


def repository_url(world: World) -> str:
    """The REST address of the repository, with the project's id in it."""
    return f"{project_url(world)}/git/repositories/{world.repository_id}"


def web_url(world: World) -> str:
    """Where a browser finds the repository."""
    return f"{world.organization_url}/{quote(world.project)}/_git/{quote(world.repository)}"


def pull_request_url(world: World, number: int) -> str:
    """The REST address of a pull request."""
    return f"{repository_url(world)}/pullRequests/{number}"


def person(world: World, who: Person) -> Json:
    """An identity reference."""
    shape: Json = {
        "displayName": who.name,
        "url": f"{world.organization_url}/_apis/Identities/{who.id}",
        "_links": {
            "avatar": {"href": f"{world.organization_url}/_apis/GraphProfile/MemberAvatars/{who.descriptor}"},
        },
        "id": who.id,
        "uniqueName": who.email,
        "imageUrl": f"{world.organization_url}/_api/_common/identityImage?id={who.id}",
        "descriptor": who.descriptor,
    }
    if who.is_container:
        del shape["uniqueName"], shape["_links"], shape["descriptor"]
        shape["isContainer"] = True
    return shape


def reviewer(world: World, who: Reviewer, number: int) -> Json:
    """A reviewer with the vote."""
    shape = person(world, who.person)
    del shape["descriptor"]
    shape |= {
        "reviewerUrl": f"{pull_request_url(world, number)}/reviewers/{who.person.id}",
        "vote": who.vote,
        "hasDeclined": False,
        "isFlagged": False,
    }
    if who.required:
        shape["isRequired"] = True
    return shape


def project(world: World) -> Json:
    """The project as repositories refer to it."""
    return {
        "id": world.project_id,
        "name": world.project,
        "url": f"{world.organization_url}/_apis/projects/{world.project_id}",
        "state": "wellFormed",
        "revision": 11,
        "visibility": "private",
        "lastUpdateTime": "2026-01-05T08:00:00.123Z",
    }


def repository(world: World) -> Json:
    """The repository as pull requests carry it: no default branch, a remote address with a user in it."""
    host = world.address.removeprefix("http://")
    path = web_url(world).removeprefix(world.address)
    return {
        "id": world.repository_id,
        "name": world.repository,
        "url": repository_url(world),
        "project": project(world),
        "size": 7840,
        "remoteUrl": f"http://{world.organization}@{host}{path}",
        "sshUrl": f"git@ssh.{host}:v3{path.replace('/_git/', '/')}",
        "webUrl": web_url(world),
        "isDisabled": False,
        "isInMaintenance": False,
    }


def pushed_repository(world: World) -> Json:
    """The repository as git.push carries it: with the default branch, no project in the address, no user."""
    return {
        "id": world.repository_id,
        "name": world.repository,
        "url": f"{world.organization_url}/_apis/git/repositories/{world.repository_id}",
        "project": project(world) | {"visibility": "unchanged", "lastUpdateTime": "0001-01-01T00:00:00"},
        "defaultBranch": f"refs/heads/{world.default_branch}",
        "remoteUrl": web_url(world),
    }


def commit_link(world: World, sha: str) -> Json:
    """A commit by its id alone."""
    return {"commitId": sha, "url": f"{repository_url(world)}/commits/{sha}"}


def signature(who: Signature) -> Json:
    """An author or committer with the date."""
    return {"name": who.name, "email": who.email, "date": written(who.when)}


def commit(world: World, found: Commit) -> Json:
    """A commit with author, committer and message."""
    return {
        "commitId": found.sha,
        "author": signature(found.author),
        "committer": signature(found.committer),
        "comment": found.message,
        "url": f"{repository_url(world)}/commits/{found.sha}",
    }


def iteration(world: World, number: int, found: Iteration) -> Json:
    """An iteration of a pull request."""
    url = f"{pull_request_url(world, number)}/iterations/{found.id}"
    return {
        "id": found.id,
        "description": "",
        "author": person(world, found.author),
        "createdDate": written(found.created),
        "updatedDate": written(found.created),
        "sourceRefCommit": {"commitId": found.source},
        "targetRefCommit": {"commitId": found.target},
        "commonRefCommit": {"commitId": found.common},
        "hasMoreCommits": False,
        "reason": found.reason,
        "push": {"pushId": found.push},
        "_links": {
            "self": {"href": url},
            "workitems": {"href": f"{pull_request_url(world, number)}/workitems"},
            "statuses": {"href": f"{url}/statuses"},
        },
    }


def pull_request(world: World, found: PullRequest) -> Json:
    """A pull request without links: what REST answers and service hooks have in common."""
    shape: Json = {
        "repository": repository(world),
        "pullRequestId": found.number,
        "codeReviewId": found.number,
        "status": found.status,
        "createdBy": person(world, found.author),
        "creationDate": written(found.created),
        "title": found.title,
        "sourceRefName": found.source,
        "targetRefName": found.target,
        "mergeStatus": found.merge_status,
        "isDraft": found.draft,
        "mergeId": found.merge_id,
        "lastMergeSourceCommit": commit_link(world, found.source_commit),
        "lastMergeTargetCommit": commit_link(world, found.target_commit),
        "reviewers": [reviewer(world, each, found.number) for each in found.reviewers.values()],
        "url": pull_request_url(world, found.number),
        "supportsIterations": True,
        "artifactId": f"vstfs:///Git/PullRequestId/{world.project_id}%2f{world.repository_id}%2f{found.number}",
    }
    if found.description:
        shape["description"] = found.description
    if found.merge_commit:
        shape["lastMergeCommit"] = commit(world, world.git.commit(found.merge_commit))
    if found.closed:
        shape["closedDate"] = written(found.closed)
    if found.closed_by:
        shape["closedBy"] = person(world, found.closed_by)
    if found.completion_options is not None:
        shape["completionOptions"] = found.completion_options
    if found.completion_queued:
        shape["completionQueueTime"] = written(found.completion_queued)
    if found.auto_complete_by:
        shape["autoCompleteSetBy"] = person(world, found.auto_complete_by)
    if found.labels:
        shape["labels"] = [label(world, found.number, name, key) for name, key in found.labels.items()]
    return shape


def label(world: World, number: int, name: str, key: str) -> Json:
    """A label on a pull request."""
    return {"id": key, "name": name, "active": True, "url": f"{pull_request_url(world, number)}/labels/{key}"}


def linked_pull_request(world: World, found: PullRequest) -> Json:
    """A pull request as REST answers it alone, with all its links."""
    base, url = repository_url(world), pull_request_url(world, found.number)
    return pull_request(world, found) | {
        "_links": {
            "self": {"href": url},
            "repository": {"href": base},
            "workItems": {"href": f"{url}/workitems"},
            "sourceBranch": {"href": f"{base}/{found.source}"},
            "targetBranch": {"href": f"{base}/{found.target}"},
            "statuses": {"href": f"{url}/statuses"},
            "sourceCommit": {"href": f"{base}/commits/{found.source_commit}"},
            "targetCommit": {"href": f"{base}/commits/{found.target_commit}"},
            "createdBy": {"href": f"{world.organization_url}/_apis/Identities/{found.author.id}"},
            "iterations": {"href": f"{url}/iterations"},
        }
    }


def listed_pull_request(world: World, found: PullRequest) -> Json:
    """A pull request in a list: the description cut at 400 characters, commits by id only, no links."""
    shape = pull_request(world, found)
    if "description" in shape:
        shape["description"] = shape["description"][:400]
    if found.merge_commit:
        shape["lastMergeCommit"] = commit_link(world, found.merge_commit)
    return shape


def hooked_pull_request(world: World, found: PullRequest) -> Json:
    """A pull request as service hooks carry it at resource version 1.0."""
    return pull_request(world, found) | {
        "_links": {
            "web": {"href": f"{web_url(world)}/pullrequest/{found.number}"},
            "statuses": {"href": f"{pull_request_url(world, found.number)}/statuses"},
        }
    }
