"""Whether a model can be given what another one was given, by their signatures.

A signature is what MLflow writes into a model's files
(https://mlflow.org/docs/latest/ml/model/signatures/), as canonical JSON: `inputs` and `outputs`,
each a list of columns or of tensors. Columns that a model does not know are left out before it
scores, so that a model may take fewer than were given, and more only where it can do without.
"""

import json
from typing import Any

from bot.facts.model import Misfit

Columns = dict[str, dict[str, Any]]


def misfit(new: str, old: str) -> Misfit | None:
    """Why a model with the signature `new` cannot take the place of one with `old`; None when it
    can. An empty `old` asks for nothing but that there is a new one.
    """
    ours = _read(new)
    theirs = _read(old)
    if not ours.get("inputs"):
        return Misfit("no signature")
    if not theirs:
        return None
    return _inputs(ours["inputs"], theirs.get("inputs") or []) or _outputs(ours, theirs)


def _inputs(ours: list[Any], theirs: list[Any]) -> Misfit | None:
    if not theirs:
        return None
    needs = _columns(ours)
    gives = _columns(theirs)
    if needs is None or gives is None:
        same = [_type(column) for column in ours] == [_type(column) for column in theirs]
        if same:
            return None
        return Misfit("other inputs")
    for name, column in needs.items():
        given = gives.get(name)
        if given is None:
            if _required(column):
                return Misfit("column is not given", name)
        elif _type(column) != _type(given):
            return Misfit("other type", name, new=_shown(column), old=_shown(given))
        elif _required(column) and not _required(given):
            return Misfit("column may be missing", name)
    return None


def _outputs(ours: dict[str, list[Any]], theirs: dict[str, list[Any]]) -> Misfit | None:
    new = ours.get("outputs") or []
    old = theirs.get("outputs") or []
    if not old or [_type(column) for column in new] == [_type(column) for column in old]:
        return None
    if not new:
        return Misfit("no outputs")
    return Misfit(
        "other outputs",
        new=", ".join(_shown(column) for column in new),
        old=", ".join(_shown(column) for column in old),
    )


def _read(signature: str) -> dict[str, list[Any]]:
    """The sides of a signature that are lists; none where it is no signature."""
    try:
        sides = json.loads(signature or "{}")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(sides, dict):
        return {}
    return {name: side for name, side in sides.items() if isinstance(side, list)}


def _columns(side: list[Any]) -> Columns | None:
    """The columns by their names; None where not all of them have one."""
    if not all(isinstance(column, dict) and isinstance(column.get("name"), str) for column in side):
        return None
    return {column["name"]: column for column in side}


def _required(column: dict[str, Any]) -> bool:
    # MLflow wrote `optional` before it wrote `required`.
    return bool(column.get("required", True)) and not column.get("optional", False)


def _type(column: Any) -> str:
    """All that is told of a column or tensor but its name and whether it may be missing."""
    if not isinstance(column, dict):
        return str(column)
    told = {
        name: value
        for name, value in column.items()
        if name not in ("name", "required", "optional")
    }
    return json.dumps(told, sort_keys=True)


def _shown(column: Any) -> str:
    if not isinstance(column, dict):
        return str(column)
    tensor = column.get("tensor-spec")
    if isinstance(tensor, dict):
        return f"{tensor.get('dtype')}{tensor.get('shape')}"
    return str(column.get("type"))
