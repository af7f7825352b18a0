"""What a pass may do: actions, as plain data.

Each may be cut off and done again: it names what is wanted, not a step from
what was there before.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from bot.facts.branch import Drift, JobDefinition, JobFacts, Manifest, SourceFile
from bot.facts.pull_request import VALIDATE, Step
from bot.facts.runs import ProjectRun, Where
from bot.subjects import Subject

State = Literal["pending", "succeeded", "failed", "error", "notApplicable"]
Tone = Literal["fine", "to do"]
"""Whether somebody has to do something; which status a thread then has is a matter of settings."""


@dataclass(frozen=True)
class SetStatus:
    """Post a status on an iteration: `signalman/validate`, or that of a step; `description` is at
    most 80 characters.

    `page` is where it leads.
    """

    number: int
    iteration: int
    state: State
    description: str
    name: str = VALIDATE
    page: str = ""


@dataclass(frozen=True)
class PutReport:
    """Make the bot's report on a pull request read like this; without a tone the thread's status
    stays as it is.
    """

    number: int
    body: str
    tone: Tone | None


@dataclass(frozen=True)
class Reply:
    """Say something in the report's thread, unless it says so already.

    `sign` is the beginning by which it is known again, if not by the whole of it.
    """

    number: int
    body: str
    sign: str = ""


@dataclass(frozen=True)
class PreviewMerge:
    """Find out what the merge would do to the workspace, for the report to tell."""


@dataclass(frozen=True)
class AttachPictures:
    """Attach the pictures of these steps' runs to the pull request, for the report to show."""

    steps: tuple[Step, ...]


@dataclass(frozen=True)
class StartRun:
    """Run an MLflow project for a commit; `token` makes a second start the same run, `model` is
    what it registers.

    `fork`: the commit lies in another repository than the one served. `where` is the workspace that
    it is made in; in production it has an `owner`, the key of the subject that it is made for, and
    `kind` tells what for. `number` is None where no pull request asked for it. `labels` are more
    tags that its MLflow run is found by.
    """

    token: str
    project: str
    entry_point: str
    commit: str
    source: str
    number: int | None
    iteration: int
    backend: str
    cluster: str
    experiment: str
    model: str
    parameters: Mapping[str, str]
    timeout: float
    fork: bool = False
    where: Where = "validation"
    owner: str = ""
    kind: Literal["", "retraining", "smoke"] = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CancelRun:
    """Stop a run that nobody waits for any more; one without a `cluster_run` is first found by its
    token.
    """

    run: ProjectRun


@dataclass(frozen=True)
class CloseRun:
    """Let the MLflow run show how the run really ended."""

    run: ProjectRun


@dataclass(frozen=True)
class Answer:
    """Answer a comment in its thread, unless an answer to it begins like `sign` already."""

    number: int
    thread: int
    comment: int
    body: str
    sign: str


@dataclass(frozen=True)
class ArchiveVersion:
    """Mark a model version as of no more use; whoever wants it back moves it to another stage."""

    name: str
    version: str


@dataclass(frozen=True)
class DeleteVersion:
    """Delete a model version, and the model with its last one."""

    name: str
    version: str


@dataclass(frozen=True)
class DeleteRun:
    """Delete an MLflow run."""

    run: str


@dataclass(frozen=True)
class ArchiveExperiment:
    """Write the sign that nothing is left to tidy in an experiment."""

    experiment: str


@dataclass(frozen=True)
class DeleteExperiment:
    """Delete an experiment in which nothing is left."""

    experiment: str


@dataclass(frozen=True)
class WriteObject:
    """Write a file of a commit to a path of the workspace, over what is there."""

    path: str
    source: SourceFile
    commit: str


@dataclass(frozen=True)
class RemoveObject:
    """Remove a path that the bot once wrote; one that is gone is already removed."""

    path: str


