"""How threads, comments, statuses and attachments look in JSON."""

import hashlib
from typing import Any
from urllib.parse import quote

from sandbox.azure_devops import shapes
from sandbox.azure_devops.dates import written
from sandbox.azure_devops.state import Attachment, Comment, Status, Thread, World

Json = dict[str, Any]


def comment(world: World, found: Comment) -> Json:
    """A comment; a deleted one has no content."""
    shape: Json = {
        "id": found.id,
        "parentCommentId": found.parent,
        "author": shapes.person(world, found.author),
        "content": found.content,
        "publishedDate": written(found.published),
        "lastUpdatedDate": written(found.updated),
        "lastContentUpdatedDate": written(found.content_updated),
        "commentType": found.kind,
        "usersLiked": [shapes.person(world, who) for who in found.liked],
    }
    if found.deleted:
        del shape["content"]
        shape["isDeleted"] = True
    return shape


def linked_comment(world: World, number: int, thread_id: int, found: Comment) -> Json:
    """A comment as REST answers it alone."""
    threads = f"{shapes.pull_request_url(world, number)}/threads/{thread_id}"
    return comment(world, found) | {
        "_links": {
            "self": {"href": f"{threads}/comments/{found.id}"},
            "repository": {"href": shapes.repository_url(world)},
            "threads": {"href": threads},
            "pullRequests": {"href": f"{world.organization_url}/_apis/git/pullRequests/{number}"},
        }
    }


def thread(world: World, number: int, found: Thread) -> Json:
    """A thread with its comments; the system's own have no status."""
    shape: Json = {
        "pullRequestThreadContext": found.pull_request_context,
        "id": found.id,
        "publishedDate": written(found.published),
        "lastUpdatedDate": written(found.updated),
        "comments": [comment(world, each) for each in found.comments],
        "threadContext": found.context,
        "properties": found.properties,
        "identities": None,
        "isDeleted": found.deleted,
        "_links": {
            "self": {"href": f"{shapes.pull_request_url(world, number)}/threads/{found.id}"},
            "repository": {"href": shapes.repository_url(world)},
        },
    }
    if found.status is not None:
        shape["status"] = found.status
    return shape


def status(world: World, found: Status) -> Json:
    """A check on a pull request."""
    shape: Json = {
        "id": found.id,
        "state": found.state,
        "description": found.description,
        "context": {"name": found.name, "genre": found.genre},
        "creationDate": written(found.created),
        "updatedDate": written(found.created),
        "createdBy": shapes.person(world, found.author),
        "targetUrl": found.target_url,
    }
    if found.iteration is not None:
        shape["iterationId"] = found.iteration
    if found.properties:
        shape["properties"] = found.properties
    return {name: value for name, value in shape.items() if value is not None}


def linked_status(world: World, number: int, found: Status) -> Json:
    """A check as REST answers it alone."""
    url = f"{shapes.pull_request_url(world, number)}/statuses/{found.id}"
    links = {"self": {"href": url}, "repository": {"href": shapes.repository_url(world)}}
    return status(world, found) | {"_links": links}


def attachment_url(world: World, number: int, name: str) -> str:
    """Where an attachment is read, and what `![…](…)` in a comment points at."""
    return f"{shapes.pull_request_url(world, number)}/attachments/{quote(name)}"


def attachment(world: World, number: int, found: Attachment) -> Json:
    """An attachment's facts; `contentHash` is the SHA-1 of the content."""
    return {
        "_links": {
            "self": {"href": attachment_url(world, number, found.name)},
            "repository": {"href": shapes.repository_url(world)},
        },
        "id": found.id,
        "author": shapes.person(world, found.author),
        "contentHash": hashlib.sha1(found.content, usedforsecurity=False).hexdigest(),
        "createdDate": written(found.created),
        "displayName": found.name,
        "properties": {},
        "url": attachment_url(world, number, found.name),
    }
