"""Opening, editing, abandoning and reviewing pull requests: what REST and the person-side verbs
share.

Every function takes the world's lock itself and raises `Refusal` where the
service would.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from sandbox.azure_devops import completion, dates, hooks_events, merging, pushes, system_threads
from sandbox.azure_devops.people import Person, guid
from sandbox.azure_devops.refusal import FRAMEWORK, Refusal, invalid
from sandbox.azure_devops.shapes import fork_id
from sandbox.azure_devops.state import PullRequest, Reviewer, World, fork_ref

VOTES = {
    10: "approved",
    5: "has approved and left suggestions on",
    0: "reset their vote on",
    -5: "is waiting for the author on",
    -10: "rejected",
}
EDITABLE = {
    "status",
    "title",
    "description",
    "completionOptions",
    "mergeOptions",
    "autoCompleteSetBy",
    "targetRefName",
    "isDraft",
    "lastMergeSourceCommit",
}
TITLE_LIMIT, DESCRIPTION_LIMIT = 400, 4000


def open_pull_request(world: World, who: Person, wish: Mapping[str, Any]) -> PullRequest:
    """Open a pull request from the fields of a REST body."""
    with world.lock:
        source, target = str(wish.get("sourceRefName") or ""), str(wish.get("targetRefName") or "")
        fork = _fork(world, wish.get("forkSource") or {})
        for name, ref in (("sourceRefName", source), ("targetRefName", target)):
            if not ref.startswith("refs/heads/"):
                raise invalid(
                    name, f"'{ref}' is not a full branch name; it begins with refs/heads/."
                )
        if source == target and not fork:
            raise invalid("sourceRefName", "The source and the target branch are the same.")
        _title(str(wish.get("title") or ""))
        _description(str(wish.get("description") or ""))
        head, tip = world.git.commit_of(fork_ref(fork, source)), world.git.commit_of(target)
        for name, commit in ((source, head), (target, tip)):
            _refuse_missing({name: commit})
        if any(
            (each.fork, each.source, each.target) == (fork, source, target)
            for each in world.active()
        ):
            raise Refusal(
                409,
                "GitPullRequestExistsException",
                "TF401179: An active pull request for the source and target branch already exists.",
            )
        found = PullRequest(
            number=world.count("pull request"),
            title=str(wish["title"]),
            description=str(wish.get("description") or ""),
            source=source,
            target=target,
            author=who,
            created=dates.now(),
            source_commit=str(head),
            target_commit=str(tip),
            draft=bool(wish.get("isDraft")),
            merge_id=guid("merge", world.repository_id, str(world.count("merge"))),
            fork=fork,
        )
        for label in wish.get("labels") or []:
            found.labels[label["name"]] = guid("label", label["name"])
        for each in wish.get("reviewers") or []:
            person = known(world, each.get("id"))
            found.reviewers[person.id] = Reviewer(person, required=bool(each.get("isRequired")))
        pushes.first_iteration(world, found)
        world.pull_requests[found.number] = found
        announce = partial(hooks_events.pull_request_created, world, found)
        world.jobs.submit(partial(merging.attempt, world, found, announce))
        return found


def change(world: World, found: PullRequest, who: Person, wish: Mapping[str, Any]) -> None:
    """Change a pull request as a PATCH body asks, completion included."""
    with world.lock:
        strange = [name for name in wish if name not in EDITABLE]
        if strange:
            raise invalid(strange[0], f"'{strange[0]}' of a pull request cannot be changed.")
        if "title" in wish:
            found.title = _title(str(wish["title"] or ""))
        if "description" in wish:
            found.description = _description(str(wish["description"] or ""))
        if "isDraft" in wish and bool(wish["isDraft"]) != found.draft:
            found.draft = bool(wish["isDraft"])
            words = "marked as a draft" if found.draft else "published"
            hooks_events.pull_request_updated(world, found, who, words, "StatusUpdateNotification")
        if "targetRefName" in wish:
            _retarget(world, found, str(wish["targetRefName"]))
        if "status" not in wish and "completionOptions" in wish:
            found.completion_options = dict(wish["completionOptions"] or {})
        if "autoCompleteSetBy" in wish:
            setter = (wish["autoCompleteSetBy"] or {}).get("id")
            off = setter in (None, "", "00000000-0000-0000-0000-000000000000")
            found.auto_complete_by = None if off else known(world, setter)
        _set_status(world, found, who, wish)
        completion.when_allowed(world, found)


def _set_status(world: World, found: PullRequest, who: Person, wish: Mapping[str, Any]) -> None:
    status = wish.get("status")
    if status is None or (status == found.status and status != "completed"):
        return
    if status == "completed":
        head = (wish.get("lastMergeSourceCommit") or {}).get("commitId")
        options = wish.get("completionOptions") or found.completion_options or {}
        completion.begin(world, found, who, head, options)
        return
    if status == "abandoned" and found.status == "active":
        found.status, found.closed, found.closed_by = "abandoned", dates.now(), who
        words = "abandoned"
    elif status == "active" and found.status == "abandoned":
        if not (world.git.commit_of(found.source_ref) and world.git.commit_of(found.target)):
            raise Refusal(
                400,
                "GitPullRequestCannotBeActivated",
                "TF401398: The pull request cannot be activated because the source and/or the "
                "target branch no longer exists, or the requested status update is not possible.",
            )
        found.status, found.closed, found.closed_by, found.merge_status = (
            "active",
            None,
            None,
            "queued",
        )
        words = "reactivated"
        world.jobs.submit(partial(merging.attempt, world, found))
    else:
        raise invalid("status", f"A pull request that is {found.status} cannot become '{status}'.")
    system_threads.status_changed(world, found, who)
    hooks_events.pull_request_updated(world, found, who, words, "StatusUpdateNotification")


def vote(
    world: World, found: PullRequest, who: Person, value: int, *, required: bool | None = None
) -> Reviewer:
    """Vote, or with 0 just be asked to look. Tells the change of reviewers first when the person is
    new.
    """
    with world.lock:
        if value not in VOTES:
            raise invalid("vote", f"A vote is 10, 5, 0, -5 or -10; {value} is none.")
        new = who.id not in found.reviewers
        reviewer = found.reviewers.setdefault(who.id, Reviewer(who))
        if required is not None:
            reviewer.required = required
        if new:
            system_threads.reviewers_changed(world, found, who, added=who)
            _tell_reviewers(world, found, who)
        if value != reviewer.vote:
            reviewer.vote = value
            system_threads.voted(world, found, who, value)
            hooks_events.pull_request_updated(
                world, found, who, VOTES[value], "ReviewerVoteNotification"
            )
        completion.when_allowed(world, found)
        return reviewer


def remove_reviewer(world: World, found: PullRequest, who: Person, reviewer: str) -> None:
    """Take someone off the list of reviewers."""
    with world.lock:
        gone = found.reviewers.pop(reviewer, None)
        if gone is not None:
            system_threads.reviewers_changed(world, found, who, removed=gone.person)
            _tell_reviewers(world, found, who)


def known(world: World, identity: Any) -> Person:
    """The person with this id; 404 where the organisation knows none."""
    person = world.people.with_id(str(identity))
    if person is None:
        raise Refusal(
            404,
            "GitIdentityNotFoundException",
            f"TF401232: The identity {identity} could not be found.",
        )
    return person


def _tell_reviewers(world: World, found: PullRequest, who: Person) -> None:
    hooks_events.pull_request_updated(
        world, found, who, "changed the reviewer list on", "ReviewersUpdateNotification"
    )


def _retarget(world: World, found: PullRequest, target: str) -> None:
    tip = world.git.commit_of(target)
    _refuse_missing({target: tip})
    found.target, found.target_commit, found.merge_status = target, str(tip), "queued"
    pushes.retarget(world, found)
    world.jobs.submit(partial(merging.attempt, world, found))


def _refuse_missing(tips: Mapping[str, str | None]) -> None:
    for ref, tip in tips.items():
        if tip is None:
            raise Refusal(
                404,
                "GitRefNotFoundException",
                f"TF401035: The object '{ref}' does not exist.",
            )


def _fork(world: World, given: Mapping[str, Any]) -> str:
    """The fork that a body names by its id, or none."""
    identity = str((given.get("repository") or {}).get("id") or "").lower()
    if not identity or identity == world.repository_id:
        return ""
    for name in world.forks:
        if identity == fork_id(world, name):
            return name
    raise Refusal(
        404,
        "GitRepositoryNotFoundException",
        f"TF401019: The Git repository with name or identifier {identity} does not exist "
        "or you do not have permissions for the operation you are attempting.",
    )


def _title(text: str) -> str:
    if not text.strip() or len(text) > TITLE_LIMIT:
        raise Refusal(
            400,
            "InvalidArgumentValueException",
            f"A pull request's title has between 1 and {TITLE_LIMIT} characters; this one has "
            f"{len(text)}."
            "\r\nParameter name: title",
            area=FRAMEWORK,
        )
    return text


def _description(text: str) -> str:
    if len(text) > DESCRIPTION_LIMIT:
        raise invalid(
            "description",
            f"A pull request's description has at most {DESCRIPTION_LIMIT} characters; this one "
            f"has {len(text)}.",
        )
    return text
