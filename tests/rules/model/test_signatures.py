"""Whether a version can be given what the one before was given."""

import json
from typing import Any

import pytest

from bot.facts.model import Misfit
from bot.rules.model import signature
from bot.words import model as words


def column(name: str, kind: Any = "double", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "required": True, **more}


def tensor(*shape: int, kind: str = "float64") -> dict[str, Any]:
    return {"type": "tensor", "tensor-spec": {"dtype": kind, "shape": list(shape)}}


def signed(*inputs: dict[str, Any], outputs: Any = ({"type": "double", "required": True},)) -> str:
    return json.dumps({"inputs": list(inputs), **({"outputs": list(outputs)} if outputs else {})})


BOTH = signed(column("acidity"), column("sugar"))
LIST = {"type": "array", "items": {"type": "double"}}


@pytest.mark.parametrize(
    ("new", "old", "why"),
    [
        (BOTH, BOTH, ""),
        (BOTH, "", ""),
        (BOTH, "no JSON", ""),
        (BOTH, '{"outputs":[{"type":"double"}]}', ""),
        ("", BOTH, "it has no signature"),
        ("", "", "it has no signature"),
        ('{"outputs":[{"type":"double"}]}', "", "it has no signature"),
        ('["inputs"]', "", "it has no signature"),
        (signed(column("sugar"), column("acidity")), BOTH, ""),
        (signed(column("acidity")), BOTH, ""),
        (
            signed(column("acidity"), column("ph")),
            BOTH,
            "it needs a column `ph`, which `v1` is not given",
        ),
        (signed(column("acidity"), column("ph", required=False)), BOTH, ""),
        (signed(column("acidity"), column("ph", optional=True)), BOTH, ""),
        (
            signed(column("acidity", "string")),
            BOTH,
            "it takes `acidity` as `string`, and `v1` is given `double`",
        ),
        (signed(column("acidity", required=False)), BOTH, ""),
        (
            BOTH,
            signed(column("acidity", required=False), column("sugar")),
            "without which `v1` can do",
        ),
        (signed(column("a", **LIST)), signed(column("a", **LIST)), ""),
        (
            signed(column("a", "array", items={"type": "long"})),
            signed(column("a", **LIST)),
            "it takes `a` as",
        ),
        (signed(tensor(-1, 10)), signed(tensor(-1, 10)), ""),
        (
            signed(tensor(-1, 10)),
            signed(tensor(-1, 11)),
            "what it has to be given is not what `v1` is given",
        ),
        (signed(tensor(-1, 2)), BOTH, "what it has to be given is not what `v1` is given"),
        (
            signed(column("acidity"), outputs=[{"type": "long"}]),
            BOTH,
            "it gives `long`, and `v1` gives `double`",
        ),
        (signed(column("acidity"), outputs=[column("quality")]), BOTH, ""),
        (
            signed(column("acidity"), outputs=[tensor(-1)]),
            BOTH,
            "it gives `float64[-1]`, and `v1` gives `double`",
        ),
        (
            signed(column("acidity"), outputs=()),
            BOTH,
            "it does not say what it gives, and `v1` does",
        ),
        (BOTH, signed(column("acidity"), column("sugar"), outputs=()), ""),
    ],
)
def test_a_version_fits_where_it_can_do_with_what_the_one_before_was_given(
    new: str, old: str, why: str
) -> None:
    found = signature.misfit(new, old)

    assert (found is None) == (why == "")
    assert found is None or why in words.misfit(found, "`v1`")


@pytest.mark.parametrize(
    "hostile", ["[" * 100_000, '{"inputs":{"a":1}}', '{"inputs":[1,null,"x"]}', '{"inputs":"x"}']
)
def test_what_is_no_signature_never_does_more_than_not_fit(hostile: str) -> None:
    assert isinstance(signature.misfit(hostile, BOTH), Misfit | None)
    assert isinstance(signature.misfit(BOTH, hostile), Misfit | None)
