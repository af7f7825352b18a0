"""Facts about a pull request: its head, its plan, and what its runs are compared with.

Plain frozen data. A rule is given these and nothing else, not even the clock.
Times are aware UTC datetimes; durations are seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from bot.config.repository import Mlops, Project
from bot.facts.branch import Preview
from bot.facts.discussion import Order
from bot.facts.model import ModelVersion, ServingVersion
from bot.facts.quality_gate import Baseline, GateRefusal, Judgement
from bot.facts.runs import ProjectRun, RunFault

VALIDATE = "validate"
"""The status that a branch policy can require: the verdict on an iteration."""


@dataclass(frozen=True)
class BadName:
    """Why a branch name cannot be used: the characters at fault and their positions, from 1; or how
    many characters it may have at most; or the pattern that it does not match.
    """

    name: str
    at_fault: tuple[tuple[str, int], ...] = ()
    most: int | None = None
    pattern: str = ""


StepState = Literal[
    "waits", "runs", "again", "passed", "accepted", "failed", "refused", "no cluster", "skipped"
]
"""`again`: the workspace failed it, not the project, and it will be tried once more. `refused`: it
ran, but its model is not good enough. `accepted`: it failed or was refused, and somebody who may
has accepted that for this commit.
"""

UNFINISHED_STATES: tuple[StepState, ...] = ("waits", "runs", "again")
"""The states of a step that has not ended."""

USABLE_STATES: tuple[StepState, ...] = ("passed", "refused", "accepted")
"""The states of a step whose run ended well: what comes after it may use what it made."""

GOOD_STATES: tuple[StepState, ...] = ("passed", "accepted")
"""The states of a step that stands in the way of no merge."""


@dataclass(frozen=True)
class NotReached:
    """Why a step is not started: it comes after a project of that name, which did not succeed."""

    before: str


StepFault = RunFault | GateRefusal | NotReached
"""Why a step does not pass."""


@dataclass(frozen=True)
class Step:
    """One project of a pull request's plan and how far it is.

    `fault` says why it does not pass, also where that was accepted. `attempt` is the number of its
    newest run, or of the one that is to come; `losses` counts those that the workspace failed.
    `judgements` has one for each metric of a run that ended well; `accepted` is the order by which
    somebody accepted that it failed. `baseline` is what it is compared with. `round` counts the
    orders to run again that were about it.
    """

    project: Project
    state: StepState
    run: ProjectRun | None = None
    fault: StepFault | None = None
    attempt: int = 1
    losses: int = 0
    judgements: tuple[Judgement, ...] = ()
    accepted: "Order | None" = None
    baseline: Baseline = field(default_factory=Baseline)
    round: int = 0


@dataclass(frozen=True)
class QueuePosition:
    """Where a pull request stands in the line for runs: `ahead` of it wait so many, of `waiting` in
    all; at most `limit` run at a time, and it may start `free` of its own now.
    """

    free: int
    ahead: int
    waiting: int
    limit: int


@dataclass(frozen=True)
class Picture:
    """A picture that the report shows: `title` comes from outside, `url` from Azure DevOps."""

    title: str
    url: str


@dataclass(frozen=True)
class Earlier:
    """What became of an earlier commit of the same pull request, in the words of its status."""

    commit: str
    state: Literal["passed", "failed", "error", "superseded"]
    told: str = ""


@dataclass(frozen=True)
class Situation:
    """What a report tells: the pull request's newest commit, its steps, and what surrounds them.

    `pages` is the address of the bot's own pages (empty: none). `cancelled` is the order that
    stopped it.
    """

    head: "PullRequestHead"
    steps: tuple[Step, ...]
    now: datetime
    repository: str = ""
    queue_position: QueuePosition | None = None
    pictures: tuple[Picture, ...] = ()
    preview: Preview | None = None
    earlier: tuple[Earlier, ...] = ()
    cancelled: Order | None = None
    pages: str = ""

    @property
    def place(self) -> QueuePosition | None:
        """The position in the queue, by the name that a deployment's own templates may know."""
        return self.queue_position


