"""Which branch names may be used, and which one is suggested instead."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.config.repository import BranchRule
from bot.rules.pull_request import branch_names
from bot.words import report

RULE = BranchRule()

LETTERS = st.sampled_from("abcXYZ019_-/.:@+é名ß\u0301\u00a0\u200f\u202e\x07\x7f\ud800\U0001f37a")
NAMES = st.one_of(st.text(LETTERS, min_size=1, max_size=30), st.text(min_size=1, max_size=30))
RULES = st.builds(
    BranchRule,
    forbidden=st.lists(st.sampled_from("/:.@-+a"), max_size=4).map(tuple),
    longest=st.integers(8, 40),
    pattern=st.sampled_from((None, None, r"[\w-]+", r"feature_.*")),
)


def git_takes(name: str) -> bool:
    """What `git check-ref-format --branch` allows
    (https://git-scm.com/docs/git-check-ref-format).
    """
    return not (
        any(c in " ~^:?*[\\" or ord(c) < 32 or ord(c) == 127 for c in name)
        or any(wrong in name for wrong in ("..", "//", "@{"))
        or name.startswith(("-", "/"))
        or name.endswith(("/", "."))
        or name in ("@", "HEAD", "")
        or any(part.startswith(".") or part.endswith(".lock") for part in name.split("/"))
    )


def can_be_made_beside(name: str, taken: set[str]) -> bool:
    """Git keeps a branch as a file: `a` and `a/b` cannot both be."""
    return not any(
        one == name or one.startswith(f"{name}/") or name.startswith(f"{one}/") for one in taken
    )


@pytest.mark.parametrize(
    "name", ["feature_wine_v2", "fix-12", "größe", "名前", "x", "x" * 100, "a@b", "#12"]
)
def test_a_plain_name_may_be_used(name: str) -> None:
    assert branch_names.judge(name, RULE) is None


@pytest.mark.parametrize(
    ("name", "at_fault"),
    [
        ("feature/wine.v2", (("/", 8), (".", 13))),
        ("a:b", ((":", 2),)),
        ("//", (("/", 1), ("/", 2))),
        ("wine\u202egnp", (("\u202e", 5),)),
        ("wine\u200b", (("\u200b", 5),)),
        ("wine\x07", (("\x07", 5),)),
        ("wine\ud800", (("\ud800", 5),)),
        ("wine\u2028", (("\u2028", 5),)),
        ("\U0001f37a/", (("/", 2),)),
    ],
)
def test_each_character_at_fault_is_named_with_its_position(
    name: str, at_fault: tuple[tuple[str, int], ...]
) -> None:
    bad = branch_names.judge(name, RULE)

    assert bad is not None
    assert bad.at_fault == at_fault


def test_a_name_that_is_too_long_is_told_both_lengths() -> None:
    bad = branch_names.judge("x" * 101, RULE)

    assert bad is not None
    assert report.bad_name(bad) == "It has 101 characters; 100 are allowed."


def test_a_pattern_has_to_match_the_whole_name() -> None:
    rule = BranchRule(pattern="feature_[a-z]+")

    assert branch_names.judge("feature_wine", rule) is None
    assert branch_names.judge("feature_wine2", rule) is not None


def test_a_rule_of_ones_own_replaces_the_forbidden_characters() -> None:
    rule = BranchRule(forbidden=("#",))

    assert branch_names.judge("feature/wine.v2", rule) is None
    assert branch_names.judge("wine#2", rule) is not None


@pytest.mark.parametrize(
    ("name", "taken", "suggested"),
    [
        ("feature/wine.v2", (), "feature_wine_v2"),
        ("feature/wine.v2", ("feature_wine_v2",), "feature_wine_v2_2"),
        ("feature/wine.v2", ("Feature_Wine_V2", "feature_wine_v2_2"), "feature_wine_v2_3"),
        ("a//..b", (), "a_b"),
        ("/wine/", (), "wine"),
        ("-/-", (), "branch"),
        ("...", ("branch",), "branch_2"),
        ("größe/ß", (), "größe_ß"),
        ("wine\u202e/x", (), "wine_x"),
        ("x" * 200, (), "x" * 100),
        ("x" * 200, ("x" * 100,), "x" * 98 + "_2"),
    ],
)
def test_the_suggestion_stays_close_to_the_name(
    name: str, taken: tuple[str, ...], suggested: str
) -> None:
    assert branch_names.suggest(name, RULE, taken) == suggested


def test_nothing_is_suggested_when_no_name_in_sight_would_do() -> None:
    assert branch_names.suggest("wine/v2", BranchRule(pattern="release_[0-9]{4}"), ()) is None


@given(NAMES, RULES, st.data())
def test_a_suggestion_is_allowed_by_the_rule_and_free(
    name: str, rule: BranchRule, data: st.DataObject
) -> None:
    first = branch_names.suggest(name, rule, ())
    near = [] if first is None else [first, first.upper(), f"{first}_2"[: rule.longest]]
    taken = data.draw(st.lists(st.one_of(NAMES, st.sampled_from([name, *near])), max_size=5))

    found = branch_names.suggest(name, rule, taken)

    assert found is None or branch_names.judge(found, rule) is None
    assert found is None or found.casefold() not in {one.casefold() for one in taken}


@given(NAMES, st.lists(NAMES, max_size=5))
def test_the_rule_of_the_seed_always_leaves_a_suggestion(name: str, taken: list[str]) -> None:
    assert branch_names.suggest(name, RULE, taken) is not None


@given(NAMES.filter(git_takes))
def test_git_takes_what_the_rule_of_the_seed_suggests(name: str) -> None:
    found = branch_names.suggest(name, RULE, ())

    assert found is not None
    assert git_takes(found) or found in ("@", "HEAD")


@given(NAMES.filter(git_takes), RULES)
@example("abcdefg.hij/k", BranchRule(forbidden=("/",), longest=8))
@example("HEAD/_", RULE)
@example("abc.locked/k", BranchRule(forbidden=("/",), longest=8))
def test_git_takes_what_any_rule_suggests(name: str, rule: BranchRule) -> None:
    found = branch_names.suggest(name, rule, ())

    assert found is None or git_takes(found)


@given(st.sets(NAMES, max_size=3))
@example({"wine_v2/old"})
def test_a_branch_of_the_suggested_name_can_be_made_beside_all_others(taken: set[str]) -> None:
    found = branch_names.suggest("wine.v2", RULE, taken)

    assert found is not None
    assert can_be_made_beside(found, taken)


@given(NAMES, RULES)
def test_a_name_at_fault_is_said_to_be_so_in_characters_or_in_a_sentence(
    name: str, rule: BranchRule
) -> None:
    bad = branch_names.judge(name, rule)

    assert bad is None or bool(bad.at_fault) != bool(report.bad_name(bad))
    assert bad is None or all(
        name[position - 1] == character for character, position in bad.at_fault
    )


@pytest.mark.parametrize(
    "name", ["a" * 5000, "a/" * 2500, "a." * 2500, "..lock" * 800, "@{" * 2500]
)
def test_a_name_of_any_length_is_answered_at_once(name: str) -> None:
    found = branch_names.suggest(name, RULE, {name})

    assert found is None or (len(found) <= RULE.longest and branch_names.judge(found, RULE) is None)
