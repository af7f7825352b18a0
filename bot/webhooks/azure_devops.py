"""Service hooks of Azure DevOps: which pull request or branch somebody should look at.

Service hooks are not signed; basic authentication is all there is
(https://learn.microsoft.com/azure/devops/service-hooks/services/webhooks). So an
event can at most make us look early, at a repository that is served anyway.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from bot.errors import RefusedHook
from bot.facts.discussion import COMMAND
from bot.subjects import Branch, Delivery, PullRequest, Subject
from bot.webhooks import Ignored, authentication
from bot.webhooks.json_body import Part

MERGE_EVENT = "git.pullrequest.merged"
PULL_REQUEST_EVENTS = ("git.pullrequest.created", "git.pullrequest.updated", MERGE_EVENT)
PUSH_EVENT = "git.push"
COMMENT_EVENT = "ms.vss-code.git-pullrequest-comment-event"

# What the portal's Test button sends: always the same ids and a repository of Microsoft's own
# example company.
TEST_EVENTS = frozenset(
    {
        "af07be1b-f3ad-44c8-a7f1-c4835f2df06b",
        "2ab4e3d3-b7a6-425e-92b1-5a9982c1269e",
        "6872ee8c-b333-4eff-bfb9-0d5274943566",
        "03c164c2-8912-4d5e-8009-3707d5f83734",
    }
)
TEST_REPOSITORIES = frozenset(
    {"4bc14d40-c903-45e2-872e-0462c7748079", "278d5cd2-584d-4b63-824a-2ba458937249"}
)
TEST_ORGANIZATION = "dev.azure.com/fabrikam/"

_NO_COMMIT = "0" * 40


@dataclass(frozen=True, slots=True)
class WatchedRepository:
    """A repository that we look after.

    `key` is `organization/project/repository`, as subjects name it. Project and
    repository are names or ids, in any case; `targets` are the branches whose
    pushes matter, such as `main`.
    """

    key: str
    organization_url: str
    project: str
    repository: str
    targets: tuple[str, ...] = ("main",)


def read(
    headers: Mapping[str, str],
    body: bytes,
    *,
    credentials: Sequence[tuple[str, str]],
    served: Sequence[WatchedRepository],
) -> Delivery | Ignored:
    """Tell which subject a service hook speaks of.

    `credentials` are the pairs of user name and password that are accepted.
    Raises RefusedHook: 401 for others, 400 for a body that cannot be read.
    """
    if not authentication.basic(headers, credentials):
        raise RefusedHook(401, "The user name or password of the service hook is missing or wrong.")
    return understand(Part.parse(body), served)


def understand(event: Part, served: Sequence[WatchedRepository]) -> Delivery | Ignored:
    """Tell which subject an event speaks of, however it came here.

    Raises RefusedHook (400) for one that cannot be read.
    """
    kind = event.text("eventType")
    if kind not in (*PULL_REQUEST_EVENTS, PUSH_EVENT, COMMENT_EVENT):
        return Ignored(f"{kind} is not an event that Signalman acts on.")
    resource = event.part("resource")
    if kind == COMMENT_EVENT and not resource.has("pullRequest"):
        # In version 1.0 the resource is the comment alone; nothing in it names the pull request.
        return Ignored(
            "A comment event of resource version 1.0 does not name its pull request; "
            "change the subscription to resource version 2.0."
        )
    about = resource
    if kind == COMMENT_EVENT:
        about = resource.part("pullRequest")
    repository = about.part("repository")
    if _is_test(event, repository):
        return Ignored("This is a test event.")
    ours = _find(event, repository, served)
    if ours is None:
        return Ignored("The repository is not one that Signalman serves.")
    subject: Subject | Ignored
    if kind == PUSH_EVENT:
        subject = _branch(about, ours)
    else:
        subject = PullRequest(ours.key, about.number("pullRequestId"))
    if isinstance(subject, Ignored):
        return subject
    nothing_new = _nothing_new(kind, resource)
    if nothing_new is not None:
        return nothing_new
    return Delivery(_key(event, kind), "azure-devops", kind, subject)


def _nothing_new(kind: str, resource: Part) -> Ignored | None:
    """Why an event is not worth a look. What a field says beyond that is read again, where it
    cannot be forged.
    """
    if kind == MERGE_EVENT and resource.hint("status") == "active":
        return Ignored(
            "A merge was only tried; the push or the opening that led to it has an event of its "
            "own."
        )
    if kind != COMMENT_EVENT:
        return None
    comment = resource.hints("comment")
    if comment.hint("commentType") == "system":
        return Ignored("Azure DevOps itself wrote the comment.")
    if comment.hint("content")[: len(COMMAND)].casefold() != COMMAND:
        return Ignored(f"The comment does not begin with {COMMAND}; people talk without the bot.")
    return None


def _is_test(event: Part, repository: Part) -> bool:
    if event.has("id") and event.text("id").lower() in TEST_EVENTS:
        return True
    if repository.has("id") and repository.text("id").lower() in TEST_REPOSITORIES:
        return True
    if not repository.has("url"):
        return False
    return _address(repository.text("url")).startswith(TEST_ORGANIZATION)


def _find(
    event: Part, repository: Part, served: Sequence[WatchedRepository]
) -> WatchedRepository | None:
    organization = _organization(event, repository)
    project = _names(repository.part("project"))
    names = _names(repository)
    for watched in served:
        same_name = watched.project.casefold() in project and watched.repository.casefold() in names
        if same_name and _within(organization, watched.organization_url):
            return watched
    return None


def _organization(event: Part, repository: Part) -> str:
    """Where the event comes from, by its own account: `resourceContainers`, which samples in the
    documentation lack, or else the repository's address.
    """
    if event.has("resourceContainers"):
        containers = event.part("resourceContainers")
        if containers.has("collection"):
            collection = containers.part("collection")
            if collection.has("baseUrl"):
                return _address(collection.text("baseUrl"))
    return _address(repository.text("url"))


def _names(part: Part) -> set[str]:
    if not part.has("id"):
        return {part.text("name").casefold()}
    return {part.text(field).casefold() for field in ("id", "name") if part.has(field)}


def _within(address: str, organization_url: str) -> bool:
    organization = _address(organization_url)
    return organization != "" and address.startswith(organization)


def _address(url: str) -> str:
    """One spelling for the many of an organisation's address: no scheme, no user, one closing
    slash.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = parts.port
    except ValueError:
        return ""
    path = unquote(parts.path).strip("/").casefold()
    if host.endswith(".visualstudio.com"):
        path = f"{host.removesuffix('.visualstudio.com')}/{path}".strip("/")
        host = "dev.azure.com"
    if port not in (None, 80, 443):
        host = f"{host}:{port}"
    if path:
        return f"{host}/{path}/"
    return f"{host}/"


def _branch(push: Part, ours: WatchedRepository) -> Subject | Ignored:
    targets = {f"refs/heads/{target.removeprefix('refs/heads/')}" for target in ours.targets}
    # All of them are read before any is judged: a field that is missing is a fault of the event.
    moved = [
        (update.text("name"), update.text("newObjectId")) for update in push.parts("refUpdates")
    ]
    for name, commit in moved:
        if name in targets and commit != _NO_COMMIT:
            return Branch(ours.key)
    return Ignored("The push moved no target branch.")


def key(subscription: str, notification: int) -> str:
    """The name of a delivery, the same whenever it is delivered again."""
    return f"azure-{subscription}-{notification}"


def _key(event: Part, kind: str) -> str:
    # The Test button and every second subscription repeat the event's id, a redelivery repeats the
    # notification's.
    if event.has("subscriptionId") and event.has("notificationId"):
        return key(event.text("subscriptionId"), event.number("notificationId", largest=2**63 - 1))
    return f"azure-{event.text('id')}-{kind}"
