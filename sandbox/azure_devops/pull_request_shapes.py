"""How pull requests, their reviewers, labels and iterations look in JSON.

Alone, in a list and in a service hook a pull request looks a little different;
there is a function for each.
"""

from typing import Any

from sandbox.azure_devops.dates import written
from sandbox.azure_devops.shapes import (
    commit,
    commit_link,
    fork,
    person,
    pull_request_url,
    repository,
    repository_url,
    web_url,
)
from sandbox.azure_devops.state import Iteration, PullRequest, Reviewer, World

Json = dict[str, Any]


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
    if found.fork:
        shape["forkSource"] = {"name": found.source, "repository": fork(world, found.fork)}
    if found.labels:
        shape["labels"] = [
            label(world, found.number, name, key) for name, key in found.labels.items()
        ]
    return shape


def label(world: World, number: int, name: str, key: str) -> Json:
    """A label on a pull request."""
    return {
        "id": key,
        "name": name,
        "active": True,
        "url": f"{pull_request_url(world, number)}/labels/{key}",
    }


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
    """A pull request in a list: the description cut at 400 characters, commits by id only, no
    links.
    """
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
