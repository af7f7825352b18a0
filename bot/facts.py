"""What looking tells: facts about pull requests, runs, folders, jobs and models.

Plain frozen data. A rule is given these and nothing else, not even the clock.
Times are aware UTC datetimes; durations are seconds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, Literal

from bot.config import Drift as Policy
from bot.config import Job, Metric, Mlops, Project, Schedule
from bot.subjects import Retraining

COMMAND = "/mlops"
"""What a comment begins with that asks the bot for something."""

ACCEPTED = "signalman_accepted"
"""The tag of a model version that says who wants it in spite of what speaks against it, and why."""

Outcome = Literal["succeeded", "failed", "timed out", "cancelled", "no cluster"]
"""How a run ended. `no cluster`: the workspace's doing, not the project's."""


@dataclass(frozen=True)
class ProjectRun:
    """One project run for one commit of a pull request.

    `token` names it everywhere (in MLflow, in Databricks); `cluster_run` is its id
    at the backend. Known once it has ended: `metrics`, `model_version`, its
    `signature` (canonical JSON; empty: none), `log` (its last lines) and
    `log_lines` (how many it has in all; 0: just those).
    `withdrawn`: the bot stopped it, so that it says nothing of the change. `command`: it is a retraining, for
    the subject of this key, and runs in the production workspace.
    """

    token: str
    project: str
    commit: str
    iteration: int
    backend: str
    mlflow_run: str = ""
    experiment: str = ""
    cluster_run: str = ""
    outcome: Outcome | None = None
    closed: bool = False
    withdrawn: bool = False
    reason: str = ""
    log: str = ""
    log_lines: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)
    model_name: str = ""
    model_version: str = ""
    signature: str = ""
    run_page: str = ""
    mlflow_page: str = ""
    model_page: str = ""
    started: datetime | None = None
    ended: datetime | None = None
    command: str = ""

    @property
    def over(self) -> bool:
        """Whether it has ended, one way or another."""
        return self.outcome is not None

    @property
    def seconds(self) -> float | None:
        """How long it took, in seconds; None while it is under way."""
        return (self.ended - self.started).total_seconds() if self.started and self.ended else None


@dataclass(frozen=True)
class BadName:
    """Why a branch name cannot be used: the characters at fault and their positions, from 1, or a sentence, which
    may end in the pattern that the name does not match.
    """

    name: str
    at_fault: tuple[tuple[str, int], ...] = ()
    sentence: str = ""
    pattern: str = ""


StepState = Literal["waits", "runs", "again", "passed", "accepted", "failed", "refused", "no cluster", "skipped"]
"""`again`: the workspace failed it, not the project, and it will be tried once more. `refused`: it ran, but its
model is not good enough. `accepted`: it failed or was refused, and somebody who may has accepted that for this commit.
"""


@dataclass(frozen=True)
class Reference:
    """A run that others are compared with.

    `label` is what people call it: `main`, `production v12`. `comparable` tells whether it was made of the same data;
    one that was not is shown, and nothing is judged by it. `signature` as in ProjectRun.
    """

    label: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    comparable: bool = True
    signature: str = ""
    page: str = ""


@dataclass(frozen=True)
class Baseline:
    """What a project's run is compared with: the target branch's last run, and the version that serves.

    `history` are the metrics of the target branch's last runs, the oldest first.
    """

    target: Reference | None = None
    serving: Reference | None = None
    history: tuple[Mapping[str, float], ...] = ()


@dataclass(frozen=True)
class Judgement:
    """What one metric of a run says.

    `bound` is the worst value that may be merged (None: any), and `source` where it comes from. `shown`: nothing is
    judged by it. `missing`: not logged, or not a number (`value` is then what was logged all the same).
    """

    metric: Metric
    value: float | None
    target: float | None = None
    serving: float | None = None
    bound: float | None = None
    source: Literal["", "limit", "target", "serving"] = ""
    verdict: Literal["ok", "worse", "missing", "shown"] = "shown"

    @property
    def refuses(self) -> bool:
        """Whether it stands in the way of a merge. A metric that may be missing may still not be something that is no
        number, where there is a bound that it would have to keep.
        """
        bounded = self.metric.limit is not None or self.metric.tolerance is not None
        absent = self.verdict == "missing" and (self.metric.required or (self.value is not None and bounded))
        return self.verdict == "worse" or absent


@dataclass(frozen=True)
class Step:
    """One project of a pull request's plan and how far it is.

    `reason` says why it failed; `attempt` is the number of its newest run, or of the one that is to come.
    `losses` counts those that the workspace failed. `judgements` has one for each metric of a run that ended well;
    `accepted` is the order by which somebody accepted that it failed. `baseline` is what it is compared with. `round`
    counts the orders to run again that were about it.
    """

    project: Project
    state: StepState
    run: ProjectRun | None = None
    reason: str = ""
    attempt: int = 1
    losses: int = 0
    judgements: tuple[Judgement, ...] = ()
    accepted: "Order | None" = None
    baseline: Baseline = field(default_factory=Baseline)
    round: int = 0


@dataclass(frozen=True)
class Comment:
    """A comment on a pull request, as it reads now: `id` counts within its `thread`, `parent` is what it answers.

    `author` is a display name, `unique_name` an address or `Build\\…`, `author_id` what people are known by;
    `liked_by` holds such ids. `first`: it opened its thread.
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
    """The bot's thread on a pull request: its id and what its comments say, the first being the report."""

    id: int
    comments: tuple[str, ...]


