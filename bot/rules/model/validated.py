"""Whether the bot ever validated the commit that a model version comes from.

It did when its own status `signalman/validate` succeeded: on the iteration whose
run trained the version, or, for a version that was trained from the target
branch, on the last iteration of the pull request that was merged as that commit.
A merge that touches no project has the projects of the merge before it, which
then has to be a validated one.
"""

from bot.facts.model import Judged, Origin
from bot.words import escape

CHECK = "signalman/validate"
MOST = 20
"""So many merges that touch no project may lie between a commit and one that was validated."""


def doubt(origin: Origin | None, repository: str, target: str) -> str:
    """Why a version counts as never validated, in the rest of a sentence; empty when it was."""
    if origin is None:
        return "no MLflow run is known that trained it"
    if origin.repository != repository:
        return f"it was trained for another repository, {escape.code(origin.repository)}"
    if not origin.commit:
        return "its MLflow run names no commit"
    if origin.own:
        return _own(origin)
    return _merged(origin, target)


def settled(judged: Judged) -> bool:
    """Whether a merge says by itself if its projects were validated."""
    return judged.state != "notApplicable"


def _own(origin: Origin) -> str:
    commit = escape.code(origin.commit[:7])
    number = origin.pull_request
    if not origin.judged:
        return f"pull request {number} has no iteration with {commit}"
    return _verdict(origin.judged[0], f"{commit} of pull request {number}")


def _merged(origin: Origin, target: str) -> str:
    for judged in origin.judged:
        commit = escape.code(judged.commit[:7])
        if not judged.pull_request:
            return f"{commit} was not merged to {escape.code(target)} by a pull request"
        if settled(judged):
            return _verdict(judged, f"pull request {judged.pull_request}, merged as {commit}")
    if not origin.judged:
        return (
            f"{escape.code(origin.commit[:7])} was not merged to {escape.code(target)} by a pull "
            "request"
        )
    return (
        f"the last {len(origin.judged)} merges up to {escape.code(origin.commit[:7])} touch no "
        "project"
    )


def _verdict(judged: Judged, what: str) -> str:
    match judged.state:
        case "succeeded":
            return ""
        case "":
            return f"{what} never got a verdict of {CHECK}"
        case _:
            return f"{CHECK} is {escape.code(judged.state)} for {what}"
