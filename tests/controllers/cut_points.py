"""Where a story is cut off, from a list of the changes that its passes make."""

from collections.abc import Iterable, Iterator, Sequence

import pytest
from _pytest.mark.structures import ParameterSet

from tests.controllers.call_interrupter import Side


def cut_points(passes: Iterable[str]) -> list[ParameterSet]:
    """A case for every place where a pass may end early.

    Each text lists the changes of one pass. Between one change and the next there
    are only reads, so that a pass which is cut off after the one is cut off before
    the other: one case, named after both.
    """
    return [pytest.param(side, cut, id=name) for side, cut, name in _places(passes)]


def _places(passes: Iterable[str]) -> Iterator[tuple[Side, str, str]]:
    for one in passes:
        names = one.split(", ")
        yield "before", names[0], f"before {names[0]}"
        for name, following in zip(names, [*names[1:], ""], strict=True):
            more = f", before {following}" if following else ", before it is settled"
            yield "after", name, f"after {name}{more}"


def changes(passes: Sequence[Sequence[str]]) -> list[str]:
    """What an interrupter counted, in the form of such a list.

    Passes that changed nothing are left out, and how often a run was told to stop
    before it did: that is the run's doing.
    """
    once = [
        [name for name in names if not name.startswith("cancel") or name == "cancel 1"]
        for names in passes
    ]
    return [", ".join(names) for names in once if names]
