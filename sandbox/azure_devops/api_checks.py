"""REST: statuses, attachments, labels, properties and reviewers of a pull request."""

from sandbox.azure_devops import discussion, discussion_shapes, lifecycle, pull_request_shapes
from sandbox.azure_devops.api_pull_requests import ONE
from sandbox.azure_devops.bag import patched
from sandbox.azure_devops.calls import BYTES, JSON_PATCH, Answer, Call, Routes, listed
from sandbox.azure_devops.people import guid
from sandbox.azure_devops.refusal import Refusal, invalid
from sandbox.azure_devops.state import Attachment, Status

routes = Routes()
ITERATION = f"{ONE}/iterations/{{iterationId}}"


def _iteration(call: Call) -> int | None:
    return call.number("iterationId") if "iterationId" in call.path else None


def _posted(call: Call) -> list[Status]:
    iteration = _iteration(call)
    return [each for each in call.pull_request.statuses if iteration in (None, each.iteration)]


@routes("GET", f"{ITERATION}/statuses")
@routes("GET", f"{ONE}/statuses")
def statuses(call: Call) -> Answer:
    """Every status ever posted, oldest first; not only the newest of each context."""
    return listed([discussion_shapes.status(call.world, each) for each in _posted(call)])


@routes("POST", f"{ITERATION}/statuses")
@routes("POST", f"{ONE}/statuses")
def post_status(call: Call) -> Answer:
    """Post a status, on the pull request or on an iteration."""
    found = discussion.post_status(
        call.world, call.pull_request, call.person, call.object(), _iteration(call)
    )
    return Answer(discussion_shapes.linked_status(call.world, call.pull_request.number, found))


@routes("GET", f"{ITERATION}/statuses/{{statusId}}")
@routes("GET", f"{ONE}/statuses/{{statusId}}")
def status(call: Call) -> Answer:
    """One status."""
    found = _status(call, call.number("statusId"))
    return Answer(discussion_shapes.linked_status(call.world, call.pull_request.number, found))


@routes("DELETE", f"{ITERATION}/statuses/{{statusId}}")
@routes("DELETE", f"{ONE}/statuses/{{statusId}}")
def delete_status(call: Call) -> Answer:
    """Remove a status."""
    with call.world.lock:
        call.pull_request.statuses.remove(_status(call, call.number("statusId")))
    return Answer()


@routes("PATCH", f"{ITERATION}/statuses", consumes=JSON_PATCH)
@routes("PATCH", f"{ONE}/statuses", consumes=JSON_PATCH)
def remove_statuses(call: Call) -> Answer:
    """Remove statuses by a json-patch document; `remove` is the only operation there is."""
    operations = call.json()
    for operation in operations if isinstance(operations, list) else [{}]:
        if operation.get("op") != "remove":
            raise invalid("patchDocument", "Statuses can only be removed.")
        with call.world.lock:
            number = str(operation.get("path", "")).strip("/")
            call.pull_request.statuses.remove(_status(call, int(number) if number.isdigit() else 0))
    return Answer()


def _status(call: Call, number: int) -> Status:
    for each in _posted(call):
        if each.id == number:
            return each
    raise Refusal(
        404, "GitPullRequestStatusNotFoundException", f"There is no pull request status {number}."
    )


@routes("GET", f"{ONE}/attachments")
def attachments(call: Call) -> Answer:
    """The files attached to a pull request."""
    found = call.pull_request
    return listed(
        [discussion_shapes.attachment(call.world, found.number, each) for each in found.attachments]
    )


@routes("POST", f"{ONE}/attachments/{{fileName}}", consumes=BYTES)
def attach(call: Call) -> Answer:
    """Attach a file."""
    found = call.pull_request
    attachment = discussion.attach(call.world, found, call.path["fileName"], call.raw, call.person)
    return Answer(discussion_shapes.attachment(call.world, found.number, attachment), status=201)


@routes("GET", f"{ONE}/attachments/{{fileName}}")
def attachment(call: Call) -> Answer:
    """An attachment's bytes."""
    return Answer(_attachment(call).content, content_type="application/octet-stream")


