"""What the stand-in remembers: pull requests, discussions, checks, policies, pushes.

Plain data and the lock that guards it; no behaviour beyond looking things up.
Lives in memory only: the git repository is all that survives a restart.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from sandbox.azure_devops.bag import Bag
from sandbox.azure_devops.happening import Happening
from sandbox.azure_devops.hooks_state import Subscription
from sandbox.azure_devops.jobs import Jobs
from sandbox.azure_devops.people import People, Person, guid
from sandbox.azure_devops.plumbing import Repository
from sandbox.azure_devops.refusal import no_pull_request

FORKS = "refs/forks"


@dataclass
class Comment:
    """A comment; `id` counts within its thread."""

    id: int
    parent: int
    author: Person
    content: str
    published: datetime
    updated: datetime
    content_updated: datetime
    kind: str = "text"
    deleted: bool = False
    liked: list[Person] = field(default_factory=list)


@dataclass
class Thread:
    """A discussion. `status` is None for the system's own threads."""

    id: int
    comments: list[Comment]
    status: str | None
    published: datetime
    updated: datetime
    properties: Bag = field(default_factory=dict)
    context: dict[str, Any] | None = None
    pull_request_context: dict[str, Any] | None = None

    @property
    def deleted(self) -> bool:
        """A thread is gone when each of its comments is."""
        return all(comment.deleted for comment in self.comments)

    @property
    def is_system(self) -> bool:
        """Whether the service wrote it, and no person."""
        return self.comments[0].kind == "system"


@dataclass
class Status:
    """A check posted on a pull request; `iteration` is None where none was given."""

    id: int
    iteration: int | None
    state: str
    description: str | None
    genre: str | None
    name: str
    target_url: str | None
    created: datetime
    author: Person
    properties: Bag = field(default_factory=dict)


@dataclass
class Iteration:
    """One push to the source branch, with the commits it was compared by."""

    id: int
    author: Person
    reason: str
    source: str
    target: str
    common: str
    created: datetime
    push: int


@dataclass
class Reviewer:
    """Someone asked to look, and their vote: 10, 5, 0, -5 or -10."""

    person: Person
    vote: int = 0
    required: bool = False


@dataclass
class Attachment:
    """A file on a pull request."""

    id: int
    name: str
    content: bytes
    author: Person
    created: datetime


@dataclass
class PullRequest:
    """A pull request. `source_commit` is the head the last merge attempt saw, and may lag a push.

    `fork` names the repository that `source` is a branch of; empty: it is one of this repository.
    """

    number: int
    title: str
    description: str
    source: str
    target: str
    author: Person
    created: datetime
    source_commit: str
    target_commit: str
    draft: bool = False
    status: str = "active"
    merge_status: str = "queued"
    merge_id: str = ""
    merge_commit: str | None = None
    merge_commits: list[str] = field(default_factory=list)
    closed: datetime | None = None
    closed_by: Person | None = None
    completion_options: dict[str, Any] | None = None
    completion_queued: datetime | None = None
    auto_complete_by: Person | None = None
    reviewers: dict[str, Reviewer] = field(default_factory=dict)
    iterations: list[Iteration] = field(default_factory=list)
    threads: list[Thread] = field(default_factory=list)
    statuses: list[Status] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    properties: Bag = field(default_factory=dict)
    fork: str = ""

    @property
    def source_ref(self) -> str:
        """Where the repository keeps the source branch: that of a fork where nobody can
        fetch it.
        """
        return fork_ref(self.fork, self.source)

    @property
    def head(self) -> str:
        """The newest commit of the source branch the pull request has seen."""
        return self.iterations[-1].source


def fork_ref(fork: str, name: str) -> str:
    """The hidden ref that stands for a ref of a fork; objects of forks are kept with those of the
    repository.
    """
    return f"{FORKS}/{quote(fork, safe='')}/{name.removeprefix('refs/')}" if fork else name


@dataclass
class Policy:
    """A branch policy's configuration, kept as it was written."""

    id: int
    type_id: str
    enabled: bool
    blocking: bool
    settings: dict[str, Any]
    author: Person
    created: datetime
    revision: int = 1
    deleted: bool = False


@dataclass(frozen=True)
class RefUpdate:
    """A ref that a push moved; forty zeros stand for "was not" and "is no more"."""

    name: str
    old: str
    new: str


@dataclass(frozen=True)
class Push:
    """Refs moved together, by one person."""

    id: int
    person: Person
    when: datetime
    updates: tuple[RefUpdate, ...]


class World:
    """One organisation with one project and one repository. Hold `lock` to change anything."""

    def __init__(
        self,
        organization: str,
        project: str,
        repository: str,
        people: People,
        git: Repository,
        default_branch: str,
    ) -> None:
        self.lock = threading.RLock()
        self.organization, self.project, self.repository = organization, project, repository
        self.people, self.git, self.default_branch = people, git, default_branch
        self.collection_id = guid(organization, "collection")
        self.account_id = guid(organization)
        self.project_id = guid(organization, project)
        self.repository_id = guid(organization, project, repository)
        self.address = "http://127.0.0.1"
        self.pull_requests: dict[int, PullRequest] = {}
        self.policies: list[Policy] = []
        self.forks: set[str] = set()
        self.teams: dict[str, list[Person]] = {}
        self.subscriptions: dict[str, Subscription] = {}
        self.pushes: list[Push] = []
        self.jobs = Jobs()
        self.tell: Callable[[Happening], None] = lambda _: None
        self._last: dict[str, int] = {}

    def count(self, what: str) -> int:
        """The next number of a kind of thing, from 1."""
        with self.lock:
            self._last[what] = self._last.get(what, 0) + 1
            return self._last[what]

    def pull_request(self, number: int) -> PullRequest:
        """The pull request with this number; a 404 `Refusal` when there is none."""
        try:
            return self.pull_requests[number]
        except KeyError:
            raise no_pull_request(number) from None

    @property
    def organization_url(self) -> str:
        """The organisation's address, without a slash at the end."""
        return f"{self.address}/{self.organization}"

    def active(self) -> list[PullRequest]:
        """The pull requests that are open, oldest first."""
        return [each for each in self.pull_requests.values() if each.status == "active"]
