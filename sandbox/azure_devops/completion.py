"""Completing a pull request: accepted at once, carried out a little later.

`lastMergeSourceCommit` is the concurrency check. A completion that meets a
conflict or a policy that is no longer met leaves the pull request active.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from sandbox.azure_devops import dates, hooks_events, merging, policies, pushes, system_threads
from sandbox.azure_devops.people import Person
from sandbox.azure_devops.plumbing import ZERO
from sandbox.azure_devops.refusal import Refusal, invalid
from sandbox.azure_devops.state import PullRequest, RefUpdate, World


def begin(
    world: World, found: PullRequest, who: Person, head: str | None, options: Mapping[str, Any]
) -> None:
    """Accept a completion; a `Refusal` when it is stale (409), against policy (403) or makes no
    sense (400).
    """
    if found.status != "active":
        raise invalid(
            "status", f"Pull request {found.number} is {found.status} and cannot be completed."
        )
    if found.draft:
        raise invalid("status", f"Pull request {found.number} is a draft and cannot be completed.")
    if not head:
        raise invalid(
            "lastMergeSourceCommit",
            "Completing a pull request needs the last source commit it was read at.",
        )
    if head != world.git.commit_of(found.source_ref):
        raise Refusal(
            409,
            "GitPullRequestStaleException",
            "TF401192: The source branch has been modified since the last merge attempt.",
        )
    strategy = options.get("mergeStrategy") or (
        "squash" if options.get("squashMerge") else "noFastForward"
    )
    if strategy not in merging.STRATEGIES:
        raise invalid(
            "completionOptions.mergeStrategy", f"There is no merge strategy '{strategy}'."
        )
    if not options.get("bypassPolicy"):
        policies.refuse_unmet(world, found)
    found.completion_options = {"mergeStrategy": strategy} | dict(options)
    found.completion_queued = dates.now()
    found.merge_status = "queued"
    world.jobs.submit(partial(_finish, world, found, who, head))


def when_allowed(world: World, found: PullRequest) -> None:
    """Complete a pull request that waits for its policies (auto-complete), once they are met."""
    waiting = (
        found.status == "active"
        and found.auto_complete_by
        and not found.draft
        and not found.completion_queued
    )
    head = world.git.commit_of(found.source_ref)
    if waiting and found.auto_complete_by and head and not policies.blockers(world, found):
        options = dict(found.completion_options or {}) | {"triggeredByAutoComplete": True}
        begin(world, found, found.auto_complete_by, head, options)


def _finish(world: World, found: PullRequest, who: Person, head: str) -> None:
    with world.lock:
        options = found.completion_options or {}
        target, source = world.git.commit_of(found.target), world.git.commit_of(found.source_ref)
        if found.status != "active" or target is None:
            return
        if source != head:
            _call_off(world, found, "queued")
            return
        if not options.get("bypassPolicy") and policies.blockers(world, found):
            _call_off(world, found, "rejectedByPolicy")
            return
        title = f"Merged PR {found.number}: {found.title}"
        message = options.get("mergeCommitMessage") or "\n\n".join(
            filter(None, [title, found.description])
        )
        landed = merging.land(world.git, options["mergeStrategy"], target, head, message, who)
        found.source_commit, found.target_commit = head, target
        if landed is None:
            _call_off(world, found, "conflicts")
            return
        _close(world, found, who, landed)
        updates = [RefUpdate(found.target, target, landed)]
        world.git.set_ref(found.target, landed)
        pushes.record(world, who, updates)
        if options.get("deleteSourceBranch"):
            world.git.set_ref(found.source_ref, ZERO)
            pushes.record(world, who, [RefUpdate(found.source_ref, head, ZERO)])


def _close(world: World, found: PullRequest, who: Person, landed: str) -> None:
    found.status, found.merge_status, found.merge_commit = "completed", "succeeded", landed
    found.merge_commits.append(landed)
    found.closed, found.closed_by = dates.now(), who
    system_threads.status_changed(world, found, who)
    hooks_events.pull_request_updated(world, found, who, "completed", "StatusUpdateNotification")
    hooks_events.merge_attempted(world, found)


def _call_off(world: World, found: PullRequest, merge_status: str) -> None:
    found.merge_status, found.completion_queued, found.auto_complete_by = merge_status, None, None
    if merge_status == "conflicts":
        found.merge_commit = None
    if merge_status != "queued":
        system_threads.merge_tried(world, found)
        hooks_events.merge_attempted(world, found)
