"""Merge attempts and the merge strategies, made as real commits without a working copy."""

from collections.abc import Callable

from sandbox.azure_devops import dates, hooks_events, system_threads
from sandbox.azure_devops.git_objects import Signature
from sandbox.azure_devops.people import Person, guid
from sandbox.azure_devops.plumbing import Repository
from sandbox.azure_devops.state import PullRequest, World

STRATEGIES = ("noFastForward", "squash", "rebase", "rebaseMerge")


def signature(who: Person) -> Signature:
    """The author line of a person, now."""
    return Signature(who.name, who.email, dates.now())


def short(ref: str) -> str:
    """A branch's name without `refs/heads/`."""
    return ref.removeprefix("refs/heads/")


def attempt(world: World, found: PullRequest, announce: Callable[[], None] = lambda: None) -> None:
    """Compute the preview merge of an open pull request and tell its result.

    `refs/pull/N/merge` moves when it works and stays where it was on conflicts.
    `announce` tells of what led here; it is called when the outcome is known, so
    that its event carries it, as recorded events do.
    """
    with world.lock:
        source, target = world.git.commit_of(found.source_ref), world.git.commit_of(found.target)
        if found.status != "active" or source is None or target is None:
            announce()
            return
        found.source_commit, found.target_commit = source, target
        found.merge_id = guid("merge", world.repository_id, str(world.count("merge")))
        tree = world.git.merged_tree(target, source)
        if tree is None:
            found.merge_status, found.merge_commit = "conflicts", None
        else:
            title = (
                f"Merge pull request {found.number} from {short(found.source)} into "
                f"{short(found.target)}"
            )
            who = signature(found.author)
            found.merge_commit = world.git.commit_tree(tree, [target, source], title, who, who)
            found.merge_commits.append(found.merge_commit)
            found.merge_status = "succeeded"
            world.git.set_ref(f"refs/pull/{found.number}/merge", found.merge_commit)
        system_threads.merge_tried(world, found)
        announce()
        hooks_events.merge_attempted(world, found)


def land(
    git: Repository, strategy: str, target: str, source: str, message: str, who: Person
) -> str | None:
    """The commit the target branch would move to, or None when it conflicts."""
    by = signature(who)
    if strategy in ("rebase", "rebaseMerge"):
        rebased = _rebase(git, target, source, by)
        if rebased is None or strategy == "rebase":
            return rebased
        return git.commit_tree(git.commit(rebased).tree, [target, rebased], message, by, by)
    tree = git.merged_tree(target, source)
    if tree is None:
        return None
    parents = [target] if strategy == "squash" else [target, source]
    return git.commit_tree(tree, parents, message, by, by)


def _rebase(git: Repository, target: str, source: str, by: Signature) -> str | None:
    tip = target
    for each in git.commits("--reverse", "--topo-order", "--no-merges", f"{target}..{source}"):
        if each.parents == (tip,):
            tip = each.sha
            continue
        # git 2.39 cannot be told a merge base; a commit with the tip's tree and
        # the picked commit's parent makes that parent the base of the merge.
        ours = git.commit_tree(git.commit(tip).tree, each.parents, "base", by, by)
        tree = git.merged_tree(ours, each.sha)
        if tree is None:
            return None
        tip = git.commit_tree(tree, [tip], each.message, each.author, by)
    return tip
