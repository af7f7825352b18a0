"""Where a story is cut off, from a list of the changes that its passes make."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tests.controllers.call_interrupter import Side
from tests.controllers.story_runner import Story

WHOLE = slice(None)


@dataclass(frozen=True)
class CutPoint:
    """Before or after a change, as `write 2`; `name` says which change follows, too."""

    name: str
    side: Side
    change: str


@dataclass(frozen=True, eq=False)
class StoryKind:
    """Stories that are told in one world, and of each the changes that its passes make, a text for
    each pass.
    """

    name: str
    stories: Mapping[Story, Sequence[str]]
    cut: Mapping[Story, slice] = field(default_factory=dict)
    """Which passes of a story are cut off, where not all are: what another story's passes do is cut
    off there.
    """
    counted: Mapping[Story, slice] = field(default_factory=dict)
    """Which of the passes that were made are in the list, where not all are."""
    prologue: Sequence[Story] = ()
    """What happens before all of them."""

    def __str__(self) -> str:
        return self.name

    def cut_points(self, story: Story) -> list[CutPoint]:
        """Every place where one of the story's passes may end early."""
        return cut_points(self.stories[story][self.cut.get(story, WHOLE)])

    def changes(self, story: Story, passes: Sequence[Sequence[str]]) -> list[str]:
        """What an interrupter counted in the story's own passes."""
        return changes(passes)[self.counted.get(story, WHOLE)]


def cut_points(passes: Iterable[str]) -> list[CutPoint]:
    """Every place where a pass may end early.

    Each text lists the changes of one pass. Between one change and the next there
    are only reads, so that a pass which is cut off after the one is cut off before
    the other: one place, named after both.
    """
    return list(_cut_points(passes))


def _cut_points(passes: Iterable[str]) -> Iterator[CutPoint]:
    for one in passes:
        names = one.split(", ")
        yield CutPoint(f"before {names[0]}", "before", names[0])
        for name, following in zip(names, [*names[1:], ""], strict=True):
            more = f", before {following}" if following else ", before it is settled"
            yield CutPoint(f"after {name}{more}", "after", name)


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
