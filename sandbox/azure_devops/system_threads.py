"""The threads the service writes itself: who pushed, voted, changed reviewers or status, and merge
attempts.

Property names follow the threads example of Microsoft's REST specification.
"""

from typing import Any

from sandbox.azure_devops import dates
from sandbox.azure_devops.bag import bag
from sandbox.azure_devops.people import Person
from sandbox.azure_devops.state import Comment, PullRequest, Thread, World


def note(
    world: World, found: PullRequest, kind: str, sentence: str, properties: dict[str, Any]
) -> None:
    """Add a system thread of this kind (`CodeReviewThreadType`)."""
    moment = dates.now()
    comment = Comment(1, 0, world.people.system, sentence, moment, moment, moment, kind="system")
    typed = bag({"CodeReviewThreadType": kind} | properties)
    found.threads.append(Thread(world.count("thread"), [comment], None, moment, moment, typed))


def branch_moved(world: World, found: PullRequest, who: Person, commits: list[str]) -> None:
    """The source branch was pushed to; `commits` are the new ones, newest first."""
    properties = {
        "CodeReviewRefName": found.source,
        "CodeReviewRefNewCommits": ";".join(commits),
        "CodeReviewRefNewCommitsCount": len(commits),
        "CodeReviewRefNewHeadCommit": found.head,
        "CodeReviewRefUpdatedBy": who.email,
        "CodeReviewRefUpdatedByDisplayName": who.name,
        "CodeReviewRefUpdatedByTfId": who.id,
    }
    note(world, found, "RefUpdate", f"The reference {found.source} was updated.", properties)


def merge_tried(world: World, found: PullRequest) -> None:
    """The merge job has finished."""
    properties = {
        "CodeReviewMergeStatus": found.merge_status[0].upper() + found.merge_status[1:],
        "CodeReviewSourceCommit": found.source_commit,
        "CodeReviewTargetCommit": found.target_commit,
        "CodeReviewMergeCommit": found.merge_commit,
    }
    sentence = "The pull request has merge conflicts."
    if found.merge_commit:
        sentence = (
            f"The pull request can be merged; the merge commit would be {found.merge_commit}."
        )
    note(world, found, "MergeAttempt", sentence, properties)


def voted(world: World, found: PullRequest, who: Person, vote: int) -> None:
    """A reviewer voted."""
    properties = {
        "CodeReviewVotedByDisplayName": who.name,
        "CodeReviewVotedByTfId": who.id,
        "CodeReviewVoteResult": str(vote),
    }
    note(world, found, "VoteUpdate", f"{who.name} voted {vote}", properties)


def reviewers_changed(
    world: World,
    found: PullRequest,
    by: Person,
    added: Person | None = None,
    removed: Person | None = None,
) -> None:
    """Someone was asked to look, or no longer is."""
    properties: dict[str, Any] = {
        "CodeReviewReviewersUpdatedByDisplayname": by.name,
        "CodeReviewReviewersUpdatedByTfId": by.id,
        "CodeReviewReviewersUpdatedNumAdded": int(added is not None),
        "CodeReviewReviewersUpdatedNumRemoved": int(removed is not None),
    }
    sentence = f"{by.name} changed the reviewers"
    if added:
        properties["CodeReviewReviewersUpdatedAddedDisplayName"] = added.name
        properties["CodeReviewReviewersUpdatedAddedTfId"] = added.id
        sentence = f"{by.name} added {added.name} as a reviewer"
    if removed:
        properties["CodeReviewReviewersUpdatedRemovedDisplayName"] = removed.name
        properties["CodeReviewReviewersUpdatedRemovedTfId"] = removed.id
        sentence = f"{by.name} removed {removed.name} from the reviewers"
    note(world, found, "ReviewersUpdate", sentence, properties)


def status_changed(world: World, found: PullRequest, by: Person) -> None:
    """The pull request was completed, abandoned or reactivated."""
    status = found.status.capitalize()
    properties = {
        "CodeReviewStatus": status,
        "CodeReviewStatusUpdatedByDisplayName": by.name,
        "CodeReviewStatusUpdatedByTfId": by.id,
    }
    note(
        world,
        found,
        "StatusUpdate",
        f"{by.name} updated the pull request status to {status}",
        properties,
    )
