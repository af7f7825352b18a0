"""Whether the bot ever validated what a version was trained from."""

import pytest

from bot.facts.model import Judged, Origin
from bot.rules.model import validated
from bot.words import model as words

HERE = "contoso/ml/wine"
TIP, BEFORE = "d4e5f6a" + "0" * 33, "0c9e1f2" + "0" * 33


def own(*judged: Judged) -> Origin:
    return Origin(HERE, TIP, 42, own=True, judged=judged)


def merged(*judged: Judged) -> Origin:
    return Origin(HERE, TIP, 42, judged=judged)


@pytest.mark.parametrize(
    ("origin", "why"),
    [
        (own(Judged(TIP, 42, "succeeded")), ""),
        (
            own(Judged(TIP, 42, "failed")),
            "signalman/validate is `failed` for `d4e5f6a` of pull request 42",
        ),
        (own(Judged(TIP, 42, "pending")), "is `pending`"),
        (own(Judged(TIP, 42, "notApplicable")), "is `notApplicable`"),
        (own(Judged(TIP, 42)), "never got a verdict"),
        (own(), "pull request 42 has no iteration with `d4e5f6a`"),
        (merged(Judged(TIP, 42, "succeeded")), ""),
        (merged(Judged(TIP, 42, "failed")), "is `failed` for pull request 42, merged as `d4e5f6a`"),
        (merged(Judged(TIP, 42)), "never got a verdict"),
        (merged(Judged(TIP)), "`d4e5f6a` was not merged to `main` by a pull request"),
        (merged(), "`d4e5f6a` was not merged to `main` by a pull request"),
        (merged(Judged(TIP, 42, "notApplicable"), Judged(BEFORE, 41, "succeeded")), ""),
        (
            merged(Judged(TIP, 42, "notApplicable"), Judged(BEFORE, 41, "failed")),
            "pull request 41, merged as `0c9e1f2`",
        ),
        (
            merged(Judged(TIP, 42, "notApplicable"), Judged(BEFORE)),
            "`0c9e1f2` was not merged to `main`",
        ),
        (
            merged(Judged(TIP, 42, "notApplicable")),
            "the last 1 merges up to `d4e5f6a` touch no project",
        ),
        (None, "no MLflow run is known that trained it"),
        (Origin(HERE, "", None), "its MLflow run names no commit"),
        (
            Origin("contoso/ml/tide", TIP, None, judged=(Judged(TIP, 1, "succeeded"),)),
            "for another repository",
        ),
    ],
)
def test_a_version_is_validated_where_the_bots_own_verdict_was_good(
    origin: Origin | None, why: str
) -> None:
    found = validated.doubt(origin, HERE, "main")

    assert (found is None) == (why == "")
    assert found is None or why in words.doubt(found)
