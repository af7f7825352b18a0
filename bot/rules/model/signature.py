"""Whether a model can be given what another one was given, by their signatures.

A signature is what MLflow writes into a model's files
(https://mlflow.org/docs/latest/ml/model/signatures/), as canonical JSON: `inputs` and `outputs`,
each a list of columns or of tensors. Columns that a model does not know are left out before it
scores, so that a model may take fewer than were given, and more only where it can do without.
"""

import json
from typing import Any

from bot.words import escape

Columns = dict[str, dict[str, Any]]


def misfit(new: str, old: str, who: str) -> str:
    """Why a model with the signature `new` cannot take the place of one with `old`, in the rest of
    a sentence.

    Empty when it can. `who` names the old one; an empty `old` asks for nothing but that there is a
    new one.
    """
    ours = _read(new)
    theirs = _read(old)
    if not ours.get("inputs"):
        return "it has no signature, so nobody can tell what it has to be given"
    if not theirs:
        return ""
    return _inputs(ours["inputs"], theirs.get("inputs") or [], who) or _outputs(ours, theirs, who)


def _inputs(ours: list[Any], theirs: list[Any], who: str) -> str:
    if not theirs:
        return ""
    needs = _columns(ours)
    gives = _columns(theirs)
    if needs is None or gives is None:
        same = [_type(column) for column in ours] == [_type(column) for column in theirs]
        if same:
            return ""
        return f"what it has to be given is not what {who} is given"
    for name, column in needs.items():
        given = gives.get(name)
        if given is None:
            if _required(column):
                return f"it needs a column {escape.code(name)}, which {who} is not given"
        elif _type(column) != _type(given):
            wants = escape.code(_shown(column))
            gets = escape.code(_shown(given))
            return f"it takes {escape.code(name)} as {wants}, and {who} is given {gets}"
        elif _required(column) and not _required(given):
            return f"it needs a column {escape.code(name)}, without which {who} can do"
    return ""


def _outputs(ours: dict[str, list[Any]], theirs: dict[str, list[Any]], who: str) -> str:
    new = ours.get("outputs") or []
    old = theirs.get("outputs") or []
    if not old or [_type(column) for column in new] == [_type(column) for column in old]:
        return ""
    if not new:
        return f"it does not say what it gives, and {who} does"
    gives, gave = (escape.code(", ".join(_shown(column) for column in side)) for side in (new, old))
    return f"it gives {gives}, and {who} gives {gave}"


def _read(signature: str) -> dict[str, list[Any]]:
    try:
        if signature:
            found = json.loads(signature)
        else:
            found = {}
    except (ValueError, RecursionError):
        return {}
    if isinstance(found, dict):
        sides = found
    else:
        sides = {}
    return {key: one for key, one in sides.items() if isinstance(one, list)}


def _columns(side: list[Any]) -> Columns | None:
    """The columns by their names; None where not all of them have one."""
    if not all(isinstance(column, dict) and isinstance(column.get("name"), str) for column in side):
        return None
    return {column["name"]: column for column in side}


def _required(column: dict[str, Any]) -> bool:
    # MLflow wrote `optional` before it wrote `required`.
    return bool(column.get("required", True)) and not column.get("optional", False)


def _type(one: Any) -> str:
    """All that is told of a column or tensor but its name and whether it may be missing."""
    if not isinstance(one, dict):
        return str(one)
    return json.dumps(
        {k: v for k, v in one.items() if k not in ("name", "required", "optional")}, sort_keys=True
    )


def _shown(one: Any) -> str:
    if not isinstance(one, dict):
        return str(one)
    spec = one.get("tensor-spec")
    if isinstance(spec, dict):
        return f"{spec.get('dtype')}{spec.get('shape')}"
    return str(one.get("type"))
