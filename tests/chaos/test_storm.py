"""A short storm: the real processes are killed while people work in bad weather, and everything
comes right.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import databases


@pytest.fixture(params=databases.KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with databases.empty(request.param, tmp_path) as url:
        yield url


@pytest.mark.slow
def test_no_event_is_lost_and_nothing_is_done_twice_in_a_storm(database: str) -> None:
    # With a short lease: what a killed worker had is else taken over after half a minute, and a
    # test has no more.
    storm = "--seed 1 --events 60 --kills 8 --lease 5s --pace 5 --stays 6 --longest 90"

    done = subprocess.run(
        [sys.executable, "-m", "sandbox.chaos", *storm.split(), "--database", database],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
