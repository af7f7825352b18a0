"""REST: repositories, refs, commits, differences between commits, and who is calling."""

from typing import Any

from sandbox.azure_devops import shapes
from sandbox.azure_devops.calls import Answer, Call, Routes, listed
from sandbox.azure_devops.git_objects import Change
from sandbox.azure_devops.refusal import Refusal, invalid
from sandbox.azure_devops.state import FORKS, World

routes = Routes()
REPOSITORY = "git/repositories/{repositoryId}"


@routes("GET", "connectionData", preview=True, scope="organization")
def connection_data(call: Call) -> Answer:
    """Who the credentials belong to."""
    world, who = call.world, call.person
    identity = {
        "id": who.id,
        "descriptor": f"Microsoft.IdentityModel.Claims.ClaimsIdentity;{world.account_id}\\{who.email}",  # noqa: E501 a table, or a text as it is sent
        "subjectDescriptor": who.descriptor,
        "providerDisplayName": who.name,
        "isActive": True,
        "properties": {"Account": {"$type": "System.String", "$value": who.email}},
        "resourceVersion": 2,
        "metaTypeId": 0,
    }
    return Answer(
        {
            "authenticatedUser": identity,
            "authorizedUser": identity,
            "instanceId": world.collection_id,
            "deploymentId": world.account_id,
            "deploymentType": "hosted",
        }
    )


@routes("GET", "git/repositories")
def repositories(call: Call) -> Answer:
    """The one repository there is."""
    return listed([_repository(call.world)])


@routes("GET", REPOSITORY)
def repository(call: Call) -> Answer:
    """The repository, with its default branch."""
    return Answer(_repository(call.world))


def _repository(world: World) -> dict[str, Any]:
    shape = shapes.repository(world) | {"defaultBranch": f"refs/heads/{world.default_branch}"}
    if not world.git.commit_of(shape["defaultBranch"]):
        del shape["defaultBranch"]
    return shape


@routes("GET", f"{REPOSITORY}/refs")
def refs(call: Call) -> Answer:
    """Refs by prefix (`filter`, after `refs/`) or substring, in pages with a continuation token."""
    world = call.world
    found = {
        name: sha
        for name, sha in world.git.refs("refs/").items()
        if not name.startswith(f"{FORKS}/")
    }
    if start := call.asked("filter"):
        found = {name: sha for name, sha in found.items() if name.startswith(f"refs/{start}")}
    if part := call.asked("filterContains"):
        found = {name: sha for name, sha in found.items() if part in name}
    names = sorted(found)
    if after := call.asked("continuationToken"):
        names = [name for name in names if name >= after]
    top = call.asked_number("$top", default=len(names))
    page = [_ref(call, name, found[name]) for name in names[:top]]
    return listed(page, x_ms_continuationtoken=names[top]) if len(names) > top else listed(page)


def _ref(call: Call, name: str, sha: str) -> dict[str, Any]:
    world = call.world
    creator = world.people.system
    for push in world.pushes:
        if any(update.name == name for update in push.updates):
            creator = push.person
            break
    shape = {
        "name": name,
        "objectId": sha,
        "creator": shapes.person(world, creator),
        "url": f"{shapes.repository_url(world)}/refs?filter={name.removeprefix('refs/')}",
    }
    if (
        call.asked_yes("peelTags")
        and name.startswith("refs/tags/")
        and (peeled := world.git.peeled(name))
    ):
        shape["peeledObjectId"] = peeled
    return shape


@routes("GET", f"{REPOSITORY}/commits/{{commitId}}")
def commit(call: Call) -> Answer:
    """One commit, by its full id."""
    world, wanted = call.world, call.path["commitId"]
    sha = world.git.commit_of(wanted) if len(wanted) == 40 else None
    if sha is None:
        raise Refusal(
            404,
            "GitCommitDoesNotExistException",
            f"TF401175: The version descriptor <Commit: {wanted} > could not be resolved to a "
            f"version in the repository {world.repository}.",
        )
    found = world.git.commit(sha)
    shape = shapes.commit(world, found)
    url, base = shape["url"], shapes.repository_url(world)
    shape |= {
        "treeId": found.tree,
        "parents": list(found.parents),
        "remoteUrl": f"{shapes.web_url(world)}/commit/{sha}",
        "_links": {
            "self": {"href": url},
            "repository": {"href": base},
            "changes": {"href": f"{url}/changes"},
        },
    }
    return Answer(shape)


