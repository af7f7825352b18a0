"""The test drive from where there is no checkout, and what of the checkout is installed."""

import os
import subprocess
import sys
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with the bot as it is installed: without what lies beside it."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "bot").symlink_to(ROOT / "bot")
    (tmp_path / "elsewhere").mkdir()
    return tmp_path


def test_without_a_checkout_the_test_drive_says_in_one_sentence_where_it_can_be_had(
    installed: Path,
) -> None:
    environment = {**os.environ, "PYTHONPATH": str(installed / "site")}

    ended = subprocess.run(
        [sys.executable, "-m", "bot", "testdrive"],
        cwd=installed / "elsewhere",
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 1
    assert ended.stderr == (
        "Error: The test drive needs a checkout of Signalman's repository: its stand-ins are not "
        "installed with the "
        "bot. Clone it and say `make testdrive` there.\n"
    )


def test_the_sandbox_is_no_part_of_what_is_installed() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
        "setuptools"
    ]
    packages = {file.parent.name for file in ROOT.glob("*/__init__.py")}
    installed = {
        name
        for name in packages
        for kind in build["packages"]["find"]["include"]
        if fnmatchcase(name, kind)
    }

    assert "sandbox" in packages
    assert installed == {"bot"}
