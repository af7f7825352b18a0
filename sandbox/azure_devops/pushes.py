"""What a push sets off: a record, events, new iterations, new merge attempts."""

from collections.abc import Sequence
from functools import partial

from sandbox.azure_devops import dates, hooks_events, merging, system_threads
from sandbox.azure_devops.people import Person
from sandbox.azure_devops.plumbing import ZERO
from sandbox.azure_devops.state import FORKS, Iteration, PullRequest, Push, RefUpdate, World


def record(world: World, who: Person, updates: Sequence[RefUpdate]) -> Push | None:
    """Take note of refs that have just moved. The caller holds the world's lock."""
    moved = [
        update
        for update in updates
        if update.old != update.new and not update.name.startswith("refs/pull/")
    ]
    if not moved:
        return None
    push = Push(world.count("push"), who, dates.now(), tuple(moved))
    if not moved[0].name.startswith(
        f"{FORKS}/"
    ):  # A fork is another repository, with service hooks of its own.
        world.pushes.append(push)
        hooks_events.pushed(world, push)
    for update in moved:
        for found in world.active():
            if found.source_ref == update.name and update.new != ZERO:
                _next_iteration(world, found, push, update.new)
            elif found.target == update.name and update.new != ZERO:
                found.merge_status = "queued"
                world.jobs.submit(partial(merging.attempt, world, found))
    return push


def first_iteration(world: World, found: PullRequest) -> None:
    """The iteration a pull request is opened with."""
    _add_iteration(world, found, found.author, "create", found.source_commit, len(world.pushes))


def retarget(world: World, found: PullRequest) -> None:
    """The iteration that begins when a pull request gets another target branch."""
    _add_iteration(world, found, found.author, "retarget", found.head, len(world.pushes))


def _next_iteration(world: World, found: PullRequest, push: Push, head: str) -> None:
    before = found.head
    if before == head:
        return
    forced = not world.git.is_ancestor(before, head)
    _add_iteration(world, found, push.person, "forcePush" if forced else "push", head, push.id)
    new = [
        commit.sha
        for commit in world.git.commits("--max-count=100", head, f"^{before}", f"^{found.target}")
    ]
    system_threads.branch_moved(world, found, push.person, new)
    found.merge_status = "queued"
    action, kind = "updated the source branch of", "PushNotification"
    announce = partial(hooks_events.pull_request_updated, world, found, push.person, action, kind)
    world.jobs.submit(partial(merging.attempt, world, found, announce))


def _add_iteration(
    world: World, found: PullRequest, who: Person, reason: str, head: str, push: int
) -> None:
    target = world.git.commit_of(found.target) or found.target_commit
    common = world.git.merge_base(target, head) or target
    number = len(found.iterations) + 1
    found.iterations.append(Iteration(number, who, reason, head, target, common, dates.now(), push))