@dataclass(frozen=True)
class Double:
    """A thread of the bot's that was opened in the same moment as its report: its id, and the comments by theirs."""

    id: int
    comments: Mapping[int, str]


@dataclass(frozen=True)
class Discussion:
    """What was said on a pull request that is the bot's business: its report, and each thread that holds a command.

    `me` is the bot's own identity. The comments of a thread stand in the order they were written. `doubles` should be
    none: the oldest thread is the report.
    """

    me: str
    report: Report | None = None
    doubles: tuple[Double, ...] = ()
    comments: tuple[Comment, ...] = ()


@dataclass(frozen=True)
class Team:
    """A team of the served project and the ids of its members; `known` is whether Azure DevOps has it."""

    name: str
    members: frozenset[str] = frozenset()
    known: bool = True


@dataclass(frozen=True)
class Live:
    """What a scoring job loads: the commit that trained it (empty: unknown) and since when. `problem` says in a
    sentence why it loads nothing, or what cannot be told. `next_run` is in the time zone of its schedule.
    """

    job: str
    model: str = ""
    version: str = ""
    commit: str = ""
    since: datetime | None = None
    problem: str = ""
    next_run: datetime | None = None


@dataclass(frozen=True)
class Edited:
    """What was found changed by hand and left so, when a sweep last `looked`: paths of objects, and keys of jobs."""

    objects: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()
    looked: datetime | None = None


@dataclass(frozen=True)
class Standing:
    """What the workspace holds of a target branch that is at `tip`; `live` is None before the first sync.

    `kept`: paths that are gone from Git and not yet from the workspace, and why. `jobs`: what scoring jobs load.
    `unfinished`: a sync is under way, or could not be finished. `edited`: what somebody changed by hand.
    """

    repository: str
    tip: str
    live: "Synced | None"
    unfinished: bool = False
    objects: int = 0
    kept: Mapping[str, str] = field(default_factory=dict)
    rolled_back: "RolledBack | None" = None
    jobs: "tuple[Live, ...]" = ()
    edited: Edited = field(default_factory=Edited)


