"""REST: threads, comments and likes on a pull request."""

from sandbox.azure_devops import discussion, discussion_shapes, shapes
from sandbox.azure_devops.api_pull_requests import ONE
from sandbox.azure_devops.calls import Answer, Call, Routes, listed
from sandbox.azure_devops.state import Comment, Thread

routes = Routes()
THREADS = f"{ONE}/threads"
THREAD = f"{THREADS}/{{threadId}}"
COMMENT = f"{THREAD}/comments/{{commentId}}"


def _thread(call: Call) -> Thread:
    return discussion.thread_of(call.pull_request, call.number("threadId"))


def _comment(call: Call) -> Comment:
    return discussion.comment_of(_thread(call), call.number("commentId"))


def _thread_answer(call: Call, thread: Thread) -> Answer:
    return Answer(discussion_shapes.thread(call.world, call.pull_request.number, thread))


def _comment_answer(call: Call, comment: Comment) -> Answer:
    number, thread = call.pull_request.number, _thread(call).id
    return Answer(discussion_shapes.linked_comment(call.world, number, thread, comment))


@routes("GET", THREADS)
def threads(call: Call) -> Answer:
    """All threads, the system's and deleted ones included; there are no pages."""
    found = call.pull_request
    return listed(
        [discussion_shapes.thread(call.world, found.number, each) for each in found.threads]
    )


@routes("POST", THREADS)
def start(call: Call) -> Answer:
    """Begin a thread."""
    return _thread_answer(
        call, discussion.start_thread(call.world, call.pull_request, call.person, call.object())
    )


@routes("GET", THREAD)
def thread(call: Call) -> Answer:
    """One thread."""
    return _thread_answer(call, _thread(call))


@routes("PATCH", THREAD)
def change(call: Call) -> Answer:
    """Change a thread's status or properties."""
    found = _thread(call)
    discussion.change_thread(call.world, call.pull_request, found, call.object())
    return _thread_answer(call, found)


@routes("GET", f"{THREAD}/comments")
def comments(call: Call) -> Answer:
    """A thread's comments."""
    number, found = call.pull_request.number, _thread(call)
    return listed(
        [
            discussion_shapes.linked_comment(call.world, number, found.id, each)
            for each in found.comments
        ]
    )


@routes("POST", f"{THREAD}/comments")
def reply(call: Call) -> Answer:
    """Add a comment."""
    return _comment_answer(
        call,
        discussion.reply(call.world, call.pull_request, _thread(call), call.person, call.object()),
    )


@routes("GET", COMMENT)
def comment(call: Call) -> Answer:
    """One comment."""
    return _comment_answer(call, _comment(call))


@routes("PATCH", COMMENT)
def edit(call: Call) -> Answer:
    """Replace the content of one's own comment."""
    found = _comment(call)
    content = call.object().get("content")
    discussion.edit(call.world, call.pull_request, _thread(call), found, call.person, content)
    return _comment_answer(call, found)


@routes("DELETE", COMMENT)
def delete(call: Call) -> Answer:
    """Delete one's own comment; it stays listed, without content."""
    discussion.delete(call.world, call.pull_request, _thread(call), _comment(call), call.person)
    return Answer()


@routes("GET", f"{COMMENT}/likes")
def likes(call: Call) -> Answer:
    """Who likes a comment."""
    return listed([shapes.person(call.world, who) for who in _comment(call).liked])


@routes("POST", f"{COMMENT}/likes")
def like(call: Call) -> Answer:
    """Like a comment; twice is once."""
    discussion.like(call.world, _comment(call), call.person)
    return Answer()


@routes("DELETE", f"{COMMENT}/likes")
def unlike(call: Call) -> Answer:
    """Take one's like back."""
    with call.world.lock:
        if call.person in _comment(call).liked:
            _comment(call).liked.remove(call.person)
    return Answer()
