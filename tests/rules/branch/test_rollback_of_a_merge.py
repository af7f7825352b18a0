"""What the workspace goes back to when a merge is taken back; histories are read from the newest to
the oldest.
"""

from datetime import UTC, datetime

import pytest

from bot.facts.branch import Manifest, RolledBack, Synced
from bot.rules.branch import rollback

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def held(history: str) -> Manifest:
    """A manifest that has seen these commits; one in brackets was gone back to."""
    seen = [
        Synced(word.strip("()"), 1, NOW, "Ada" if word.startswith("(") else "")
        for word in history.split()
    ]
    return Manifest("contoso/ml/models", history=tuple(seen))


@pytest.mark.parametrize(
    ("history", "tip", "asked", "goal"),
    [
        ("bad good older", "bad", None, "good"),
        ("good older", "bad", None, "good"),  # the sync of the tip was cut off
        ("good", "good", None, None),
        ("", "bad", None, None),
        ("(good) bad good older", "bad", "good", "older"),
        ("bad good older", "bad", "good", "older"),  # nobody has gone back yet
        ("(older) (good) bad good older", "bad", "older", None),
        ("(older) (good) bad good older oldest", "bad", "older", "oldest"),
        ("worse (good) bad good older", "worse", None, "good"),  # not to what was taken back before
        ("(good) bad good older", "worse", None, "good"),
        ("(good) worse (good) bad good older", "worse", "good", "older"),
        ("bad forgotten", "bad", "lost", None),
    ],
)
def test_it_goes_back_to_what_was_live_and_then_one_merge_further(
    history: str, tip: str, asked: str | None, goal: str | None
) -> None:
    before = RolledBack(tip, asked, "Ada", NOW, 1, "1/1") if asked else None

    found = rollback.instead(held(history), tip, before)

    assert (found.commit if found else None) == goal


def test_what_was_asked_for_another_tip_is_over() -> None:
    over = RolledBack("bad", "good", "Ada", NOW, 1, "1/1")

    found = rollback.instead(held("mended (good) bad good older"), "mended", over)

    assert found is not None
    assert found.commit == "good"
