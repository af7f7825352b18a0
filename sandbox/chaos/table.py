"""What a storm comes to, for people: a row for its database, and a sentence for each finding."""

from collections.abc import Sequence
from typing import get_args

from rich.console import Console
from rich.table import Table

from sandbox.chaos.findings import Finding, Kind
from sandbox.chaos.storm import Outcome


def show(console: Console, outcome: Outcome) -> None:
    """Print it."""
    row = cells(outcome)
    table = Table(title=f"The storm on {outcome.database}", title_justify="left")
    for name in row:
        table.add_column(name, justify="right", overflow="fold")
    table.add_row(*row.values())
    console.print(table)
    for finding in outcome.findings:
        console.print(f"{finding.kind}: {finding.sentence}", markup=False, soft_wrap=True)


def cells(outcome: Outcome) -> dict[str, str]:
    """Column -> what it says."""
    names: dict[Kind, str] = {
        "lost": "lost",
        "doubled": "doubled effects",
        "wrong": "wrong verdicts",
        "leaked": "leaked runs",
    }
    effects = sorted(outcome.first_effects)
    return {
        "events sent": f"{outcome.events}",
        **{names[kind]: f"{count(outcome.findings, kind)}" for kind in get_args(Kind)},
        "kills (web/worker)": f"{outcome.web_kills}/{outcome.worker_kills}",
        "first effect after a kill (s): median": _seconds(quantile(effects, 0.5)),
        "p95": _seconds(quantile(effects, 0.95)),
        "max": _seconds(quantile(effects, 1.0)),
        "right again after (s)": _seconds(outcome.right_after),
    }


def count(findings: Sequence[Finding], kind: Kind) -> int:
    """How many findings are of a kind."""
    return sum(one.kind == kind for one in findings)


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The value below which so large a share of the ordered values lies; None of nothing."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else None


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f}"