@dataclass(frozen=True)
class Order:
    """A command that was accepted, and holds for one commit.

    `by` is the display name of who gave it; `argument` what it is about (`gate`, a project's name; empty: everything).
    """

    verb: Literal["run", "retry", "cancel", "override", "ok-to-test", "confirm"]
    commit: str
    by: str
    at: datetime
    argument: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Place:
    """Where a pull request stands in the line for runs: `ahead` of it wait so many, of `waiting` in all; at most
    `limit` run at a time, and it may start `free` of its own now.
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
class JobTouched:
    """A job that a merge changes, or that uses what it changes. `created`: the merge creates it. `schedule` in words,
    empty: none; `next_run` is aware, None when it is paused or has no schedule; `later` are the two runs after it.

    `changes`: what of its own changes, each in a few words, such as `schedule` or `tasks.score.timeout_seconds`.
    `released`: the repository describes it no more, and it stays, because the bot did not create it.
    `was`: its name before, when it is renamed. `left`: keys that the file names and that are left to the workspace.
    """

    name: str
    created: bool
    schedule: str = ""
    next_run: datetime | None = None
    paused: bool = False
    later: tuple[datetime, ...] = ()
    removed: bool = False
    was: str = ""
    changes: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    released: bool = False


@dataclass(frozen=True)
class Preview:
    """What a merge would do to the workspace: object paths, and the jobs that use them.

    `problem` says in a sentence why it cannot be told; `refused` why the merge result cannot be brought to the
    workspace, which is the pull request's fault: a sentence a line. `held`: how many of the `objects` that are there
    are removed, where somebody has to confirm it; 0: nobody has to. `already`: what is wrong with the target branch
    too, and so no fault of the pull request's, a sentence a line.
    """

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    jobs: tuple[JobTouched, ...] = ()
    problem: str = ""
    refused: str = ""
    held: int = 0
    objects: int = 0
    already: str = ""


@dataclass(frozen=True)
class Situation:
    """What a report tells: the pull request's newest commit, its steps, and what surrounds them.

    `pages` is the address of the bot's own pages (empty: none). `cancelled` is the order that stopped it.
    """

    head: "PullRequestHead"
    steps: tuple[Step, ...]
    now: datetime
    repository: str = ""
    place: Place | None = None
    pictures: tuple[Picture, ...] = ()
    preview: Preview | None = None
    earlier: tuple[Earlier, ...] = ()
    cancelled: Order | None = None
    pages: str = ""


@dataclass(frozen=True)
class ServingVersion:
    """The version of a registered model that was promoted, and how: `alias champion`, `stage Production`."""

    name: str
    version: str
    run: str
    promoted_by: str
    updated: int
    by_alias: bool


@dataclass(frozen=True)
class ModelVersion:
    """A version of a registered model: the run that registered it, and what marks it; `tags` are its own.

    `status` in MLflow's words: `READY`, `PENDING_REGISTRATION`, `FAILED_REGISTRATION`; empty where it was not asked.
    """

    name: str
    version: str
    run: str
    stage: str = ""
    aliases: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    status: str = ""


@dataclass(frozen=True)
class Leavings:
    """What a closed pull request has left: its runs, the versions they registered, and their experiment.

    `loaded`: names and versions that scoring jobs load. `shared`: an open pull request uses the experiment too.
    `others`: there are runs in it that are somebody else's. `merged`: it was, so that its versions may be promoted yet.
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
    """A status in the bot's genre on an iteration, in Azure DevOps' words; `name` without the genre, `by` an id."""

    name: str
    iteration: int
    state: str
    told: str
    posted: datetime
    by: str = ""


