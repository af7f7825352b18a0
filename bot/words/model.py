"""Why a scoring job is not pointed at a version of a model, or not rolled back to one."""

from typing import assert_never

from bot.facts.model import (
    Doubt,
    Misfit,
    NotPromoted,
    RollbackRefusal,
    SmokeFailed,
    VersionGone,
    VersionNotReady,
)
from bot.words import escape, steps


def not_promoted(refused: NotPromoted) -> str:
    """Why a job does not score with a promoted version, in the rest of a sentence about that
    version.
    """
    match refused.refusal:
        case VersionGone():
            return "it is not in the registry any more"
        case VersionNotReady(status):
            return f"the registry says of it {escape.code(status)}, not `READY`"
        case Doubt() as found:
            return f"Signalman never validated the commit it comes from: {doubt(found)}"
        case Misfit() as found:
            return misfit(found, escape.code(refused.serving) or "nothing")
        case SmokeFailed(fault):
            return f"its smoke run on toy data says {escape.code(steps.fault(fault))}"
        case _:
            assert_never(refused.refusal)


def doubt(found: Doubt) -> str:
    """Why a version counts as never validated, in the rest of a sentence."""
    commit = escape.code(found.commit[:7])
    match found.kind:
        case "no run":
            return "no MLflow run is known that trained it"
        case "another repository":
            return f"it was trained for another repository, {escape.code(found.repository)}"
        case "no commit":
            return "its MLflow run names no commit"
        case "no iteration":
            return f"pull request {found.pull_request} has no iteration with {commit}"
        case "not merged":
            return f"{commit} was not merged to {escape.code(found.target)} by a pull request"
        case "no project touched":
            return f"the last {found.merges} merges up to {commit} touch no project"
        case "no verdict":
            return f"{_judged(found)} never got a verdict of signalman/validate"
        case "bad verdict":
            return f"signalman/validate is {escape.code(found.state)} for {_judged(found)}"
        case _:
            assert_never(found.kind)


def misfit(found: Misfit, serving: str) -> str:
    """Why a model cannot take the place of another one, in the rest of a sentence; `serving` names
    that one, in Markdown.
    """
    column = escape.code(found.column)
    new = escape.code(found.new)
    old = escape.code(found.old)
    match found.kind:
        case "no signature":
            return "it has no signature, so nobody can tell what it has to be given"
        case "other inputs":
            return f"what it has to be given is not what {serving} is given"
        case "column is not given":
            return f"it needs a column {column}, which {serving} is not given"
        case "other type":
            return f"it takes {column} as {new}, and {serving} is given {old}"
        case "column may be missing":
            return f"it needs a column {column}, without which {serving} can do"
        case "no outputs":
            return f"it does not say what it gives, and {serving} does"
        case "other outputs":
            return f"it gives {new}, and {serving} gives {old}"
        case _:
            assert_never(found.kind)


def not_rolled_back(refusal: RollbackRefusal) -> str:
    """Why a job cannot be rolled back, in the rest of a sentence about it."""
    match refusal:
        case "nothing promoted":
            return "nothing is promoted that it follows."
        case "no job":
            return "it is not in the workspace."
        case "bundle":
            return "an Asset Bundle manages it; roll the bundle back."
        case "no version before":
            return "nothing is known of what it scored with before."
        case "name too long":
            return (
                "the name of its model is too long for a tag, which would have to tell that it was "
                "rolled back."
            )
        case "version gone":
            return "the version before is not in the registry any more."
        case _:
            assert_never(refusal)


def _judged(found: Doubt) -> str:
    commit = escape.code(found.commit[:7])
    if found.merged:
        return f"pull request {found.pull_request}, merged as {commit}"
    return f"{commit} of pull request {found.pull_request}"
