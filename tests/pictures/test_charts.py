"""Charts of a metric: always a picture of the same size, whatever the numbers and whatever they are
called.
"""

import io
import math
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bot.pictures.chart import HEIGHT, WIDTH, chart
from tests.examples import percent

HISTORY = (0.731, 0.728, 0.735, 0.721)
RED, GREEN = (207, 34, 46), (26, 127, 55)

ANY = st.floats(allow_nan=True, allow_infinity=True)


def opened(content: bytes) -> Image.Image:
    found = Image.open(io.BytesIO(content), formats=["PNG"])
    found.load()
    return found.convert("RGB")


def colours(content: bytes, least: int = 30) -> set[object]:
    """The colours of at least so many pixels."""
    found = opened(content).getcolors(maxcolors=10**6) or []
    return {colour for count, colour in found if count >= least}


def test_a_chart_is_twice_as_sharp_as_a_page_shows_it() -> None:
    assert opened(chart("rmse", "lower", HISTORY, 0.712, 0.744, 0.73)).size == (
        2 * WIDTH,
        2 * HEIGHT,
    )


def test_the_same_numbers_give_the_same_bytes_and_no_more_than_40_kb() -> None:
    first, second = (chart("rmse", "lower", HISTORY, 0.712, 0.744, 0.73, "main") for _ in range(2))

    assert first == second
    assert len(first) < 40_000
    assert opened(first).getpixel((1, 1)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("goal", "value", "refused"),
    [
        ("lower", 0.80, True),
        ("lower", 0.75, False),
        ("higher", 0.70, True),
        ("higher", 0.75, False),
    ],
)
def test_a_value_beyond_the_limit_is_red_and_one_within_it_is_green(
    goal: str, value: float, refused: bool
) -> None:
    found = colours(chart("x", goal, HISTORY, value, 0.75))  # type: ignore[arg-type]

    assert (GREEN in found) is not refused
    assert RED in found  # The limit itself is.


def test_without_a_limit_nothing_is_red_or_green() -> None:
    assert not {RED, GREEN} & colours(chart("rmse", "lower", HISTORY, 0.712, None, 0.73))


@pytest.mark.parametrize(
    "metric",
    ["$x$", "$\\frac{", "a$b$c", "", "\n", "\x00\x1b[31m", "🚀 日本", "m" * 10_000, "%s {}"],
)
def test_a_metric_may_be_called_anything(metric: str) -> None:
    assert opened(chart(metric, "lower", HISTORY, 0.712, target=metric)).size == (
        2 * WIDTH,
        2 * HEIGHT,
    )


def test_a_name_that_is_a_formula_is_shown_as_it_is() -> None:
    # Read as formulas, the two would look alike.
    assert chart("$x$", "lower", HISTORY, 0.7) != chart("$x $", "lower", HISTORY, 0.7)


@given(
    st.text(max_size=20),
    st.sampled_from(["lower", "higher"]),
    st.lists(ANY, max_size=40),
    ANY,
    st.none() | ANY,
    st.none() | ANY,
)
@settings(max_examples=percent(30))
def test_no_numbers_and_no_name_are_ever_an_error(
    metric: str,
    goal: object,
    history: list[float],
    value: float,
    bound: float | None,
    serving: float | None,
) -> None:
    content = chart(metric, goal, history, value, bound, serving)  # type: ignore[arg-type]

    assert opened(content).size == (2 * WIDTH, 2 * HEIGHT)


def test_several_passes_may_draw_at_once() -> None:
    def draw(number: int) -> bytes:
        return chart("rmse", "lower", HISTORY, 0.7 + number % 2, 0.744, 0.73)

    with ThreadPoolExecutor(6) as pool:
        drawn = list(pool.map(draw, range(24)))

    assert set(drawn) == {draw(0), draw(1)}


def test_what_is_no_number_is_left_out_of_the_history() -> None:
    assert chart("x", "lower", (1.0, math.nan, 2.0, math.inf), 3.0) == chart(
        "x", "lower", (1.0, 2.0), 3.0
    )
