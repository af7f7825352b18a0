"""Threads, comments, files and checks on a pull request: what REST and the person-side
verbs share.
"""

from collections.abc import Mapping
from typing import Any

from sandbox.azure_devops import completion, dates, hooks_events, policies
from sandbox.azure_devops.bag import bag
from sandbox.azure_devops.people import Person
from sandbox.azure_devops.refusal import Refusal, invalid
from sandbox.azure_devops.state import Attachment, Comment, PullRequest, Status, Thread, World

THREAD_STATUSES = ("unknown", "active", "fixed", "wontFix", "closed", "byDesign", "pending")
COMMENT_TYPES = ("unknown", "text", "codeChange", "system")
STATES = (
    "notSet",
    "pending",
    "succeeded",
    "failed",
    "error",
    "notApplicable",
    "partiallySucceeded",
)
LONGEST_COMMENT = 150_000


def start_thread(world: World, found: PullRequest, who: Person, wish: Mapping[str, Any]) -> Thread:
    """Open a thread from the fields of a REST body."""
    with world.lock:
        comments = wish.get("comments") or []
        if not comments:
            raise invalid(
                "commentThread.Comments", "A thread begins with a comment, and this one has none."
            )
        contents = [_content(each.get("content")) for each in comments]
        status = enum_value(wish.get("status"), THREAD_STATUSES, "status") or "active"
        moment = dates.now()
        thread = Thread(
            world.count("thread"),
            [],
            status,
            moment,
            moment,
            bag(wish.get("properties")),
            _given(wish.get("threadContext")),
            _given(wish.get("pullRequestThreadContext")),
        )
        for each, content in zip(comments, contents, strict=True):
            kind = enum_value(each.get("commentType"), COMMENT_TYPES, "commentType") or "text"
            parent = int(each.get("parentCommentId") or 0)
            thread.comments.append(
                Comment(
                    len(thread.comments) + 1, parent, who, content, moment, moment, moment, kind
                )
            )
        found.threads.append(thread)
        for comment in thread.comments:
            hooks_events.commented(world, found, thread, comment, "commented")
        return thread


def change_thread(
    world: World, found: PullRequest, thread: Thread, wish: Mapping[str, Any]
) -> None:
    """Set a thread's status, or add to its properties."""
    with world.lock:
        if thread.is_system:
            raise invalid(
                "commentThread",
                f"Thread {thread.id} was written by the system and cannot be changed.",
            )
        if wish.get("status") is not None:
            thread.status = enum_value(wish["status"], THREAD_STATUSES, "status")
        if wish.get("threadContext"):
            thread.context = _given(wish["threadContext"])
        thread.properties |= bag(wish.get("properties"))
        thread.updated = dates.now()
        completion.when_allowed(world, found)


def reply(
    world: World, found: PullRequest, thread: Thread, who: Person, wish: Mapping[str, Any]
) -> Comment:
    """Add a comment to a thread; a closed thread stays as it is."""
    with world.lock:
        content, moment = _content(wish.get("content")), dates.now()
        kind = enum_value(wish.get("commentType"), COMMENT_TYPES, "commentType") or "text"
        parent = int(wish.get("parentCommentId") or 0)
        comment = Comment(
            len(thread.comments) + 1, parent, who, content, moment, moment, moment, kind
        )
        thread.comments.append(comment)
        thread.updated = moment
        hooks_events.commented(world, found, thread, comment, "commented")
        return comment


def edit(
    world: World, found: PullRequest, thread: Thread, comment: Comment, who: Person, content: Any
) -> None:
    """Replace what one's own comment says."""
    with world.lock:
        _own(comment, who)
        comment.content, moment = _content(content), dates.now()
        comment.updated = comment.content_updated = thread.updated = moment
        hooks_events.commented(world, found, thread, comment, "edited")


def delete(world: World, found: PullRequest, thread: Thread, comment: Comment, who: Person) -> None:
    """Delete one's own comment: it stays in its thread, without content."""
    with world.lock:
        _own(comment, who)
        comment.deleted = True
        comment.updated = comment.content_updated = thread.updated = dates.now()
        hooks_events.commented(world, found, thread, comment, "deleted")


