"""Structural mutations of a JSON document, as text: what a broken or hostile sender might write."""

import json
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

ODD: list[Any] = [
    None, True, False, 0, -1, 2**31, 2**63, 10**400, 1.5, float("nan"), float("inf"), "", "0", "\0", "\ud800", "\u202e",  # noqa: E501 a table, or a text as it is sent
    "../..", "x" * 5000, [], {}, [[]], [None], {"": None}, {"id": []}, [{"name": 1}],
]  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, document: Any) -> bytes:
    """The document after one to four mutations, as bytes that may not even be JSON."""
    for _ in range(draw(st.integers(1, 4))):
        places = list(_places(document))
        if not places:
            break
        holder, name = draw(st.sampled_from(places))
        match draw(st.sampled_from(["odd", "remove", "nest", "swap", "repeat"])):
            case "odd":
                holder[name] = deepcopy(draw(st.sampled_from(ODD)))
            case "remove":
                del holder[name]
            case "nest":
                holder[name] = _nested(holder[name], draw(st.sampled_from([1, 5, 40])))
            case "swap":
                other, other_name = draw(st.sampled_from(places))
                holder[name] = deepcopy(other[other_name])
            case "repeat":
                holder[name] = [deepcopy(holder[name]) for _ in range(3)]
    text = json.dumps(document)
    match draw(st.sampled_from(["whole", "whole", "whole", "cut", "twice", "deep"])):
        case "cut":
            text = text[: draw(st.integers(0, len(text)))]
        case "twice":
            text = text[:-1] + ', "resource": 1, "eventType": "git.push", "data": []}'
        case "deep":
            text = text[:-1] + ', "resource": ' + "[" * 10_000 + "]" * 10_000 + "}"
    return text.encode(errors="surrogatepass")


def _places(document: Any) -> Any:
    """Every place in a document that holds a value: (container, key or index)."""
    steps = (
        document.keys()
        if isinstance(document, dict)
        else range(len(document) if isinstance(document, list) else 0)
    )
    for step in list(steps):
        yield document, step
        if isinstance(document[step], dict | list):
            yield from _places(document[step])


def _nested(value: Any, depth: int) -> Any:
    for _ in range(depth):
        value = [value]
    return value
