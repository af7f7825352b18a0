"""A rule gives the actions of its own kind of subject: the type checker refuses another's."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

RULE = '''"""A rule."""

from bot.actions import {action}, {given}


def plan() -> list[{action}]:
    """What is next."""
    return [{made}]
'''


def checked(tmp_path: Path, action: str, given: str, made: str) -> subprocess.CompletedProcess[str]:
    """What mypy says of a rule."""
    rule = tmp_path / "rule.py"
    rule.write_text(RULE.format(action=action, given=given, made=made), encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", str(rule)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_rule_may_give_its_own_actions(tmp_path: Path) -> None:
    ended = checked(tmp_path, "BranchAction", "RemoveObject", 'RemoveObject("/Shared/a")')

    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("action", "given", "made"),
    [
        ("BranchAction", "SetStatus", 'SetStatus(7, 1, "failed", "no")'),
        ("PullRequestAction", "RemoveObject", 'RemoveObject("/Shared/a")'),
        ("ModelAction", "RemoveObject", 'RemoveObject("/Shared/a")'),
        ("RetrainingAction", "DeleteRun", 'DeleteRun("r1")'),
        ("CleanupAction", "LookAgain", "LookAgain(1.0)"),
    ],
)
def test_a_rule_that_gives_another_subjects_action_is_refused(
    tmp_path: Path, action: str, given: str, made: str
) -> None:
    ended = checked(tmp_path, action, given, made)

    assert ended.returncode == 1
    assert "incompatible type" in ended.stdout or "List item 0 has" in ended.stdout, ended.stdout