@dataclass(frozen=True)
class RemoveFolder:
    """Remove a folder that the bot has emptied; one in which somebody else keeps something
    stays.
    """

    path: str


@dataclass(frozen=True)
class SetAside:
    """Keep what somebody wrote into the workspace under another path; `suffix` as a notebook has
    it, else empty.
    """

    path: str
    content: bytes
    suffix: str


ObjectAction = WriteObject | RemoveObject | RemoveFolder | SetAside


@dataclass(frozen=True)
class Together:
    """Do these side by side, in any order; what comes after waits for all of them."""

    actions: tuple[ObjectAction, ...]


@dataclass(frozen=True)
class WriteManifest:
    """Note in the workspace what the bot owns there."""

    manifest: Manifest


@dataclass(frozen=True)
class NoteDrift:
    """Let the history tell that something was changed in the workspace by hand."""

    drift: Drift


@dataclass(frozen=True)
class CreateJob:
    """Create a job that is not there, as a commit describes it; `pull_request` brought that, None:
    none is known.
    """

    definition: JobDefinition
    commit: str
    pull_request: int | None = None


@dataclass(frozen=True)
class ChangeJob:
    """Change settings of a job, in the terms of the Jobs API: each top-level field that is named is
    named completely.

    `remove` as in `jobs/update`. `whole`: `new_settings` are all that it has afterwards, as in
    `jobs/reset`. `name` is what it is called before, `changes` are paths. `goes`: only the bot's
    own tags are removed, and the job is let go.
    """

    job: int
    key: str
    new_settings: Mapping[str, Any]
    remove: tuple[str, ...] = ()
    whole: bool = False
    name: str = ""
    changes: tuple[str, ...] = ()
    goes: bool = False


@dataclass(frozen=True)
class RemoveJob:
    """Delete a job that the bot created and that the repository describes no more; one that is gone
    is removed.
    """

    job: int
    key: str
    name: str = ""


@dataclass(frozen=True)
class PointJob:
    """Make a job score with exactly this version from its next run on."""

    job: JobFacts
    model: str
    version: str


@dataclass(frozen=True)
class TagJob:
    """Write the sign that a job's pointing is done and told: its tags.

    `before` is what it scored with before, and `held` the version that was rolled back; each as
    `name/version`.
    """

    job: JobFacts
    model: str
    version: str
    commit: str
    before: str = ""
    held: str = ""


@dataclass(frozen=True)
class CommentVersion:
    """Say something on a model version, where its registry lets people read it; done twice it may
    be said twice.
    """

    name: str
    version: str
    body: str


@dataclass(frozen=True)
class TagVersion:
    """Let a model version carry these tags too. `needed`: what follows is not to be done without
    them.
    """

    name: str
    version: str
    tags: Mapping[str, str]
    needed: bool = False


@dataclass(frozen=True)
class Wake:
    """Let another subject be looked at now."""

    subject: Subject


@dataclass(frozen=True)
class LookAgain:
    """Look at this subject again after so many seconds, news or not."""

    seconds: float


RunAction = StartRun | CancelRun | CloseRun
PullRequestAction = (
    SetStatus
    | PutReport
    | Reply
    | PreviewMerge
    | AttachPictures
    | StartRun
    | CancelRun
    | CloseRun
    | Wake
    | LookAgain
)
CleanupAction = ArchiveVersion | DeleteVersion | DeleteRun | ArchiveExperiment | DeleteExperiment
"""What is done to what a closed pull request has left in MLflow."""

JobAction = CreateJob | ChangeJob | RemoveJob
BranchAction = (
    ObjectAction | Together | JobAction | WriteManifest | NoteDrift | Reply | Wake | LookAgain
)
VersionAction = CommentVersion | TagVersion
PointingAction = PointJob | TagJob
ModelAction = PointingAction | VersionAction | RunAction | Reply | LookAgain
RetrainingAction = StartRun | CloseRun | Answer | LookAgain
