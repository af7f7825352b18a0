"""What a subject's row keeps between passes, and what becomes of it when the bot is another
release.
"""

from dataclasses import dataclass, field

from bot.controllers.pull_request import memo
from bot.facts.runs import ProjectRun
from bot.passes import MEMO_SHAPE, MemoFormat


@dataclass(frozen=True)
class Kept:
    """As a kind of subject has it."""

    runs: tuple[ProjectRun, ...] = field(default=())


FORMAT = MemoFormat(Kept)
RUN = ProjectRun("t1", "projects/wine", "c1", 0, "local", where="production", owner="model/wine")


def test_what_is_kept_is_read_again() -> None:
    assert FORMAT.read(FORMAT.write(Kept((RUN,)))) == Kept((RUN,))


def test_a_memo_of_another_release_is_a_lost_one() -> None:
    of_the_release_before = {
        name: kept for name, kept in FORMAT.write(Kept((RUN,))).items() if name != "shape"
    }

    assert FORMAT.read(of_the_release_before) == Kept()
    assert FORMAT.read({**of_the_release_before, "shape": MEMO_SHAPE + 1}) == Kept()
    assert memo.read(of_the_release_before) == memo.PullRequestMemo()
