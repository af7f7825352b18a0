"""A small chart of one metric: the target branch's last runs, this pull request, and what it is
measured against.

Drawn on white, so that it can be read on a dark page too. The same numbers give
the same bytes. Everything is placed by hand: what a metric is called and how
large it is comes from outside, and must not be read as a formula nor end in an
error.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Literal

from bot.words import escape

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT = 480, 160
"""Pixels as a page shows it; the picture has twice as many each way, for sharp screens."""

MOST_POINTS = 30
LONGEST_NAME = 80

_SHARPER = 2

_INK, _SOFT, _LINE = "#1f2328", "#59636e", "#d1d9e0"
_PAST, _GOOD, _BAD, _PLAIN, _SERVING, _LIMIT = (
    "#8c959f",
    "#1a7f37",
    "#cf222e",
    "#0969da",
    "#8250df",
    "#cf222e",
)

# Where things are, in pixels from the lower left corner.
_LEFT, _RIGHT, _FLOOR, _CEILING = 18.0, 352.0, 34.0, 112.0
_LABELS = _RIGHT + 10
_APART = 15.0


@dataclass(frozen=True)
class _Label:
    height: float
    text: str
    colour: str
    bold: bool = False


def chart(
    metric: str,
    goal: Literal["lower", "higher"],
    history: Sequence[float],
    value: float,
    bound: float | None = None,
    serving: float | None = None,
    target: str = "target branch",
) -> bytes:
    """A PNG of the last runs of the branch `target`, the oldest first, and of this pull request's
    value.

    `bound` is the worst value that may be merged, `serving` what the version that serves has. What
    is no number is left out.
    """
    past = [number for number in history if math.isfinite(number)][-MOST_POINTS:]
    bound = _finite(bound)
    serving = _finite(serving)
    measured = _finite(value)
    levels = [level for level in (measured, bound, serving) if level is not None]
    scale = _Scale([*past, *levels])
    axes, save = _paper()

    _title(axes, metric, goal)
    _axis(axes, past, target)
    labels = []
    if bound is not None:
        labels.append(_limit(axes, scale(bound), bound, goal))
    if serving is not None:
        labels.append(_serving(axes, scale(serving), serving))
    colour = _colour(value, bound, goal)
    own = _Label((_FLOOR + _CEILING) / 2, "no number", colour, bold=True)
    here = None
    if measured is not None:
        here = scale(measured)
        own = _Label(here, escape.number(measured), colour, bold=True)
    _points(axes, [scale(number) for number in past], here, colour)
    _write(axes, [*labels, own])
    return save()


def _finite(value: float | None) -> float | None:
    if value is not None and math.isfinite(value):
        return value
    return None


def _colour(value: float, bound: float | None, goal: str) -> str:
    """Green within the bound, red beyond it, and also for a value that is no number."""
    if bound is None:
        return _PLAIN
    if goal == "lower":
        good = value <= bound
    else:
        good = value >= bound
    if good:
        return _GOOD
    return _BAD


def _limit(axes: "Axes", height: float, bound: float, goal: str) -> _Label:
    """Draw the line that may not be passed, and shade what lies beyond it."""
    if goal == "lower":
        sign = "≤"
        refused = (height, _CEILING + 6)
    else:
        sign = "≥"
        refused = (_FLOOR - 6, height)
    axes.fill_between([_LEFT - 6, _RIGHT], *refused, color=_LIMIT, alpha=0.06, linewidth=0)
    axes.plot([_LEFT - 6, _RIGHT], [height] * 2, color=_LIMIT, linewidth=1, dashes=(4, 2.5))
    return _Label(height, f"limit {sign} {escape.number(bound)}", _LIMIT)


def _serving(axes: "Axes", height: float, serving: float) -> _Label:
    """Draw the line of what the version that serves has."""
    axes.plot([_LEFT - 6, _RIGHT], [height] * 2, color=_SERVING, linewidth=1, dashes=(1, 2))
    return _Label(height, f"serving {escape.number(serving)}", _SERVING)


def _write(axes: "Axes", labels: Sequence[_Label]) -> None:
    """Write the labels at the right, none on another."""
    heights = _spread([label.height for label in labels])
    for label, height in zip(labels, heights, strict=True):
        size = 7.5
        if label.bold:
            size = 8.5
        _text(axes, _LABELS, height, label.text, label.colour, bold=label.bold, size=size)


class _Scale:
    """From a value to a height; numbers whose distance is none, or more than a float can hold, are
    drawn too.
    """

    def __init__(self, values: Sequence[float]) -> None:
        self._unit = max((abs(number) for number in values), default=0.0) or 1.0
        parts = [number / self._unit for number in values] or [0.0]
        self._least = min(parts)
        self._most = max(parts)

    def __call__(self, value: float) -> float:
        span = self._most - self._least
        share = 0.5
        if span > 0:
            share = (value / self._unit - self._least) / span
        return _FLOOR + min(max(share, 0.0), 1.0) * (_CEILING - _FLOOR)


def _title(axes: "Axes", metric: str, goal: str) -> None:
    end = _name(
        axes, _LEFT - 6, HEIGHT - 19, 330, "", metric or "metric", _INK, bold=True, size=9.5
    )
    _text(axes, end + 8, HEIGHT - 19.5, f"{goal} is better", _SOFT)


def _axis(axes: "Axes", past: Sequence[float], target: str) -> None:
    axes.plot([_LEFT - 6, _RIGHT], [_FLOOR - 6] * 2, color=_LINE, linewidth=0.8)
    if past:
        runs = f"the last {len(past)} runs"
        if len(past) == 1:
            runs = "the last run"
        _name(axes, _LEFT - 6, _FLOOR - 17, 240, f"{runs} of ", target, _SOFT)
    _text(axes, _RIGHT, _FLOOR - 17, "this pull request", _INK, right=True)


def _name(
    axes: "Axes",
    across: float,
    up: float,
    widest: float,
    before: str,
    name: str,
    colour: str,
    **how: Any,
) -> float:
    """Write a name from outside, cut to what there is room for; gives where it ends."""
    line = _drawable(" ".join(escape.visible(name).split())[:LONGEST_NAME])
    drawn = _text(axes, across, up, before + line, colour, **how)
    while (width := float(drawn.get_window_extent().width) / _SHARPER) > widest and line:
        line = line[:-1]
        drawn.set_text(f"{before}{line}…")
    return across + width


def _points(axes: "Axes", past: Sequence[float], here: float | None, colour: str) -> None:
    last = _RIGHT - 26
    step = (last - _LEFT) / max(len(past), 1)
    across = [_LEFT + step * number for number in range(len(past))]
    axes.plot(across, past, color=_PAST, linewidth=1.4, solid_joinstyle="round")
    dot = 3.6
    if len(past) > 15:
        dot = 2.8
    axes.plot(across, past, "o", color=_PAST, markersize=dot, markeredgewidth=0)
    if here is None:
        return
    if past:
        axes.plot([across[-1], last], [past[-1], here], color=colour, linewidth=1.4, alpha=0.55)
    axes.plot(
        [last],
        [here],
        "o",
        color=colour,
        markersize=7.5,
        markeredgecolor="white",
        markeredgewidth=1.4,
    )


def _spread(heights: Sequence[float]) -> list[float]:
    """The heights of labels, moved as little as it takes that none lies on another."""
    order = sorted(range(len(heights)), key=lambda index: (heights[index], index))
    placed = [heights[index] for index in order]
    for _ in range(20):
        for below in range(len(placed) - 1):
            above = below + 1
            lacks = _APART - (placed[above] - placed[below])
            if lacks > 0:
                placed[below] -= lacks / 2
                placed[above] += lacks / 2
    by_index = dict(zip(order, placed, strict=True))
    return [by_index[index] for index in range(len(heights))]


def _text(
    axes: "Axes",
    across: float,
    up: float,
    text: str,
    colour: str,
    *,
    bold: bool = False,
    right: bool = False,
    size: float = 7.5,
) -> Any:
    return axes.text(
        across,
        up,
        text,
        color=colour,
        fontsize=size,
        font=_font(bold),
        horizontalalignment="right" if right else "left",
        verticalalignment="center",
        # A name such as `$x$` means itself.
        parse_math=False,
    )


def _paper() -> tuple["Axes", Callable[[], bytes]]:
    """Empty axes whose units are pixels of a page, and what makes a PNG of them."""
    # Not pyplot, which keeps every figure; and only where it is needed: it takes 40 MB of a worker.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH / 100, HEIGHT / 100), dpi=100 * _SHARPER, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(0, HEIGHT)
    axes.set_autoscale_on(False)

    def save() -> bytes:
        sent = BytesIO()
        # What it would say of itself changes with its version.
        figure.savefig(sent, format="png", metadata={"Software": None})
        return sent.getvalue()

    return axes, save


@cache
def _font(bold: bool) -> Any:
    from matplotlib.font_manager import FontProperties

    return FontProperties(fname=_file(bold))


def _file(bold: bool) -> PurePath:
    # The machine's own fonts would make another picture of it.
    from matplotlib import get_data_path

    name = "DejaVuSans.ttf"
    if bold:
        name = "DejaVuSans-Bold.ttf"
    return PurePath(get_data_path(), "fonts", "ttf", name)


def _drawable(text: str) -> str:
    """The text, with a box for what the font has no picture of; matplotlib would warn of each."""
    from matplotlib.font_manager import get_font

    drawable = get_font(str(_file(bold=True))).get_charmap()
    return "".join(letter if ord(letter) in drawable else "□" for letter in text)
