"""What a text from a pull request may become when it is read."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bot.config import budget, yaml_file
from bot.config.repository import Mlops
from bot.errors import ConfigError


def doubled(levels: int) -> str:
    """A text in which each name stands for the one before it twice."""
    lines = ["a0: &a0 [1, 1]"]
    lines += [f"a{level}: &a{level} [*a{level - 1}, *a{level - 1}]" for level in range(1, levels)]
    return "\n".join(lines)


def nested_by_aliases(levels: int) -> str:
    """A text whose lists are inside each other only by what its names stand for."""
    lines = ["a0: &a0 [1]"]
    lines += [f"a{level}: &a{level} [*a{level - 1}]" for level in range(1, levels)]
    return "\n".join(lines)


MERGED = "a0: &a0 {x: 1}\n" + "\n".join(
    f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}]}}" for n in range(1, 40)
)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (doubled(40), "stands for more than 20,000 values"),
        (MERGED, "stands for more than 20,000 values"),
        (nested_by_aliases(60), "more than 50 deep"),
        ("[" * 100_000, "more than 50 deep"),
        ("a: " + "{b: " * 100_000, "more than 50 deep"),
        ("a: &a [*a]", "holds *a inside &a, without end"),
        ("[" + "1, " * 20_001 + "1]", "stands for more than 20,000 values"),
        (f"a: {'x' * budget.LARGEST}", "has more than 524,288 bytes"),
        (f"a: {'é' * (budget.LARGEST // 2)}", "has more than 524,288 bytes"),
    ],
    ids=lambda value: value[:24],
)
def test_what_would_become_too_much_is_refused_before_it_is_read(text: str, why: str) -> None:
    with pytest.raises(budget.OverBudget, match=r"^\w") as refused:
        budget.check_yaml(text)
    with pytest.raises(ConfigError) as mistake:
        yaml_file.parse(Mlops, text, "config/mlops.yml")

    assert why in str(refused.value)
    assert str(mistake.value) == f"config/mlops.yml {refused.value}."


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a: &a {b: 1}\nc: {<<: *a}",
        "a: &a [1, 2]\nb: [*a, *a]",
        doubled(8),
        nested_by_aliases(40),
        "[" * 49 + "]" * 49,
        "\n".join(f"key_{number}: {number}" for number in range(8000)),
    ],
    ids=lambda value: value[:24],
)
def test_what_people_write_is_read(text: str) -> None:
    budget.check_yaml(text)

    assert yaml_file.load(text, "x.yml") == (yaml.safe_load(text) or {})


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=30,
)


@given(VALUES)
def test_a_document_without_aliases_is_counted_as_it_is(value: object) -> None:
    def height(part: object) -> int:
        match part:
            case dict():
                return 1 + max([0, *map(height, part.values())])
            case list():
                return 1 + max([0, *map(height, part)])
            case _:
                return 0

    text = yaml.safe_dump(value, allow_unicode=True)

    if height(value) <= budget.DEEPEST:
        budget.check_yaml(text)


@pytest.mark.parametrize(
    "text", ["when: 2024-99-99", f"number: {'9' * 5000}", "a: !!int x", "a: *unknown"]
)
def test_what_is_no_value_of_yaml_is_a_mistake_and_no_failure(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^x\.yml is not valid YAML: "):
        yaml_file.load(text, "x.yml")


def test_a_key_that_is_there_twice_is_found_among_thousands() -> None:
    lines = [f"key_{number}: {number}" for number in range(8000)]

    with pytest.raises(ConfigError, match="the key key_17 is there twice"):
        yaml_file.load("\n".join([*lines, "key_17: again"]), "x.yml")
