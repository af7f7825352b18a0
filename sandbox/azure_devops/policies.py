"""Branch policies: which apply to a pull request, whether they are met, what they forbid.

Understood are the status check, minimum reviewers and comment resolution
policies; any other type may be configured and always counts as met.
"""

import fnmatch
from typing import Any

from sandbox.azure_devops.refusal import Refusal
from sandbox.azure_devops.state import Policy, PullRequest, Status, World

STATUS = "cbdc66da-9728-4af8-aada-9a5a32e4a226"
REVIEWERS = "fa4e907d-c16b-4a4c-9dfa-4906e5d171dd"
COMMENTS = "c6a1889d-b943-4856-b76f-9e46bb6b0df2"
NAMES = {
    STATUS: "Status",
    REVIEWERS: "Minimum number of reviewers",
    COMMENTS: "Comment requirements",
    "0609b952-1397-4640-95ec-e00a01b2c241": "Build",
    "fa4e907d-c16b-4a4c-9dfa-4916e5d171ab": "Require a merge strategy",
    "fd2167ab-b0be-447a-8ec8-39368250530e": "Required reviewers",
    "40e92b44-2fe1-4dd6-b3d8-74a9c21d0c6e": "Work item linking",
    "7ed39669-655c-494e-b4a0-a08b4da0fcce": "Git repository settings",
}


def guards(world: World, policy: Policy, ref: str) -> bool:
    """Whether the policy is on and its scope holds the branch."""
    if not policy.enabled or policy.deleted:
        return False
    for scope in policy.settings.get("scope", []):
        if scope.get("repositoryId") not in (None, "", world.repository_id):
            continue
        wanted = scope.get("refName")
        prefix = str(scope.get("matchKind", "exact")).lower() == "prefix"
        if not wanted or ref == wanted or (prefix and ref.startswith(wanted)):
            return True
    return False


def evaluations(world: World, found: PullRequest) -> list[tuple[Policy, str]]:
    """Every policy that guards the target branch, and its state: approved, rejected, queued,
    running, notApplicable.
    """
    return [
        (each, _state(world, each, found))
        for each in world.policies
        if guards(world, each, found.target)
    ]


def blockers(world: World, found: PullRequest) -> list[Policy]:
    """The blocking policies that are not met."""
    return [
        policy
        for policy, state in evaluations(world, found)
        if policy.blocking and state not in ("approved", "notApplicable")
    ]


def refuse_unmet(world: World, found: PullRequest) -> None:
    """Refuse to complete a pull request with a 403 while a blocking policy is unmet."""
    unmet = blockers(world, found)
    if unmet:
        names = ", ".join(title(policy) for policy in unmet)
        raise Refusal(
            403,
            "GitPullRequestUpdateRejectedByPolicyException",
            "The pull request cannot be completed because required policies are not satisfied: "
            f"{names}.",
        )


def refuse_status_without_iteration(
    world: World, found: PullRequest, genre: str | None, name: str
) -> None:
    """Refuse a status posted without an iteration where a policy resets statuses on new changes."""
    for policy in world.policies:
        wants = policy.type_id == STATUS and guards(world, policy, found.target)
        same = (
            policy.settings.get("statusName") == name
            and (policy.settings.get("statusGenre") or None) == genre
        )
        if wants and same and policy.settings.get("invalidateOnSourceUpdate"):
            raise Refusal(
                403,
                "GitPullRequestStatusRejectedByPolicyException",
                "Pull request status rejected by status policy. Policy configuration requires "
                "status to be posted on iteration",
            )


def protected(world: World) -> list[str]:
    """Branches nobody may push to directly, because a blocking policy guards them."""
    blocking = [policy for policy in world.policies if policy.blocking]
    return [
        ref
        for ref in world.git.refs("refs/heads/")
        if any(guards(world, policy, ref) for policy in blocking)
    ]


def title(policy: Policy) -> str:
    """What people know the policy by."""
    settings = policy.settings
    if policy.type_id == STATUS:
        full = "/".join(filter(None, [settings.get("statusGenre"), settings.get("statusName")]))
        return str(settings.get("defaultDisplayName") or full)
    return NAMES.get(policy.type_id, policy.type_id)


def _state(world: World, policy: Policy, found: PullRequest) -> str:
    settings = policy.settings
    if not _touches(world, settings, found):
        return "notApplicable"
    if policy.type_id == STATUS:
        return _status_state(settings, found)
    if policy.type_id == REVIEWERS:
        votes = [
            each.vote
            for each in found.reviewers.values()
            if settings.get("creatorVoteCounts") or each.person != found.author
        ]
        if any(vote == -10 for vote in votes):
            return "rejected"
        return (
            "approved"
            if sum(vote > 0 for vote in votes) >= settings.get("minimumApproverCount", 1)
            else "queued"
        )
    if policy.type_id == COMMENTS:
        waiting = (
            each
            for each in found.threads
            if each.status in ("active", "pending") and not each.deleted
        )
        return "rejected" if any(waiting) else "approved"
    return "approved"


def _touches(world: World, settings: dict[str, Any], found: PullRequest) -> bool:
    patterns = settings.get("filenamePatterns") or []
    if not patterns:
        return True
    last = found.iterations[-1]
    paths = ["/" + change.path for change in world.git.changes(last.common, last.source)]
    return any(fnmatch.fnmatchcase(path, pattern) for path in paths for pattern in patterns)


def _status_state(settings: dict[str, Any], found: PullRequest) -> str:
    posted = [each for each in found.statuses if _counts(settings, each)]
    if not posted and settings.get("policyApplicability") == 1:
        return "notApplicable"
    if settings.get("invalidateOnSourceUpdate"):
        posted = [each for each in posted if each.iteration == found.iterations[-1].id]
    if not posted:
        return "queued"
    states = {
        "succeeded": "approved",
        "failed": "rejected",
        "error": "rejected",
        "notApplicable": "notApplicable",
    }
    return states.get(posted[-1].state, "running")


def _counts(settings: dict[str, Any], status: Status) -> bool:
    author = settings.get("authorId")
    return (
        status.name == settings.get("statusName")
        and status.genre == (settings.get("statusGenre") or None)
        and author in (None, "", status.author.id)
    )
