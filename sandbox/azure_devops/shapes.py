"""How repositories, people and commits look in JSON.

The same shapes serve REST answers and service hooks; where the two differ in
recorded traffic, a function says which one it writes.
"""

from typing import Any
from urllib.parse import quote

from sandbox.azure_devops.dates import written
from sandbox.azure_devops.git_objects import Commit, Signature
from sandbox.azure_devops.people import Person, guid
from sandbox.azure_devops.state import World

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
            "avatar": {
                "href": f"{world.organization_url}/_apis/GraphProfile/MemberAvatars/{who.descriptor}"  # noqa: E501 a table, or a text as it is sent
            },
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
    """The repository as pull requests carry it: no default branch, a remote address with a user in
    it.
    """
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


def fork_id(world: World, name: str) -> str:
    """The id of a fork of the repository."""
    return guid(world.organization, world.project, "fork", name)


def fork(world: World, name: str) -> Json:
    """A fork as pull requests refer to it."""
    key = fork_id(world, name)
    return {
        "id": key,
        "name": name,
        "url": f"{project_url(world)}/git/repositories/{key}",
        "project": project(world),
    }


def team_id(world: World, name: str) -> str:
    """The id of a team of the project."""
    return guid(world.organization, world.project, "team", name)


def pushed_repository(world: World) -> Json:
    """The repository as git.push carries it: with the default branch, no project in the address, no
    user.
    """
    owner = project(world) | {"visibility": "unchanged", "lastUpdateTime": "0001-01-01T00:00:00"}
    del owner["revision"]
    return {
        "id": world.repository_id,
        "name": world.repository,
        "url": f"{world.organization_url}/_apis/git/repositories/{world.repository_id}",
        "project": owner,
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
