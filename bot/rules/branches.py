"""May a branch have this name, and which one to suggest instead.

The name becomes part of an experiment's path and of a model's name in
Databricks, which is why it is judged before anything runs.
"""

import re
import unicodedata
from collections.abc import Collection

from bot.config import BranchRule
from bot.facts import BadName


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
        return BadName(name, sentence=f"It has {len(name)} characters; {rule.longest} are allowed.")
    if rule.pattern is not None and not re.fullmatch(rule.pattern, name):
        return BadName(name, sentence=f"It does not match the pattern {rule.pattern}.")
    return None


def suggest(name: str, rule: BranchRule, taken: Collection[str]) -> str | None:
    """A name close to the given one that the rule allows and no branch has; None when none is in sight.

    Azure DevOps compares branch names by case, a Windows clone does not, so a
    name that differs from a taken one in case only is taken.
    """
    plain = "".join("_" if c in rule.forbidden or _unseen(c) or c.isspace() else c for c in name)
    plain = re.sub(r"_{2,}", "_", plain).strip("_-") or "branch"
    lowered = {one.casefold() for one in taken}
    for number in range(1, 1000):
        suffix = "" if number == 1 else f"_{number}"
        candidate = plain[: rule.longest - len(suffix)] + suffix
        if candidate.casefold() not in lowered and judge(candidate, rule) is None:
            return candidate
    return None


def _unseen(character: str) -> bool:
    # Control and format characters (such as right-to-left marks) make two paths look alike.
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
