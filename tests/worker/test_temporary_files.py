"""Where a worker puts what it needs for a moment, and what becomes of what a killed one
left there.
"""

import os
import tempfile
import time
from pathlib import Path

import pytest

from bot import app


def test_what_a_killed_worker_left_is_removed_by_the_next_but_not_what_another_uses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    folder = tmp_path / "var" / "tmp"
    left, used = folder / "signalman-left", folder / "signalman-used"
    for one in (left, used):
        (one / "project").mkdir(parents=True)
    os.utime(left, (time.time() - 7200,) * 2)

    app.work_in(folder)

    assert [one.name for one in folder.iterdir()] == ["signalman-used"]
    with tempfile.TemporaryDirectory() as another:
        assert Path(another).parent == folder
