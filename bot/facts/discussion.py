"""Facts about what people and the bot say on a pull request.

Plain frozen data. Times are aware UTC datetimes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

COMMAND = "/mlops"
"""What a comment begins with that asks the bot for something."""


@dataclass(frozen=True)
class Comment:
    """A comment on a pull request, as it reads now: `id` counts within its `thread`, `parent` is
    what it answers.

    `author` is a display name, `unique_name` an address or `Build\\…`, `author_id` what people are
    known by; `liked_by` holds such ids. `first`: it opened its thread.
    """

    thread: int
    id: int
    author_id: str
    author: str
    unique_name: str
    content: str
    published: datetime
    content_updated: datetime
    parent: int = 0
    first: bool = False
    liked_by: frozenset[str] = frozenset()
    deleted: bool = False


@dataclass(frozen=True)
class Report:
    """The bot's thread on a pull request: its id and what its comments say, the first being the
    report.
    """

    id: int
    comments: tuple[str, ...]


@dataclass(frozen=True)
class Double:
    """A thread of the bot's that was opened in the same moment as its report: its id, and the
    comments by theirs.
    """

    id: int
    comments: Mapping[int, str]


@dataclass(frozen=True)
class Discussion:
    """What was said on a pull request that is the bot's business: its report, and each thread that
    holds a command.

    `me` is the bot's own identity. The comments of a thread stand in the order they were written.
    `doubles` should be none: the oldest thread is the report.
    """

    me: str
    report: Report | None = None
    doubles: tuple[Double, ...] = ()
    comments: tuple[Comment, ...] = ()


@dataclass(frozen=True)
class Team:
    """A team of the served project and the ids of its members; `known` is whether Azure DevOps has
    it.
    """

    name: str
    members: frozenset[str] = frozenset()
    known: bool = True


Right = Literal["anyone", "contributor", "model owner", "release manager"]
"""What somebody has to be to give a command."""


@dataclass(frozen=True)
class NotAllowed:
    """Why somebody may not give a command: the `right` that it takes, and the `teams` that have it.

    `no team`: nobody has the right until a deployment's `setting` names a team. `own pull request`:
    whoever opened it judges nothing of it.
    """

    kind: Literal["no team", "not in a team", "own pull request", "creator unknown"]
    right: Right
    teams: tuple[Team, ...] = ()
    setting: str = ""


@dataclass(frozen=True)
class Mistake:
    """A command that could not be read: `line` is all of it.

    `word` is what is at fault, as it was written (empty: nothing in particular), `meant` a command
    that may have been meant, and `like` an example. `usage` is how the command is written, `most`
    how many characters or lines there may be.
    """

    line: str
    kind: Literal[
        "too long",
        "quotation mark",
        "no command",
        "unknown command",
        "too much",
        "too little",
        "no such choice",
        "no reason",
        "no number of lines",
    ]
    word: str = ""
    meant: str = ""
    like: str = ""
    usage: str = ""
    most: int = 0


OrderVerb = Literal["run", "retry", "cancel", "override", "ok-to-test", "confirm"]
"""The commands that are orders: the bot obeys them for one commit, until it is told otherwise."""


@dataclass(frozen=True)
class Order:
    """A command that was accepted, and holds for one commit.

    `by` is the display name of who gave it; `argument` what it is about (`gate`, a project's name;
    empty: everything).
    """

    verb: OrderVerb
    commit: str
    by: str
    at: datetime
    argument: str = ""
    reason: str = ""
