"""Whether the bot ever validated the commit that a model version comes from.

It did when its own status `signalman/validate` succeeded: on the iteration whose
run trained the version, or, for a version that was trained from the target
branch, on the last iteration of the pull request that was merged as that commit.
A merge that touches no project has the projects of the merge before it, which
then has to be a validated one.
"""

from bot.facts.model import Doubt, Judged, Origin

MOST = 20
"""So many merges that touch no project may lie between a commit and one that was validated."""


def doubt(origin: Origin | None, repository: str, target: str) -> Doubt | None:
    """Why a version counts as never validated; None when it was. `repository` and `target` are
    where it has to come from.
    """
    if origin is None:
        return Doubt("no run")
    if origin.repository != repository:
        return Doubt("another repository", repository=origin.repository)
    if not origin.commit:
        return Doubt("no commit")
    if origin.own:
        return _own(origin)
    return _merged(origin, target)


def settled(judged: Judged) -> bool:
    """Whether a merge says by itself if its projects were validated."""
    return judged.state != "notApplicable"


def _own(origin: Origin) -> Doubt | None:
    if not origin.judged:
        return Doubt("no iteration", origin.commit, origin.pull_request)
    verdict = origin.judged[0]
    if verdict.state == "succeeded":
        return None
    return _without_success(verdict.state, origin.commit, origin.pull_request)


def _merged(origin: Origin, target: str) -> Doubt | None:
    for judged in origin.judged:
        if judged.pull_request is None:
            return Doubt("not merged", judged.commit, target=target)
        if judged.state == "succeeded":
            return None
        if settled(judged):
            return _without_success(judged.state, judged.commit, judged.pull_request, merged=True)
    if not origin.judged:
        return Doubt("not merged", origin.commit, target=target)
    return Doubt("no project touched", origin.commit, merges=len(origin.judged))


def _without_success(
    state: str, commit: str, pull_request: int | None, *, merged: bool = False
) -> Doubt:
    if state:
        return Doubt("bad verdict", commit, pull_request, merged, state=state)
    return Doubt("no verdict", commit, pull_request, merged)
