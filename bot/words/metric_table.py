"""The table of metrics: what this pull request has, what there is already, and what is allowed.
Escaped Markdown.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.facts.pull_request import Situation, Step
from bot.facts.quality_gate import Judgement, Reference
from bot.words import escape, gate
from bot.words.steps import refused

Pair = tuple[Step, Judgement]


@dataclass(frozen=True)
class Table:
    """`header`, its `rule` and `rows` are lines of a Markdown table. `more` rows were left out,
    `more_refused` of which are refused; `footnote`: there is something that was made of other data.
    """

    header: str
    rule: str
    rows: tuple[str, ...]
    more: int = 0
    more_refused: int = 0
    footnote: bool = False


@dataclass(frozen=True)
class _Column:
    title: str
    rule: str
    cell: Callable[[Pair], str]


def table(s: Situation, most: int) -> Table | None:
    """At most so many rows, those that are refused before all others; None when nothing was
    measured.
    """
    pairs = [(step, judgement) for step in s.steps for judgement in step.judgements]
    if not pairs:
        return None
    kept = set(sorted(range(len(pairs)), key=lambda place: not pairs[place][1].refuses)[:most])
    shown = [pair for place, pair in enumerate(pairs) if place in kept]
    columns = [column for column in _columns(pairs) if column is not None]
    lines = [[column.cell(pair) for column in columns] for pair in shown]
    return Table(
        header=_line([column.title for column in columns]),
        rule="|" + "|".join(column.rule for column in columns) + "|",
        rows=tuple(_line(cells) for cells in lines),
        more=len(pairs) - len(shown),
        more_refused=sum(
            judgement.refuses for place, (_, judgement) in enumerate(pairs) if place not in kept
        ),
        footnote=any(_unlike(step, name) for step, _ in shown for name in ("target", "serving")),
    )


def label(s: Situation, name: str) -> str:
    """What the references of that name are called, if all projects have the same; else empty."""
    return _label([step for step in s.steps if step.judgements], name)


def _columns(pairs: Sequence[Pair]) -> list[_Column | None]:
    steps = list({step.project.path: step for step, _ in pairs}.values())
    several = len(steps) > 1
    bounded = any(judgement.bound is not None for _, judgement in pairs)
    told = any(judgement.verdict in ("ok", "worse") or judgement.refuses for _, judgement in pairs)
    columns: list[_Column | None] = []
    if several:
        columns.append(_Column("Project", "---", lambda pair: escape.cell(pair[0].project.name)))
    columns += [
        _Column("Metric", "---", _name),
        _Column("This PR", "---:", _own),
        _reference(pairs, steps, "target", "Target branch"),
        _reference(pairs, steps, "serving", "Production"),
    ]
    if bounded:
        columns.append(_Column("Limit", "---:", lambda pair: gate.bound(pair[1])))
    if told:
        columns.append(_Column("", ":-:", _verdict))
    return columns


def _reference(
    pairs: Sequence[Pair], steps: Sequence[Step], name: str, otherwise: str
) -> _Column | None:
    if all(getattr(judgement, name) is None for _, judgement in pairs):
        return None
    known = _label(steps, name)
    if known:
        title = escape.plain(known).replace("|", "\\|")
    else:
        title = otherwise
    return _Column(title[:1].upper() + title[1:], "---:", lambda pair: _compared(pair, name))


def _label(steps: Sequence[Step], name: str) -> str:
    labels = {found.label for step in steps if (found := reference(step, name)) is not None}
    if len(labels) == 1:
        return labels.pop()
    return ""


def reference(step: Step, name: str) -> Reference | None:
    """What a step is compared with: `serving`, or else the target branch."""
    if name == "serving":
        return step.baseline.serving
    return step.baseline.target


def _unlike(step: Step, name: str) -> bool:
    known = reference(step, name)
    return known is not None and not known.comparable


def _name(pair: Pair) -> str:
    metric = pair[1].metric
    better = "↑"
    if metric.goal == "lower":
        better = "↓"
    return f"{escape.cell(metric.name)} {better}"


def _own(pair: Pair) -> str:
    judgement = pair[1]
    if judgement.value is None:
        return "not logged"
    if judgement.verdict == "worse" and judgement.bound is not None:
        return f"**{escape.apart(judgement.value, judgement.bound)[0]}**"
    return f"**{escape.number(judgement.value)}**"


def _compared(pair: Pair, name: str) -> str:
    step, judgement = pair
    reference: float | None = getattr(judgement, name)
    if reference is None:
        return "—"
    mark = ""
    if _unlike(step, name):
        mark = " ¹"
    if judgement.value is None or not math.isfinite(judgement.value):
        return f"{escape.number(reference)}{mark}"
    return f"{escape.number(reference)} ({escape.difference(judgement.value, reference)}){mark}"


def _verdict(pair: Pair) -> str:
    step, judgement = pair
    if judgement.refuses:
        if step.state == "accepted" and refused(step):
            return "☑️"
        return "❌"
    if judgement.verdict == "ok":
        return "✅"
    if judgement.verdict == "missing":
        return "➖"
    return ""


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
