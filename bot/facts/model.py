"""Facts about registered models: versions, where they come from, what a job may load.

Plain frozen data. Times are aware UTC datetimes; durations are seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from bot.config.repository import Job, Metric, Mlops, Project
from bot.facts.branch import JobFacts
from bot.facts.quality_gate import GateRefusal
from bot.facts.runs import ProjectRun, RunFault
from bot.subjects import Retraining

ACCEPTED = "signalman_accepted"
"""The tag of a model version that says who wants it in spite of what speaks against it, and why."""


@dataclass(frozen=True)
class ServingVersion:
    """The version of a registered model that was promoted, and how: `alias champion`, `stage
    Production`.
    """

    name: str
    version: str
    run: str
    promoted_by: str
    updated: int
    by_alias: bool


@dataclass(frozen=True)
class ModelVersion:
    """A version of a registered model: the run that registered it, and what marks it; `tags` are
    its own.

    `status` in MLflow's words: `READY`, `PENDING_REGISTRATION`, `FAILED_REGISTRATION`; empty where
    it was not asked.
    """

    name: str
    version: str
    run: str
    stage: str = ""
    aliases: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    status: str = ""


@dataclass(frozen=True)
class RetrainingFacts:
    """All a rule may know of a retraining, and of the commit of the target branch that it is made
    of.

    `problem` says why there is no usable `config` at that commit. `runs`: those under its token,
    the true one first.
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

    Of a commit of the target branch it is that of the last iteration of the pull request that was
    merged as it (None: none was).
    """

    commit: str
    pull_request: int | None = None
    state: str = ""


@dataclass(frozen=True)
class Origin:
    """Where a model version comes from: the commit that trained it, and the pull request (None:
    unknown).

    `retrained`: the pull request is only where somebody asked for it to be trained. `own`: a run
    for an iteration of the pull request trained it. `judged`: what is known of that commit; where
    no run of its own trained it, also of those before it on the target branch, as far back as it
    takes.
    """

    repository: str
    commit: str
    pull_request: int | None
    retrained: bool = False
    own: bool = False
    judged: tuple[Judged, ...] = ()


@dataclass(frozen=True)
class Doubt:
    """Why a model version counts as never validated.

    `commit` and `pull_request` are what no good verdict is known of; `merged`: it is asked for the
    pull request as it was merged, and not for an iteration of it. `repository` and `target` are
    those that are meant, `merges` how many commits of the target branch were looked through, and
    `state` the verdict in Azure DevOps' words.
    """

    kind: Literal[
        "no run",
        "another repository",
        "no commit",
        "no iteration",
        "not merged",
        "no project touched",
        "no verdict",
        "bad verdict",
    ]
    commit: str = ""
    pull_request: int | None = None
    merged: bool = False
    repository: str = ""
    target: str = ""
    merges: int = 0
    state: str = ""


@dataclass(frozen=True)
class Misfit:
    """Why a model cannot take the place of another one, by their signatures.

    `column` is an input of it; `new` and `old` are the types of both, as MLflow writes them.
    """

    kind: Literal[
        "no signature",
        "other inputs",
        "column is not given",
        "other type",
        "column may be missing",
        "no outputs",
        "other outputs",
    ]
    column: str = ""
    new: str = ""
    old: str = ""


@dataclass(frozen=True)
class VersionGone:
    """A promoted version is not in the registry any more."""


@dataclass(frozen=True)
class VersionNotReady:
    """The registry is not done with a promoted version, or failed it; `status` in MLflow's
    words.
    """

    status: str


@dataclass(frozen=True)
class SmokeFailed:
    """The run that tried a promoted version on toy data shows that it cannot be scored with."""

    fault: RunFault | GateRefusal


PromotionRefusal = VersionGone | VersionNotReady | Doubt | Misfit | SmokeFailed
"""Why a job is not pointed at a promoted version."""


RollbackRefusal = Literal[
    "nothing promoted", "no job", "bundle", "no version before", "name too long", "version gone"
]
"""Why a job cannot be rolled back."""


@dataclass(frozen=True)
class SmokeTest:
    """How a version is to be tried: the scoring project at a commit of the target branch, on that
    project's toy data.

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

    `version` as the registry has it now, None: it is gone. `signature` is its own,
    `loaded_signature` that of the version that the job scores with now; canonical JSON, empty:
    none. `smoke`: how it is to be tried, None: not at all.
    """

    version: ModelVersion | None
    signature: str = ""
    loaded_signature: str = ""
    smoke: SmokeTest | None = None


@dataclass(frozen=True)
class ModelFacts:
    """All a rule may know of one scoring job and the versions that could serve it.

    `wanted` is the job's configuration. `admission` is known of a serving version that the job is
    not signed with. `runs`: the smoke runs that were made for the job and are remembered. `page`:
    where people look at the job.
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
    """A request: somebody asks for a version to be moved to a stage; `at` in milliseconds."""

    to: str
    by: str
    at: int = 0
    comment: str = ""


@dataclass(frozen=True)
class RequestFacts:
    """All a rule may know of a version that somebody asks to be moved to the stage that a job
    follows.

    `serving`: what the job scores with now; `metrics` and `before` are those that were logged by
    the runs of both, and `compared` those that people judge by, with their goals.
    """

    model: ModelFacts
    requests: tuple[TransitionRequest, ...]
    serving: tuple[str, str]
    metrics: Mapping[str, float] = field(default_factory=dict)
    before: Mapping[str, float] = field(default_factory=dict)
    compared: tuple[Metric, ...] = ()


@dataclass(frozen=True)
class Promotion:
    """A job scores with another version: what people are told of it.

    `was`: name and number of the version before, empty: none. `smoke` is the run that tried it,
    with what it `measured`; `accepted` says who wanted it in spite of what spoke against it, and
    why. `page` shows the job.
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
    """A job does not score with a promoted version, and why.

    `serving` is what it scores with instead, such as `v17`; empty: nothing. `acceptable`: a model
    owner may accept the version all the same. `run` is the smoke run that failed.
    """

    version: ServingVersion
    job: str
    serving: str
    refusal: PromotionRefusal
    acceptable: bool = False
    run: ProjectRun | None = None
