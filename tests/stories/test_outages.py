"""Azure DevOps and Databricks are away for some seconds; `make bench-outage` tells the same of ten
minutes.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from sandbox.mlflow_server import MlflowServer
from tests.bot_in_process import CONTENT
from tests.stories.outage import ALL, Kind, Neighbour, Place

PULL_REQUESTS = 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "away"),
    [("503", ALL), ("hangs", ALL), ("503", ["Databricks"])],
    ids=["both answer 503", "both hang", "Databricks answers 503"],
)
def test_what_happened_during_an_outage_is_done_after_it(
    forgetful_mlflow: Callable[[], MlflowServer],
    tmp_path: Path,
    kind: Kind,
    away: Sequence[Neighbour],
) -> None:
    with Place(tmp_path, CONTENT, mlflow=forgetful_mlflow()) as place:
        people = place.people
        people.open()
        people.promote()
        assert people.wait_until_right(within=60) is not None, people.missing()
        before = len(place.intake.answers)

        place.switch.off(kind, away)
        people.work(4, 0.4, PULL_REQUESTS)
        missing = people.missing()
        place.switch.on()
        right = people.wait_until_right(within=120)

        assert len(missing) >= PULL_REQUESTS
        assert place.switch.refused > 0
        assert right is not None, people.missing()
        assert len(place.intake.answers) - before >= 10
        assert {status for status, _ in place.intake.answers} <= {200, 202}