@dataclass(frozen=True)
class PullRequestFacts:
    """All a rule may know of a pull request. `target` is the branch whose pull requests are judged; `problem`
    says why there is no usable `config`; `was_open`: it was so when it was last looked at.

    `baselines` by project path; `orders` are those for this iteration, in the order they were given; `in_line`: its
    status says that it waits in line; `pictures` are None until they were attached; `told` is the verdict that was
    given last, whichever commit it was about; `reported` is when the report was last written; `pages` the address of
    the bot's own pages.
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
    place: Place | None = None
    in_line: bool = False
    pictures: tuple[Picture, ...] | None = None
    preview: Preview | None = None
    earlier: tuple[Earlier, ...] = ()
    told: Earlier | None = None
    reported: datetime | None = None
    pages: str = ""


@dataclass(frozen=True)
class SourceFile:
    """A file of the repository at a commit: `digest` is its Git object id; `notebook` whether it is one."""

    path: str
    digest: str
    size: int
    notebook: bool = False
    link: bool = False


_NOTEBOOK_HEADERS = {
    ".py": b"# Databricks notebook source",
    ".r": b"# Databricks notebook source",
    ".sql": b"-- Databricks notebook source",
    ".scala": b"// Databricks notebook source",
}


def is_notebook(path: str, first: Callable[[int], bytes]) -> bool:
    """Whether Databricks imports a file as a notebook: Jupyter's always, sources that begin with its own line
    (https://docs.databricks.com/aws/en/notebooks/notebook-format). `first` gives so many first bytes of the file;
    it is asked only where they decide.
    """
    if path.endswith(".ipynb"):
        return True
    header = _NOTEBOOK_HEADERS.get(PurePosixPath(path).suffix.lower())
    # A byte or two more tell whether the line ends there; it may end in \r\n.
    return header is not None and first(len(header) + 2).split(b"\n")[0].rstrip() == header


@dataclass(frozen=True)
class Synced:
    """A commit that the workspace held completely: the pull request that brought it (0: none is known), and when.

    `by`: who rolled back to it; empty when a merge brought it.
    """

    commit: str
    pull_request: int = 0
    at: datetime | None = None
    by: str = ""


@dataclass(frozen=True)
class OwnedJob:
    """A job that the bot made or changed: its id, 0 while it is not known, and the settings that it was given last."""

    id: int
    applied: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class RolledBack:
    """A commit that somebody took out of the workspace, and the one that is there `instead` until the branch moves.

    `pull_request`: where it was asked for, 0: at a terminal. `order` tells one such wish from another.
    """

    commit: str
    instead: str
    by: str = ""
    at: datetime | None = None
    pull_request: int = 0
    order: str = ""


@dataclass(frozen=True)
class Manifest:
    """What the bot wrote into the workspace: the commit that is completely there, and path -> digest.

    A path with an empty digest is owned and was never there before; a digest that ends in `?` is being replaced
    or removed, so what lies there is not known. `since`: while nothing is completely there, what last was.
    `history`: what was completely there, the newest first. `jobs` by their key in the repository. `kept`: paths that
    the branch does not hold any more, and which job uses them, in a sentence.
    """

    repository: str
    commit: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    since: str = ""
    history: tuple[Synced, ...] = ()
    jobs: Mapping[str, OwnedJob] = field(default_factory=dict)
    kept: Mapping[str, str] = field(default_factory=dict)

    @property
    def live(self) -> Synced | None:
        """What the workspace holds, or held last."""
        return self.history[0] if self.history else None

    @property
    def objects(self) -> int:
        """How many objects of ours are there."""
        return sum(bool(digest) for digest in self.files.values())

    def brought(self, commit: str) -> int:
        """The pull request that brought a commit to the workspace; 0: none is known."""
        return next((one.pull_request for one in self.history if one.commit == commit), 0)


@dataclass(frozen=True)
class JobFacts:
    """A Databricks job as it stands; `bundle` when an Asset Bundle manages it. `schedule`: None when it has none.

    `settings`: all of them, in the terms of the Jobs API (https://docs.databricks.com/api/workspace/jobs/get).
    """

    id: int
    name: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    bundle: bool = False
    schedule: Schedule | None = None
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class JobDefinition:
    """A job as the repository wants it.

    `key` is its name in the file, `settings` what the file names, in the terms of the Jobs API; `file` is where it
    stands. `theirs`: keys that the file names and that are left to the workspace all the same. `follows`: it is
    pointed at the promoted version of a model, so that what its parameters say of a model is not the file's.
    """

    key: str
    settings: Mapping[str, Any] = field(hash=False)
    file: str
    theirs: tuple[str, ...] = ()
    follows: bool = False

    @property
    def name(self) -> str:
        """What the job is called; its key where the file does not say."""
        return str(self.settings.get("name", self.key))


@dataclass(frozen=True)
class BranchJobs:
    """All a rule may know of the jobs that a commit describes, and of those in the workspace.

    `there`: the job of each key, of `wanted` and of `owned`, None where there is none. `running`: the keys of those
    that run now, of which only the removed are asked.
    """

    repository: str
    commit: str
    wanted: Mapping[str, JobDefinition]
    owned: Mapping[str, OwnedJob]
    there: Mapping[str, JobFacts | None]
    running: frozenset[str] = frozenset()
    pull_request: int = 0


@dataclass(frozen=True)
class BranchFacts:
    """All a rule may know of what the workspace is to hold of the target branch, and of what it holds.

    `tip` is the commit to hold, with its `config` and `files`: the branch's newest, or the one that is there instead
    of a newest that was `rolled_back`. `merged`: the pull requests that the workspace does not hold yet, each with the
    commit it was merged as. `jobs` are None where nobody asked. `used`: workspace paths that jobs run, each with
    the id and the name of the job. `confirmed`: somebody who may has agreed that so much is removed.
    """

    repository: str
    target: str
    tip: str
    config: Mlops
    files: tuple[SourceFile, ...]
    manifest: Manifest
    jobs: BranchJobs | None = None
    merged: tuple[tuple[int, str], ...] = ()
    now: datetime | None = None
    rolled_back: RolledBack | None = None
    used: tuple[tuple[str, int, str], ...] = ()
    confirmed: bool = False


@dataclass(frozen=True)
class Drift:
    """Something of ours in the workspace that is not as the bot left it: an object, or `fields` of a job.

    `place` is its path, or the job's key; `replaced`: something of another kind stands there. `found` is a digest of
    what was found, `modified` when that was written, 0 where it is not known. `difference`: `-` as it should be, `+`
    as it was found, masked and shortened; `added` and `removed` count all its lines. `put_back`: the pass does that;
    `again`: it was done before, and the same was found once more. `aside`: the path under which what was found is kept.
    """

    place: str
    kind: Literal["edited", "deleted", "replaced", "field"]
    policy: Policy
    found: str = ""
    modified: int = 0
    difference: tuple[str, ...] = ()
    added: int = 0
    removed: int = 0
    fields: tuple[str, ...] = ()
    put_back: bool = False
    again: bool = False
    aside: str = ""


@dataclass(frozen=True)
class RetrainingFacts:
    """All a rule may know of a retraining, and of the commit of the target branch that it is made of.

    `problem` says why there is no usable `config` at that commit. `runs`: those under its token, the true one first.
    """

    subject: Retraining
    target: str
    commit: str
    config: Mlops | None
    problem: str = ""
    runs: tuple[ProjectRun, ...] = ()


@dataclass(frozen=True)
class Judged:
    """The bot's `signalman/validate` for a commit, in Azure DevOps' words (empty: there is none).

    Of a commit of the target branch it is that of the last iteration of the pull request that was merged as it
    (0: none was).
    """

    commit: str
    pull_request: int = 0
    state: str = ""


@dataclass(frozen=True)
class Origin:
    """Where a model version comes from: the commit that trained it, and the pull request (None: unknown).

    `retrained`: the pull request is only where somebody asked for it to be trained. `own`: a run for an iteration of
    the pull request trained it. `judged`: what is known of that commit; where no run of its own trained it, also of
    those before it on the target branch, as far back as it takes.
    """

    repository: str
    commit: str
    pull_request: int | None
    retrained: bool = False
    own: bool = False
    judged: tuple[Judged, ...] = ()


@dataclass(frozen=True)
class SmokeTest:
    """How a version is to be tried: the scoring project at a commit of the target branch, on that project's toy data.

    `content` is the digest of the project's folder there, `parameters` as they are handed over.
    """

    project: Project
    commit: str
    content: str
    backend: str
    parameters: Mapping[str, str]
    timeout: float


@dataclass(frozen=True)
class Admission:
    """What is known of a promoted version that a job does not score with yet.

    `version` as the registry has it now, None: it is gone. `signature` is its own, `serving` that of the version that
    the job scores with now; canonical JSON, empty: none. `smoke`: how it is to be tried, None: not at all.
    """

    version: ModelVersion | None
    signature: str = ""
    serving: str = ""
    smoke: SmokeTest | None = None


@dataclass(frozen=True)
class ModelFacts:
    """All a rule may know of one scoring job and the versions that could serve it.

    `wanted` is the job's configuration. `admission` is known of a serving version that the job is not signed with.
    `runs`: the smoke runs that were made for the job and are remembered. `page`: where people look at the job.
    """

    repository: str
    job_name: str
    job: JobFacts | None
    candidates: tuple[ServingVersion, ...]
    origin: Origin | None = None
    wanted: Job | None = None
    admission: Admission | None = None
    runs: tuple[ProjectRun, ...] = ()
    target: str = ""
    page: str = ""


@dataclass(frozen=True)
class TransitionRequest:
    """That somebody asks for a version to be moved to a stage; `at` in milliseconds."""

    to: str
    by: str
    at: int = 0
    comment: str = ""


@dataclass(frozen=True)
class RequestFacts:
    """All a rule may know of a version that somebody asks to be moved to the stage that a job follows.

    `serving`: what the job scores with now; `metrics` and `before` are those that were logged by the runs of both,
    and `compared` those that people judge by, with their goals.
    """

    model: ModelFacts
    requests: tuple[TransitionRequest, ...]
    serving: tuple[str, str]
    metrics: Mapping[str, float] = field(default_factory=dict)
    before: Mapping[str, float] = field(default_factory=dict)
    compared: tuple[Metric, ...] = ()


@dataclass(frozen=True)
class Promotion:
    """That a job scores with another version: what people are told of it.

    `was`: name and number of the version before, empty: none. `smoke` is the run that tried it, with what it
    `measured`; `accepted` says who wanted it in spite of what spoke against it, and why. `page` shows the job.
    """

    version: ServingVersion
    job: str
    was: tuple[str, str] = ("", "")
    commit: str = ""
    pull_request: int | None = None
    retrained: bool = False
    smoke: ProjectRun | None = None
    measured: Mapping[str, float] = field(default_factory=dict)
    accepted: str = ""
    next_run: datetime | None = None
    page: str = ""


@dataclass(frozen=True)
class NotPromoted:
    """That a job does not score with a promoted version: why, in the rest of a sentence about it, in Markdown.

    `serving` is what it scores with instead, such as `v17`; empty: nothing. `acceptable`: a model owner may accept the
    version all the same. `run` is the smoke run that failed.
    """

    version: ServingVersion
    job: str
    serving: str
    reason: str
    acceptable: bool = False
    run: ProjectRun | None = None