@dataclass(frozen=True)
class Leavings:
    """What a closed pull request has left: its runs, the versions they registered, and their
    experiment.

    `loaded`: names and versions that scoring jobs load. `shared`: an open pull request uses the
    experiment too. `others`: there are runs in it that are somebody else's. `merged`: it was, so
    that its versions may be promoted yet.
    """

    experiment: str
    runs: tuple[str, ...]
    versions: tuple[ModelVersion, ...]
    loaded: frozenset[tuple[str, str]]
    shared: bool
    others: bool
    merged: bool


@dataclass(frozen=True)
class PullRequestHead:
    """What the pull request is right now: its newest iteration, and what it touches.

    `judged`: this iteration already carries a verdict. `pending`: it carries the
    bot's `pending`. `thread`: the bot's report, 0 when there is none. `author` is
    the name that paths are made of, `author_id` the identity of the same person.
    `commits`: what each iteration brought, the first iteration first. `pushed`: when
    the newest came. `merge_commit`: what it was completed as, empty before.
    """

    number: int
    title: str
    url: str
    open: bool
    fork: bool
    source: str
    target: str
    author: str
    commit: str
    iteration: int
    commits: tuple[str, ...] = ()
    pushed: datetime | None = None
    merge_commit: str = ""
    merged: bool = False
    judged: bool = False
    pending: bool = False
    thread: int = 0
    changed: tuple[str, ...] = ()
    author_id: str = ""


@dataclass(frozen=True)
class Check:
    """A status in the bot's genre on an iteration, in Azure DevOps' words; `name` without the
    genre, `by` an id.
    """

    name: str
    iteration: int
    state: str
    told: str
    posted: datetime
    by: str = ""


@dataclass(frozen=True)
class PullRequestFacts:
    """All a rule may know of a pull request. `target` is the branch whose pull requests are judged;
    `problem` says why there is no usable `config`; `was_open`: it was so when it was last looked
    at.

    `baselines` by project path; `orders` are those for this iteration, in the order they were
    given; `in_line`: its status says that it waits in line; `pictures` are None until they were
    attached; `told` is the verdict that was given last, whichever commit it was about; `reported`
    is when the report was last written; `pages` the address of the bot's own pages.
    """

    repository: str
    target: str
    head: PullRequestHead
    config: Mlops | None
    problem: str = ""
    runs: tuple[ProjectRun, ...] = ()
    branches: frozenset[str] = frozenset()
    serving: ServingVersion | None = None
    was_open: bool = False
    baselines: Mapping[str, Baseline] = field(default_factory=dict)
    orders: tuple[Order, ...] = ()
    queue_position: QueuePosition | None = None
    in_line: bool = False
    pictures: tuple[Picture, ...] | None = None
    preview: Preview | None = None
    earlier: tuple[Earlier, ...] = ()
    told: Earlier | None = None
    reported: datetime | None = None
    pages: str = ""


@dataclass(frozen=True)
class PullRequestMemo:
    """What is known of a pull request from one pass to the next.

    `statuses` are those posted on the newest iteration, by name: state and text. `thread_status` is
    what the bot set last; `reported` when it wrote the report last, which then had the digest
    `report`. `read` is when the pull request was read last.
    """

    head: PullRequestHead | None = None
    config: Mlops | None = None
    problem: str = ""
    runs: tuple[ProjectRun, ...] = ()
    branches: frozenset[str] = frozenset()
    serving: ServingVersion | None = None
    was_open: bool = False
    orders: tuple[Order, ...] = ()
    statuses: Mapping[str, str] = field(default_factory=dict)
    report: str = ""
    reported: datetime | None = None
    thread_status: str = ""
    baselines: Mapping[str, Baseline] = field(default_factory=dict)
    pictures: tuple[Picture, ...] | None = None
    preview: Preview | None = None
    earlier: tuple[Earlier, ...] = ()
    told: Earlier | None = None
    queue_position: QueuePosition | None = None
    read: datetime | None = None

    @property
    def known_head(self) -> PullRequestHead:
        """The head, which every look has read before it decides. Raises LookupError before that."""
        if self.head is None:
            raise LookupError("the pull request was not read yet")
        return self.head