def resolved(call: Call, version: str | None, kind: str | None) -> str:
    """The commit a version descriptor names; the default branch where none is given, 404 where
    there is none.
    """
    world, kind = call.world, (kind or "branch").lower()
    version = version or world.default_branch
    prefix = {"branch": "refs/heads/", "tag": "refs/tags/", "commit": ""}.get(kind)
    if prefix is None:
        raise invalid("versionType", f"'{kind}' is none of branch, tag, commit.")
    well_formed = kind != "commit" or (len(version) == 40 and not version.startswith("-"))
    sha = world.git.commit_of(prefix + version) if well_formed else None
    if sha is None:
        raise Refusal(
            404,
            "GitUnresolvableToCommitException",
            f"TF401175: The version descriptor <{kind.capitalize()}: {version} > could not be "
            f"resolved to a version in the repository {world.repository}.",
        )
    return sha


@routes("GET", f"{REPOSITORY}/diffs/commits")
def diffs(call: Call) -> Answer:
    """What differs between two versions, folders included; a rename is told twice, as the service
    does.
    """
    world = call.world
    base = resolved(call, call.asked("baseVersion"), call.asked("baseVersionType"))
    target = resolved(call, call.asked("targetVersion"), call.asked("targetVersionType"))
    common = world.git.merge_base(base, target) or base
    start = common if call.asked_yes("diffCommonCommit") else base
    changes = sorted(
        (
            entry
            for change in world.git.changes(start, target, folders=True)
            for entry in _entries(world, target, change)
        ),
        key=lambda entry: str(entry["item"]["path"]),
    )
    top, skip = call.asked_number("$top", default=100), call.asked_number("$skip", default=0)
    counts: dict[str, int] = {}
    for entry in changes:
        kind = entry["changeType"].split(",")[0].capitalize()
        counts[kind] = counts.get(kind, 0) + 1
    return Answer(
        {
            "allChangesIncluded": skip + top >= len(changes),
            "changeCounts": counts,
            "changes": changes[skip : skip + top],
            "commonCommit": common,
            "baseCommit": base,
            "targetCommit": target,
            "aheadCount": len(world.git.commits(f"{base}..{target}")),
            "behindCount": len(world.git.commits(f"{target}..{base}")),
        }
    )


def change_type(change: Change) -> str:
    """The service's word for a difference; a renamed file with other content is "edit, rename"."""
    if change.kind == "R":
        return "edit, rename" if change.edited else "rename"
    return {"A": "add", "C": "add", "D": "delete"}.get(change.kind, "edit")


def _entries(world: World, target: str, change: Change) -> list[dict[str, Any]]:
    entry = {"item": _item(world, target, change, change.path), "changeType": change_type(change)}
    if change.kind != "R":
        return [entry]
    source = _item(world, target, change, change.old_path)
    source["objectId"] = change.old_id
    return [
        entry | {"sourceServerItem": f"/{change.old_path}"},
        {"item": source, "changeType": "delete, sourceRename"},
    ]


def _item(world: World, target: str, change: Change, path: str) -> dict[str, Any]:
    item: dict[str, Any] = {
        "objectId": change.old_id if change.kind == "D" else change.new_id,
        "gitObjectType": "tree" if change.is_tree else "blob",
        "commitId": target,
        "path": f"/{path}",
        "url": f"{shapes.repository_url(world)}/items/{path}?versionType=Commit&version={target}",
    }
    if change.kind not in "AC":
        item["originalObjectId"] = change.old_id
    if change.is_tree:
        item["isFolder"] = True
    return item
