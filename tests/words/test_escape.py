"""Text from outside, made inert, piece by piece; and numbers and times as people read them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rendered import rendered

from bot.words import escape

HOSTILE = (
    "`", "``", "```", "````text", "~~~", "|", "\\", "\\|", "@ж", "#1", "!1", "$ж$", "$$", "</details>", "<summary>",  # noqa: E501 a table, or a text as it is sent
    "<!-- ", "<script>", "<br>", "&lt;", "**", "_", "[ж](https://ж.example)", "![ж](x)", "https://ж.example", "# ",  # noqa: E501 a table, or a text as it is sent
    "- ", "> ", "| --- |", "---", "\x1b[31m", "\x1b]0;ж\x07", "\x9b", "\0", "\x08", "\u202e", "\u200f", "\u200b",  # noqa: E501 a table, or a text as it is sent
    "\ufeff", "\ud800", "\r", "\r\n", "\n", "\n\n", "\t", "    ", "\u2028", "\x85", " ", "ж", "a", "é",  # noqa: E501 a table, or a text as it is sent
)  # fmt: skip
OUTSIDE = st.one_of(
    st.lists(st.sampled_from(HOSTILE), max_size=12).map("".join), st.text(max_size=40)
)
UNSEEN = "\x1b\0\x08\x9b\u202e\u200f\u200b\ufeff\ud800\r"


@given(OUTSIDE)
def test_inline_code_is_one_piece_of_code_and_nothing_else(text: str) -> None:
    seen = rendered(f"said {escape.code(text)} here\n")

    assert len(seen.code) <= 1
    assert seen.live.replace("\n", "").split() == ["said", "here"]
    assert (seen.html, seen.links, seen.fences, seen.headings) == ((), (), (), 0)


@given(OUTSIDE)
def test_inline_code_shows_what_the_text_says(text: str) -> None:
    seen = rendered(f"said {escape.code(text, 10_000)} here\n")

    assert "".join(seen.code) == " ".join(escape.visible(text).split())


@given(OUTSIDE, OUTSIDE)
def test_a_cell_of_a_table_stays_one_cell(first: str, second: str) -> None:
    seen = rendered(f"| A | B |\n|---|---|\n| {escape.cell(first)} | {escape.cell(second)} |\n")

    assert seen.rows == (2, 2)
    assert seen.live.split() == ["A", "B"]


@given(OUTSIDE)
def test_a_fenced_log_stays_in_its_fence(text: str) -> None:
    seen = rendered(f"before\n\n{escape.fence(text)}\n\nafter\n")

    assert len(seen.fences) == 1
    assert seen.live.split() == ["before", "after"]


@given(OUTSIDE)
def test_text_in_a_tag_ends_no_tag_and_begins_none(text: str) -> None:
    shown = escape.html(text)

    assert not set(shown) & set("<>\"'\n")


@given(OUTSIDE)
def test_nothing_unseen_gets_through(text: str) -> None:
    shown = (escape.code(text), escape.cell(text), escape.fence(text), escape.html(text))

    assert not set("".join(shown)) & set(UNSEEN)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("wine", "`wine`"),
        ("", ""),
        (" \n\t ", ""),
        ("\x1b[1;31mred\x1b[0m", "`red`"),
        ("a`b", "``a`b``"),
        ("`a`", "`` `a` ``"),
        ("a ``` b", "````a ``` b````"),
        ("two\nlines", "`two lines`"),
        ("abc\u202etxt.exe", "`abctxt.exe`"),
        ("x" * 400, f"`{'x' * 299}…`"),
        ("#1 !1 @a $x$", "`#1 !1 @a $x$`"),
        ("größe 名前 🍺", "`größe 名前 🍺`"),
    ],
)
def test_inline_code_by_example(text: str, shown: str) -> None:
    assert escape.code(text) == shown


def test_a_fence_keeps_the_last_lines() -> None:
    log = "".join(f"line {number}\n" for number in range(412))

    shown = escape.fence(log)

    assert shown.splitlines()[1:-1] == [f"line {number}" for number in range(392, 412)]


def test_a_fence_keeps_the_end_of_one_endless_line() -> None:
    shown = escape.fence("x" * 1_000_000 + "the end")

    assert len(shown) <= 20_020
    assert "the end" in shown


def test_a_broken_terminal_sequence_hides_no_line_after_it() -> None:
    assert "KeyError" in escape.fence("\x1b]0;training\nKeyError: 'alcohol'\n")


@pytest.mark.parametrize(
    ("address", "linked"),
    [
        ("https://adb-1.2.azuredatabricks.net/#job/1/run/2", True),
        ("http://127.0.0.1:5000/#/experiments/1/runs/2", True),
        ("", False),
        ("javascript:alert(1)", False),
        ("/relative", False),
        ("https://a.example/) [x](https://b.example", False),
        ("https://a.example/ x", False),
        ("https://a.example/\nx", False),
        ('https://a.example/"x', False),
        ("https://a.example/<x>", False),
    ],
)
def test_only_an_absolute_address_becomes_a_link(address: str, linked: bool) -> None:
    assert escape.link("run", address) == (f"[run]({address})" if linked else "")


def test_an_address_ends_no_cell_of_a_table() -> None:
    seen = rendered(
        f"| A | B |\n|---|---|\n| {escape.link('run', 'https://a.example/?x=1|2')} | b |\n"
    )

    assert seen.live.split()[-1] == "b"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, ""),
        (0, "0.0 s"),
        (0.44, "0.4 s"),
        (9.94, "9.9 s"),
        (10, "10 s"),
        (42.4, "42 s"),
        (59.4, "59 s"),
        (59.6, "1m"),
        (60, "1m"),
        (61, "1m01s"),
        (178, "2m58s"),
        (1800, "30m"),
        (3599.4, "59m59s"),
        (3599.6, "1h"),
        (3720, "1h02m"),
        (7199, "2h"),
        (86400, "24h"),
        (9.96, "10 s"),
        (-0.3, "0.0 s"),
    ],
)
def test_a_time_as_people_say_it(seconds: float | None, shown: str) -> None:
    assert escape.duration(seconds) == shown


@given(st.floats(0, 1e6))
def test_a_time_is_never_more_than_seven_characters_and_never_has_sixty_of_anything(
    seconds: float,
) -> None:
    shown = escape.duration(seconds)

    assert len(shown) <= 7
    assert "60" not in shown.replace("h", " ").replace("m", " ").split()[1:]
    assert not shown.endswith(("60s", "60m", "60 s"))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (442, "442"),
        (442.0, "442"),
        (-3.0, "-3"),
        (999999999, "999999999"),
        (0.71234, "0.7123"),
        (58.0123, "58.01"),
        (-0.00912, "-0.00912"),
        (0.1 + 0.2, "0.3"),
        (1234.4, "1234"),
        (1e-7, "1e-07"),
        (1e300, "1e+300"),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (12345.6, "12346"),
        (9999.7, "10000"),
        (1234567.8, "1234568"),
        (-0.0, "0"),
    ],
)
def test_a_number_as_people_read_it(value: float, shown: str) -> None:
    assert escape.number(value) == shown


@pytest.mark.parametrize(
    ("value", "reference", "shown"),
    [
        (0.712, 0.73, "−0.018"),
        (57.0619, 57.16, "−0.1"),
        (67.0, 57.16, "+9.84"),
        (0.48443, 0.48261, "+0.0018"),
        (57.163, 57.164, "−0.001"),
        (442, 440, "+2"),
        (442, 442, "±0"),
        (0.1 + 0.2, 0.3, "±0"),
        (1234.5678, 1200.1, "+34"),
        (1234567, 1234567.4, "−0.4"),
        (1e-7, 3e-7, "−2e-07"),
        (1e300, -1e300, "+2e+300"),
    ],
)
def test_a_difference_is_as_fine_as_the_numbers_beside_it(
    value: float, reference: float, shown: str
) -> None:
    assert escape.difference(value, reference) == shown