@routes("DELETE", f"{ONE}/attachments/{{fileName}}")
def detach(call: Call) -> Answer:
    """Remove an attachment."""
    with call.world.lock:
        call.pull_request.attachments.remove(_attachment(call))
    return Answer()


def _attachment(call: Call) -> Attachment:
    for each in call.pull_request.attachments:
        if each.name == call.path["fileName"]:
            return each
    raise Refusal(
        404,
        "GitPullRequestAttachmentNotFoundException",
        f"There is no attachment '{call.path['fileName']}'.",
    )


@routes("GET", f"{ONE}/labels")
def labels(call: Call) -> Answer:
    """The labels of a pull request."""
    found = call.pull_request
    return listed(
        [
            pull_request_shapes.label(call.world, found.number, name, key)
            for name, key in found.labels.items()
        ]
    )


@routes("POST", f"{ONE}/labels")
def add_label(call: Call) -> Answer:
    """Add a label; one that is there already stays."""
    name = str(call.object().get("name") or "").strip()
    if not name:
        raise Refusal(400, "GitPullRequestLabelNameInvalid", "A label needs a name.")
    with call.world.lock:
        key = call.pull_request.labels.setdefault(name, guid("label", name))
    return Answer(pull_request_shapes.label(call.world, call.pull_request.number, name, key))


@routes("GET", f"{ONE}/labels/{{labelIdOrName}}")
def label(call: Call) -> Answer:
    """One label, by name or id."""
    name = _label(call)
    return Answer(
        pull_request_shapes.label(
            call.world, call.pull_request.number, name, call.pull_request.labels[name]
        )
    )


@routes("DELETE", f"{ONE}/labels/{{labelIdOrName}}")
def remove_label(call: Call) -> Answer:
    """Remove a label, by name or id."""
    with call.world.lock:
        del call.pull_request.labels[_label(call)]
    return Answer()


def _label(call: Call) -> str:
    wanted = call.path["labelIdOrName"]
    for name, key in call.pull_request.labels.items():
        if wanted in (name, key):
            return name
    raise Refusal(404, "GitPullRequestLabelNotFoundException", f"There is no label '{wanted}'.")


@routes("GET", f"{ONE}/properties")
def properties(call: Call) -> Answer:
    """The property bag of a pull request."""
    found = call.pull_request.properties
    return Answer({"count": len(found), "value": found})


@routes("PATCH", f"{ONE}/properties", consumes=JSON_PATCH)
def change_properties(call: Call) -> Answer:
    """Change the property bag by a json-patch document."""
    with call.world.lock:
        call.pull_request.properties = patched(call.pull_request.properties, call.json())
    return properties(call)


@routes("GET", f"{ONE}/reviewers")
def reviewers(call: Call) -> Answer:
    """Who was asked to look, with their votes."""
    found = call.pull_request
    return listed(
        [
            pull_request_shapes.reviewer(call.world, each, found.number)
            for each in found.reviewers.values()
        ]
    )


@routes("PUT", f"{ONE}/reviewers/{{reviewerId}}")
def vote(call: Call) -> Answer:
    """Add a reviewer, or vote; only one's own vote can be set."""
    body, found = call.object(), call.pull_request
    who = lifecycle.known(call.world, call.path["reviewerId"])
    value = int(body.get("vote") or 0)
    if value and who != call.person:
        raise Refusal(
            403, "GitPullRequestReviewerPermission", f"Only {who.name} can vote as {who.name}."
        )
    reviewer = lifecycle.vote(call.world, found, who, value, required=body.get("isRequired"))
    return Answer(pull_request_shapes.reviewer(call.world, reviewer, found.number))


@routes("DELETE", f"{ONE}/reviewers/{{reviewerId}}")
def remove_reviewer(call: Call) -> Answer:
    """Take a reviewer off."""
    lifecycle.remove_reviewer(call.world, call.pull_request, call.person, call.path["reviewerId"])
    return Answer()
