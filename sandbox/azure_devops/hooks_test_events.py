"""The constants a portal's Test button sends: the made-up company Fabrikam, and always the same
event ids.

A receiver recognises them by repository id and host, and must not act on them.
"""

from typing import Any

from sandbox.azure_devops import dates, hooks_events
from sandbox.azure_devops.plumbing import ZERO

IDS = {
    hooks_events.COMMENTED: "af07be1b-f3ad-44c8-a7f1-c4835f2df06b",
    hooks_events.UPDATED: "af07be1b-f3ad-44c8-a7f1-c4835f2df06b",
    hooks_events.CREATED: "2ab4e3d3-b7a6-425e-92b1-5a9982c1269e",
    hooks_events.MERGED: "6872ee8c-b333-4eff-bfb9-0d5274943566",
    hooks_events.PUSHED: "03c164c2-8912-4d5e-8009-3707d5f83734",
}
HOST = "https://fabrikam.visualstudio.com/DefaultCollection"
REPOSITORY = "4bc14d40-c903-45e2-872e-0462c7748079"
PUSH_REPOSITORY = "278d5cd2-584d-4b63-824a-2ba458937249"
PROJECT = "6ce954b1-ce1f-45d1-b94d-e6bf2464ba2c"
JAMAL = {
    "displayName": "Jamal Hartnett",
    "url": "https://fabrikam.vssps.visualstudio.com/_apis/Identities/54d125f7-69f7-4191-904f-c5b96b6261c8",
    "id": "54d125f7-69f7-4191-904f-c5b96b6261c8",
    "uniqueName": "fabrikamfiber4@hotmail.com",
}


def test_event(event_type: str, resource_version: str) -> dict[str, Any]:
    """The event the Test button sends, without subscription and notification id."""
    text = "Jamal Hartnett did something to try this subscription"
    messages = {"text": text, "html": text, "markdown": text}
    return {
        "id": IDS[event_type],
        "eventType": event_type,
        "publisherId": "tfs",
        "message": messages,
        "detailedMessage": messages,
        "resource": _resource(event_type, resource_version),
        "resourceVersion": resource_version,
        "resourceContainers": {
            "collection": {"id": "c12d0eb8-e382-443b-9f9c-c52cba5014c2"},
            "account": {"id": "f844ec47-a9db-4511-8281-8b63f4eaf94e"},
            "project": {"id": "be9b3917-87e6-42a4-a549-2bc06a7a878f"},
        },
        "createdDate": dates.written(dates.now()),
    }


def _repository(repository: str) -> dict[str, Any]:
    return {
        "id": repository,
        "name": "Fabrikam",
        "url": f"{HOST}/_apis/git/repositories/{repository}",
        "project": {"id": PROJECT, "name": "Fabrikam", "state": "wellFormed"},
        "defaultBranch": "refs/heads/master",
        "remoteUrl": f"{HOST}/_git/Fabrikam",
    }


def _resource(event_type: str, resource_version: str) -> dict[str, Any]:
    moment = dates.written(dates.now())
    if event_type == hooks_events.PUSHED:
        return {
            "refUpdates": [
                {"name": "refs/heads/master", "oldObjectId": ZERO, "newObjectId": "1" * 40}
            ],
            "repository": _repository(PUSH_REPOSITORY),
            "pushedBy": JAMAL,
            "pushId": 14,
            "date": moment,
            "url": f"{HOST}/_apis/git/repositories/{PUSH_REPOSITORY}/pushes/14",
        }
    pull_request = {
        "repository": _repository(REPOSITORY),
        "pullRequestId": 1,
        "status": "completed" if event_type == hooks_events.MERGED else "active",
        "createdBy": JAMAL,
        "creationDate": moment,
        "title": "my first pull request",
        "sourceRefName": "refs/heads/mytopic",
        "targetRefName": "refs/heads/master",
        "mergeStatus": "succeeded",
        "lastMergeSourceCommit": {"commitId": "2" * 40},
        "lastMergeTargetCommit": {"commitId": "3" * 40},
        "reviewers": [],
        "url": f"{HOST}/_apis/git/repositories/{REPOSITORY}/pullRequests/1",
    }
    if event_type != hooks_events.COMMENTED:
        return pull_request
    threads = f"{HOST}/_apis/git/repositories/{REPOSITORY}/pullRequests/1/threads/5"
    comment = {
        "id": 2,
        "parentCommentId": 1,
        "author": JAMAL,
        "content": "This is my comment.",
        "publishedDate": moment,
        "lastUpdatedDate": moment,
        "lastContentUpdatedDate": moment,
        "commentType": "text",
        "_links": {"self": {"href": f"{threads}/comments/2"}, "threads": {"href": threads}},
    }
    return (
        comment if resource_version == "1.0" else {"comment": comment, "pullRequest": pull_request}
    )
