"""The table of a storm says what came of it."""

import pytest

from sandbox.chaos import table
from sandbox.chaos.findings import Finding
from sandbox.chaos.storm import Outcome

OUTCOME = Outcome(
    database="SQLite",
    events=2000,
    findings=(Finding("lost", "One."), Finding("doubled", "Two."), Finding("lost", "Three.")),
    web_kills=101,
    worker_kills=99,
    first_effects=(3.0, 1.0, 2.0),
    right_after=None,
    lasted=1300.0,
    calls_in_trouble=700,
    pull_requests=150,
    in_time=True,
)


def test_findings_are_counted_by_their_kind() -> None:
    cells = table.cells(OUTCOME)

    assert [
        cells[name] for name in ("lost", "doubled effects", "wrong verdicts", "leaked runs")
    ] == list("2100")


def test_kills_and_times_are_told() -> None:
    cells = list(table.cells(OUTCOME).values())

    assert cells[0] == "2000"
    assert cells[5:] == ["101/99", "2.0", "3.0", "3.0", "never"]


@pytest.mark.parametrize(("share", "value"), [(0.5, 3), (0.95, 5), (1.0, 5)])
def test_a_quantile_is_one_of_the_values(share: float, value: int) -> None:
    assert table.quantile([1, 2, 3, 4, 5], share) == value


def test_nothing_has_no_quantile() -> None:
    assert table.quantile([], 0.5) is None
