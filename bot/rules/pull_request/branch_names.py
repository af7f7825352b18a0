"""May a branch have this name, and which one to suggest instead.

The name becomes part of an experiment's path and of a model's name in
Databricks, which is why it is judged before anything runs.
"""

import re
import unicodedata
from collections.abc import Collection

from bot.config.repository import BranchRule
from bot.facts.pull_request import BadName

_NOT_GIT = "~^:?*[\\@{"


def judge(name: str, rule: BranchRule) -> BadName | None:
    """Say what is wrong with a source branch's name; None when it may be used."""
    at_fault = tuple(
        (character, position)
        for position, character in enumerate(name, start=1)
        if character in rule.forbidden or _unseen(character)
    )
    if at_fault:
        return BadName(name, at_fault)
    if len(name) > rule.longest:
        return BadName(name, most=rule.longest)
    if rule.pattern is not None and not re.fullmatch(rule.pattern, name):
        return BadName(name, pattern=rule.pattern)
    return None


def suggest(name: str, rule: BranchRule, taken: Collection[str]) -> str | None:
    """A name close to the given one that the rule allows and no branch has; None when none is in
    sight.

    Azure DevOps compares branch names by case, a Windows clone does not, so a
    name that differs from a taken one in case only is taken.
    """
    bad = {*rule.forbidden, *_NOT_GIT}
    plain = "".join("_" if c in bad or _unseen(c) or c.isspace() else c for c in name)
    plain = re.sub(r"_{2,}", "_", plain).strip("_-/") or "branch"
    lowered = {branch.casefold() for branch in taken}
    # A branch `a/b` is a file in a folder `a` to Git, so there can be no branch `a` beside it.
    folders = {parent for branch in lowered for parent in _parents(branch)}
    for number in range(1, 1000):
        if number == 1:
            suffix = ""
        else:
            suffix = f"_{number}"
        candidate = _tidy(plain[: rule.longest - len(suffix)]) + suffix
        folded = candidate.casefold()
        free = folded not in lowered | folders and not lowered & set(_parents(folded))
        if free and _git_takes(candidate) and judge(candidate, rule) is None:
            return candidate
    return None


def _parents(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts))]


def _git_takes(name: str) -> bool:
    # https://git-scm.com/docs/git-check-ref-format; and no branch may be called HEAD or begin with
    # a dash.
    parts = name.split("/")
    odd = name in ("HEAD", "@") or name.startswith("-") or ".." in name or name.endswith(".")
    return not odd and all(part and part[0] != "." and not part.endswith(".lock") for part in parts)


def _tidy(name: str) -> str:
    while (shorter := name.rstrip("./").removesuffix(".lock")) != name:
        name = shorter
    return name


def _unseen(character: str) -> bool:
    # Control and format characters (such as right-to-left marks) make two paths look alike.
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
