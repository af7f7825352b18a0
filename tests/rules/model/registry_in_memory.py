"""A registry, its scoring jobs and what a pass makes of them, in memory, by the rules alone.

As the controllers do it, in a few lines. A pass is a list of orders, and stopping
before any of them is being killed there.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from bot.actions import (
    CloseRun,
    CommentVersion,
    LookAgain,
    ModelAction,
    PointJob,
    Reply,
    StartRun,
    TagJob,
    TagVersion,
)
from bot.config.repository import Job, Mlops, Project
from bot.facts.branch import JobFacts
from bot.facts.model import (
    ACCEPTED,
    Admission,
    Judged,
    ModelFacts,
    ModelVersion,
    Origin,
    ServingVersion,
)
from bot.facts.runs import ProjectRun
from bot.rules.model import rollback, rollout, smoke

NOW = datetime(2026, 11, 25, 1, 30, tzinfo=UTC)
REPOSITORY = "contoso/ml/wine"
SIGNATURE = '{"inputs":[{"name":"acidity","type":"double"}]}'
SCORING = Project(
    path="projects/scoring", parameters={"name": "{model_name}", "version": "{model_version}"}
)
JOBS = (
    Job(
        name="nightly", notebook="/Shared/hooks/score", model="*_model", project="projects/scoring"
    ),
    Job(name="weekly", notebook="/Shared/hooks/score", model="wine_model", unvalidated="allow"),
    Job(
        name="monthly",
        notebook="/Shared/hooks/score",
        model="tide_model",
        alias=None,
        project="projects/scoring",
    ),
)
CONFIG = Mlops(projects=(SCORING,), jobs=JOBS)
Name = tuple[str, str]


@dataclass
class Version:
    """A version as it is in the registry, and what would come of trying it."""

    judged: str = "succeeded"
    signature: str = SIGNATURE
    scores: bool = True
    stage: str = "None"
    updated: int = 0
    tags: dict[str, str] = field(default_factory=dict)


@dataclass
class Registry:
    """Models, their versions, and the jobs that follow them."""

    versions: dict[Name, Version] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    jobs: dict[str, JobFacts] = field(
        default_factory=lambda: {
            job.name: JobFacts(number, job.name) for number, job in enumerate(JOBS)
        }
    )
    runs: dict[str, tuple[ProjectRun, ...]] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    clock: int = 0

    # -- what people do

    def to_stage(self, name: str, version: str, stage: str) -> None:
        """Move a version; what was in Production is archived."""
        for (other, _), one in self.versions.items():
            if stage == "Production" and other == name and one.stage == stage:
                one.stage = "Archived"
        self.clock += 1
        moved = self.versions[name, version]
        moved.stage, moved.updated = stage, self.clock

    def to_alias(self, name: str, version: str | None) -> None:
        """Give the alias champion to a version, or to none."""
        self.clock += 1
        self.aliases.pop(name, None)
        if version is not None:
            self.aliases[name] = version
            self.versions[name, version].updated = self.clock

    def accept(self, name: str, version: str) -> None:
        """Say that a version is wanted."""
        self.versions[name, version].tags[ACCEPTED] = "Ben: I know it"

    def roll_back(self, job: str) -> None:
        """Ask for the job to go back to what it scored with before."""
        facts = self.facts(self._wanted(job))
        if rollback.refusal(facts, exists=rollback.goal(facts) in self.versions) is None:
            self._perform(job, rollback.plan(facts, "c0ffee"))

    # -- what the bot does

    def look(self, name: str, cut: int | None = None) -> None:
        """A pass over each job that a model's event makes due, killed after so many changes; then
        what it waits for.
        """
        for job in JOBS:
            if fnmatchcase(name, job.model):
                while (
                    self._perform(job.name, rollout.plan(self.facts(job), NOW)[:cut])
                    and cut is None
                ):
                    pass

    def sweep(self) -> None:
        """Let the clock ask."""
        for name in ("wine_model", "tide_model"):
            self.look(name)

    def facts(self, job: Job) -> ModelFacts:
        """What looking tells."""
        candidates = tuple(self._promoted(job))
        found = self.jobs[job.name]
        facts = ModelFacts(
            REPOSITORY,
            job.name,
            found,
            candidates,
            wanted=job,
            runs=self.runs.get(job.name, ()),
            target="main",
        )
        chosen = rollout.promoted(candidates)
        if chosen is None or not rollout.undecided(found, chosen):
            return facts
        one = self.versions[chosen.name, chosen.version]
        commit = f"{chosen.name} {chosen.version}"
        was = self.versions.get(rollout.signed_version(found))
        return replace(
            facts,
            origin=Origin(REPOSITORY, commit, 7, own=True, judged=(Judged(commit, 7, one.judged),)),
            admission=Admission(
                ModelVersion(
                    chosen.name, chosen.version, chosen.run, tags=dict(one.tags), status="READY"
                ),
                one.signature,
                was.signature if was else "",
                smoke.test(CONFIG, job, (chosen.name, chosen.version), "c0ffee", ()),
            ),
        )

    def settings(self) -> dict[str, dict[str, str]]:
        """Parameters and tags of each job, but for what it scored with before: that is history."""
        return {
            job.name: {
                **job.parameters,
                **{key: value for key, value in job.tags.items() if key != rollout.BEFORE},
            }
            for job in self.jobs.values()
        }

    def _promoted(self, job: Job) -> Iterable[ServingVersion]:
        for (name, number), one in self.versions.items():
            by_alias = job.alias is not None and self.aliases.get(name) == number
            aliased = job.alias is not None and name in self.aliases
            if fnmatchcase(name, job.model) and (
                by_alias or (one.stage == job.stage and not aliased)
            ):
                yield ServingVersion(
                    name, number, f"run {name} {number}", "somehow", one.updated, by_alias
                )

    def _wanted(self, job: str) -> Job:
        return next(one for one in JOBS if one.name == job)

    def _perform(self, name: str, orders: Iterable[ModelAction]) -> bool:
        """Whether it is to be looked at again at once."""
        again = False
        for order in orders:
            job = self.jobs[name]
            match order:
                case PointJob(_, model, version):
                    wanted = {**job.parameters, "model_name": model, "model_version": version}
                    self.jobs[name] = replace(job, parameters=wanted)
                case TagJob():
                    self.jobs[name] = replace(job, tags=rollout.tags(replace(order, job=job)))
                case Reply(_, body, sign):
                    self.told += (
                        [] if any(one.startswith(sign or body) for one in self.told) else [body]
                    )
                case TagVersion(model, version, tags):
                    self.versions[model, version].tags.update(tags)
                case StartRun():
                    self._run(name, order)
                case CloseRun(run):
                    kept = [one for one in self.runs.get(name, ()) if one.token != run.token]
                    self.runs[name] = (*kept, replace(run, closed=True))
                case LookAgain():
                    again = True
                case CommentVersion():
                    pass
                case _:
                    raise AssertionError(f"nobody does {order}")
        return again

    def _run(self, name: str, order: StartRun) -> None:
        good = self.versions[order.parameters["name"], order.parameters["version"]].scores
        run = ProjectRun(
            order.token,
            order.project,
            order.commit,
            0,
            "databricks-jobs",
            mlflow_run="m",
            cluster_run="7",
        )
        ended = replace(
            run,
            outcome="succeeded" if good else "failed",
            reason="" if good else "KeyError",
            ended=NOW,
        )
        if all(one.token != order.token for one in self.runs.get(name, ())):
            self.runs[name] = (*self.runs.get(name, ()), ended)