def like(world: World, comment: Comment, who: Person) -> None:
    """Like a comment; twice is once."""
    with world.lock:
        if who not in comment.liked:
            comment.liked.append(who)


def attach(world: World, found: PullRequest, name: str, content: bytes, who: Person) -> Attachment:
    """Attach a file. A name that is taken is refused; what the service does then is not
    documented.
    """
    with world.lock:
        if any(each.name == name for each in found.attachments):
            raise invalid(
                "fileName", f"Pull request {found.number} already has an attachment '{name}'."
            )
        attachment = Attachment(world.count("attachment"), name, content, who, dates.now())
        found.attachments.append(attachment)
        return attachment


def post_status(
    world: World, found: PullRequest, who: Person, wish: Mapping[str, Any], iteration: int | None
) -> Status:
    """Post a check. It never replaces an older one: the newest of a genre and name is what
    counts.
    """
    with world.lock:
        context = wish.get("context") or {}
        name, genre = context.get("name"), context.get("genre") or None
        if not name:
            raise invalid("context.name", "A pull request status needs a context with a name.")
        if iteration is None and wish.get("iterationId") is not None:
            iteration = int(wish["iterationId"])
        if iteration is None:
            policies.refuse_status_without_iteration(world, found, genre, name)
        elif not 1 <= iteration <= len(found.iterations):
            raise Refusal(
                404,
                "GitPullRequestIterationNotFoundException",
                f"Pull request {found.number} has no iteration {iteration}.",
            )
        state = enum_value(wish.get("state"), STATES, "state") or "notSet"
        description, target = wish.get("description"), wish.get("targetUrl")
        properties = bag(wish.get("properties"))
        number = len(found.statuses) + 1
        status = Status(
            number, iteration, state, description, genre, name, target, dates.now(), who, properties
        )
        found.statuses.append(status)
        completion.when_allowed(world, found)
        return status


def thread_of(found: PullRequest, number: int) -> Thread:
    """A thread by its id; 404 when the pull request has none such."""
    for thread in found.threads:
        if thread.id == number:
            return thread
    raise Refusal(
        404, "GitPullRequestCommentThreadNotFoundException", f"There is no comment thread {number}."
    )


def comment_of(thread: Thread, number: int) -> Comment:
    """A comment by its id within the thread; 404 when there is none."""
    for comment in thread.comments:
        if comment.id == number:
            return comment
    raise Refusal(
        404,
        "GitPullRequestCommentNotFoundException",
        f"Thread {thread.id} has no comment {number}.",
    )


def enum_value(given: Any, names: tuple[str, ...], parameter: str) -> str | None:
    """An enumeration as the service reads it: its number, or its name in any case; None when not
    given.
    """
    if given is None:
        return None
    if isinstance(given, int) and 0 <= given < len(names):
        return names[given]
    for name in names:
        if str(given).lower() == name.lower():
            return name
    raise invalid(parameter, f"'{given}' is none of {', '.join(names)}.")


def _own(comment: Comment, who: Person) -> None:
    if comment.author != who or comment.kind == "system":
        raise Refusal(
            403,
            "GitPullRequestCommentCannotBeUpdatedException",
            f"Comment {comment.id} was written by {comment.author.name}; only its author may "
            "change it.",
        )


def _given(context: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return (
        {name: value for name, value in context.items() if value is not None} if context else None
    )


def _content(text: Any) -> str:
    content = str(text or "")
    if not content.strip():
        raise invalid("comment.Content", "A comment needs content.")
    # .NET counts UTF-16 units: a character outside the basic plane is two.
    if len(content.encode("utf-16-le", "surrogatepass")) // 2 > LONGEST_COMMENT:
        raise Refusal(
            400,
            "ArgumentException",
            f"A discussion comment cannot be longer than {LONGEST_COMMENT} characters.\r\n"
            "Parameter name: comment.Content",
            area="System",
            event_id=0,
        )
    return content
