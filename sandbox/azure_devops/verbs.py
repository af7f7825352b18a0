"""What people do, in Python: push, open, comment, vote, complete. The same code as REST, without
the wire.

Each verb returns when the service's own merge jobs are done, so the next line
sees the result; webhooks go out in the background (see `AzureDevOps.drain`).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sandbox.azure_devops import (
    discussion,
    discussion_shapes,
    hooks_events,
    hooks_subscriptions,
    lifecycle,
    merging,
    policies,
    pull_request_shapes,
    pushes,
)
from sandbox.azure_devops.dates import now
from sandbox.azure_devops.git_objects import File
from sandbox.azure_devops.people import Person
from sandbox.azure_devops.plumbing import ZERO
from sandbox.azure_devops.refusal import Refusal
from sandbox.azure_devops.seeding import files_to_seed
from sandbox.azure_devops.shapes import fork_id, team_id
from sandbox.azure_devops.state import Policy, RefUpdate, World, fork_ref


class Verbs:
    """People at work. `author` is a display name; the first of the people given, when left out."""

    def __init__(self, world: World, default_author: str) -> None:
        self.world, self.default_author = world, default_author

    def _who(self, author: str | None) -> Person:
        return self.world.people.named(author or self.default_author)

    def seed(self, folder: Path, branch: str = "main", *, author: str | None = None) -> str:
        """Make the first commit of a branch out of a folder's files and return its sha.

        `.git`, virtual environments, caches and a top-level `var` stay out. A
        `ValueError` when the branch is there already.
        """
        with self.world.lock:
            if self.world.git.commit_of(f"refs/heads/{branch}"):
                raise ValueError(
                    f"Branch {branch} has commits already; only an empty branch can be seeded."
                )
            who = self._who(author)
            sha = self.world.git.write_commit(
                f"refs/heads/{branch}",
                files_to_seed(folder),
                f"First commit of {branch}",
                merging.signature(who),
                None,
            )
            pushes.record(self.world, who, [RefUpdate(f"refs/heads/{branch}", ZERO, sha)])
        self.world.jobs.settle()
        return sha

    def push(
        self,
        branch: str,
        changes: Mapping[str, str | bytes | None],
        message: str,
        *,
        base: str = "main",
        force: bool = False,
        author: str | None = None,
    ) -> str:
        """Push one commit and return its sha; None removes a file.

        A branch that is not there begins at `base`; with `force` it begins there
        again and its history is replaced. A `Refusal` (TF402455) when a policy
        guards the branch.
        """
        ref = f"refs/heads/{branch}"
        with self.world.lock:
            if ref in policies.protected(self.world):
                raise Refusal(
                    403,
                    "GitRefUpdateRejectedByPolicyException",
                    "TF402455: Pushes to this branch are not permitted; you must use a pull "
                    "request to update this branch.",
                )
            who, old = self._who(author), self.world.git.commit_of(ref)
            parent = old if old and not force else self.world.git.commit_of(f"refs/heads/{base}")
            sha = self.world.git.write_commit(
                ref, _files(changes), message, merging.signature(who), parent
            )
            pushes.record(self.world, who, [RefUpdate(ref, old or ZERO, sha)])
        self.world.jobs.settle()
        return sha

    def fork_push(
        self,
        fork: str,
        branch: str,
        changes: Mapping[str, str | bytes | None],
        message: str,
        *,
        base: str = "main",
        author: str | None = None,
    ) -> str:
        """Push one commit to a branch of a fork of the repository, which is made if need be; gives
        its sha.

        The commit is on no branch of the repository. A branch that is not there begins at the
        repository's `base`.
        """
        ref = fork_ref(fork, f"refs/heads/{branch}")
        with self.world.lock:
            self.world.forks.add(fork)
            who, old = self._who(author), self.world.git.commit_of(ref)
            parent = old or self.world.git.commit_of(f"refs/heads/{base}")
            sha = self.world.git.write_commit(
                ref, _files(changes), message, merging.signature(who), parent
            )
            pushes.record(self.world, who, [RefUpdate(ref, old or ZERO, sha)])
        self.world.jobs.settle()
        return sha

    def team(self, name: str, *members: str) -> str:
        """Let a team of the project have exactly these members, by display name, and return the
        team's id.
        """
        with self.world.lock:
            self.world.teams[name] = [self.world.people.named(one) for one in members]
        return team_id(self.world, name)

    def delete_branch(self, branch: str, *, author: str | None = None) -> None:
        """Delete a branch."""
        ref = f"refs/heads/{branch}"
        with self.world.lock:
            old = self.world.git.commit_of(ref)
            if old:
                self.world.git.set_ref(ref, ZERO)
                pushes.record(self.world, self._who(author), [RefUpdate(ref, old, ZERO)])
        self.world.jobs.settle()

    def tip(self, branch: str = "main") -> str:
        """The sha a branch points at; a `KeyError` when there is no such branch."""
        sha = self.world.git.commit_of(f"refs/heads/{branch}")
        if sha is None:
            raise KeyError(f"There is no branch {branch}.")
        return sha

    def read(self, path: str, branch: str = "main") -> bytes:
        """A file's content at a branch's tip; a `KeyError` when it is not there."""
        entry = self.world.git.entry(self.tip(branch), path)
        content = self.world.git.blob(entry.object_id) if entry else None
        if content is None:
            raise KeyError(f"There is no file {path} on {branch}.")
        return content

    def open_pull_request(
        self,
        source: str,
        target: str = "main",
        title: str = "A change",
        description: str = "",
        *,
        draft: bool = False,
        fork: str = "",
        author: str | None = None,
    ) -> int:
        """Open a pull request between two branches and return its number; `source` may be one of a
        fork.
        """
        wish: dict[str, Any] = {
            "sourceRefName": f"refs/heads/{source}",
            "targetRefName": f"refs/heads/{target}",
            "title": title,
            "description": description,
            "isDraft": draft,
        }
        if fork:
            wish["forkSource"] = {"repository": {"id": fork_id(self.world, fork)}}
        found = lifecycle.open_pull_request(self.world, self._who(author), wish)
        self.world.jobs.settle()
        return found.number

    def change(self, number: int, *, author: str | None = None, **wish: Any) -> None:
        """Change a pull request by the fields of a PATCH body, such as `title` or `isDraft`."""
        lifecycle.change(self.world, self.world.pull_request(number), self._who(author), wish)
        self.world.jobs.settle()

    def complete(
        self,
        number: int,
        strategy: str = "noFastForward",
        *,
        delete_source: bool = False,
        bypass_policy: bool = False,
        author: str | None = None,
    ) -> str:
        """Merge a pull request and return the sha that landed; a `Refusal` when policy or a
        conflict forbids it.
        """
        found = self.world.pull_request(number)
        options: dict[str, Any] = {"mergeStrategy": strategy, "deleteSourceBranch": delete_source}
        if bypass_policy:
            options["bypassPolicy"] = True
        head = {"commitId": self.world.git.commit_of(found.source_ref)}
        self.change(
            number,
            author=author,
            status="completed",
            lastMergeSourceCommit=head,
            completionOptions=options,
        )
        if found.status != "completed" or found.merge_commit is None:
            raise Refusal(
                409,
                "GitPullRequestStaleException",
                f"The merge did not succeed: {found.merge_status}.",
            )
        return found.merge_commit

    def abandon(self, number: int, *, author: str | None = None) -> None:
        """Close a pull request without merging it."""
        self.change(number, author=author, status="abandoned")

    def reactivate(self, number: int, *, author: str | None = None) -> None:
        """Open an abandoned pull request again."""
        self.change(number, author=author, status="active")

    def comment(
        self, number: int, text: str, thread: int | None = None, *, author: str | None = None
    ) -> int:
        """Write a comment, in a new thread or an old one, and return the thread's id."""
        found, who = self.world.pull_request(number), self._who(author)
        if thread is None:
            wish = {
                "comments": [{"parentCommentId": 0, "content": text, "commentType": 1}],
                "status": 1,
            }
            return discussion.start_thread(self.world, found, who, wish).id
        discussion.reply(
            self.world,
            found,
            discussion.thread_of(found, thread),
            who,
            {"content": text, "parentCommentId": 1},
        )
        return thread

    def edit_comment(
        self, number: int, thread: int, comment: int, text: str, *, author: str | None = None
    ) -> None:
        """Replace what one's own comment says."""
        found = self.world.pull_request(number)
        inside = discussion.thread_of(found, thread)
        discussion.edit(
            self.world,
            found,
            inside,
            discussion.comment_of(inside, comment),
            self._who(author),
            text,
        )

    def delete_comment(
        self, number: int, thread: int, comment: int, *, author: str | None = None
    ) -> None:
        """Delete one's own comment."""
        found = self.world.pull_request(number)
        inside = discussion.thread_of(found, thread)
        discussion.delete(
            self.world, found, inside, discussion.comment_of(inside, comment), self._who(author)
        )

    def resolve(self, number: int, thread: int, status: str = "closed") -> None:
        """Give a thread another status: `closed`, `fixed`, `active` …"""
        found = self.world.pull_request(number)
        discussion.change_thread(
            self.world, found, discussion.thread_of(found, thread), {"status": status}
        )

    def like(
        self, number: int, thread: int, comment: int = 1, *, author: str | None = None
    ) -> None:
        """Like a comment; twice is once."""
        inside = discussion.thread_of(self.world.pull_request(number), thread)
        discussion.like(self.world, discussion.comment_of(inside, comment), self._who(author))

    def attach(self, number: int, name: str, content: bytes, *, author: str | None = None) -> str:
        """Attach a file to a pull request and return its address; a `Refusal` when the name is
        taken.
        """
        found = self.world.pull_request(number)
        discussion.attach(self.world, found, name, content, self._who(author))
        return discussion_shapes.attachment_url(self.world, number, name)

    def vote(self, number: int, vote: int = 10, *, author: str | None = None) -> None:
        """Vote on a pull request: 10 approves, 5 with suggestions, 0 resets, -5 waits, -10
        rejects.
        """
        lifecycle.vote(self.world, self.world.pull_request(number), self._who(author), vote)
        self.world.jobs.settle()

    def require_status(
        self,
        genre: str,
        name: str,
        branch: str = "main",
        *,
        reset: bool = True,
        author_id: str | None = None,
    ) -> int:
        """Add a blocking status policy to a branch and return its id; `reset` wants a status per
        iteration.
        """
        scope = {
            "repositoryId": self.world.repository_id,
            "refName": f"refs/heads/{branch}",
            "matchKind": "exact",
        }
        settings: dict[str, Any] = {
            "statusGenre": genre,
            "statusName": name,
            "invalidateOnSourceUpdate": reset,
        }
        settings |= {"scope": [scope]} | ({"authorId": author_id} if author_id else {})
        with self.world.lock:
            policy = Policy(
                self.world.count("policy"),
                policies.STATUS,
                True,
                True,
                settings,
                self._who(None),
                now(),
            )
            self.world.policies.append(policy)
        return policy.id

    def subscribe(
        self, event_type: str, url: str, username: str = "", password: str = "", **filters: str
    ) -> str:
        """Subscribe a webhook to one event type of the repository and return the subscription's id.

        Filters are publisher inputs (`branch`, `notificationType`, `mergeResult` …);
        names of consumer inputs, such as `messagesToSend`, go where they belong.
        """
        consumer = {"url": url}
        if username or password:
            consumer |= {"basicAuthUsername": username, "basicAuthPassword": password}
        for name in (
            "httpHeaders",
            "resourceDetailsToSend",
            "messagesToSend",
            "detailedMessagesToSend",
        ):
            if name in filters:
                consumer[name] = filters.pop(name)
        body = {
            "publisherId": "tfs",
            "eventType": event_type,
            "resourceVersion": "2.0" if event_type == hooks_events.COMMENTED else "1.0",
            "consumerId": "webHooks",
            "consumerActionId": "httpRequest",
            "publisherInputs": {
                "projectId": self.world.project_id,
                "repository": self.world.repository_id,
            }
            | filters,
            "consumerInputs": consumer,
        }
        with self.world.lock:
            found = hooks_subscriptions.accepted(self._who(None), body)
            self.world.subscriptions[found.id] = found
        return found.id

    def subscribe_bot(self, url: str, username: str, password: str) -> list[str]:
        """Subscribe a bot to all it lives on: created, updated, merge attempted, pushed,
        commented.
        """
        kinds = (
            hooks_events.CREATED,
            hooks_events.UPDATED,
            hooks_events.MERGED,
            hooks_events.PUSHED,
            hooks_events.COMMENTED,
        )
        return [self.subscribe(kind, url, username, password) for kind in kinds]

    @contextmanager
    def silent(self, event_type: str) -> Iterator[None]:
        """Have nobody told of events of one type for a while, as by an administrator who removed
        the subscriptions.
        """
        with self.world.lock:
            gone = {
                key: one
                for key, one in self.world.subscriptions.items()
                if one.event_type == event_type
            }
            for key in gone:
                del self.world.subscriptions[key]
        try:
            yield
        finally:
            with self.world.lock:
                self.world.subscriptions.update(gone)

    def pull_request(self, number: int) -> dict[str, Any]:
        """A pull request as REST answers it."""
        with self.world.lock:
            return pull_request_shapes.linked_pull_request(
                self.world, self.world.pull_request(number)
            )

    def statuses(self, number: int) -> list[dict[str, Any]]:
        """The statuses posted on a pull request as REST answers them, oldest first."""
        with self.world.lock:
            posted = self.world.pull_request(number).statuses
            return [discussion_shapes.status(self.world, each) for each in posted]

    def threads(self, number: int, *, system: bool = False) -> list[dict[str, Any]]:
        """The threads of a pull request as REST answers them; the system's own only when asked."""
        with self.world.lock:
            found = self.world.pull_request(number).threads
            return [
                discussion_shapes.thread(self.world, number, each)
                for each in found
                if system or not each.is_system
            ]

    def attachments(self, number: int) -> list[dict[str, Any]]:
        """The files attached to a pull request as REST answers them, oldest first."""
        with self.world.lock:
            found = self.world.pull_request(number).attachments
            return [discussion_shapes.attachment(self.world, number, each) for each in found]

    def notifications(self, subscription: str) -> list[dict[str, Any]]:
        """What was sent to a subscription, with event, request and answer; oldest first."""
        with self.world.lock:
            found = self.world.subscriptions[subscription]
            return [
                hooks_subscriptions.notification_shape(found, each, details=True)
                for each in found.notifications
            ]


def _files(changes: Mapping[str, str | bytes | None]) -> list[tuple[str, File | None]]:
    return [
        (
            path,
            None
            if content is None
            else File(content.encode() if isinstance(content, str) else content),
        )
        for path, content in changes.items()
    ]
