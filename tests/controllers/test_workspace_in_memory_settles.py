"""A workspace and its scoring job, in memory: merges, promotions and cuts in any order, and the
same end.

By the rules alone, no servers. Everything is named after the commit or the version
that brought it, so that one reply too many can be seen.
"""

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bot.actions import CommentVersion, ModelAction, PointJob, Reply, TagJob, TagVersion
from bot.config.repository import Folder, Job, Mlops
from bot.facts.branch import BranchFacts, BranchJobs, SourceFile
from bot.facts.model import Admission, ModelFacts, ModelVersion, Origin, ServingVersion
from bot.job_definitions import short
from bot.rules.branch import sync
from bot.rules.model import rollout
from tests.examples import percent
from tests.rules.branch.workspace_in_memory import WorkspaceInMemory

REPOSITORY = "contoso/ml/wine"
FOLDER = Folder(**{"from": "hooks", "to": "/Shared/hooks"})
JOBS = tuple(
    Job(name=name, notebook="/Shared/hooks/z", model="wine_model", unvalidated="allow")
    for name in ("nightly", "weekly")
)
SIGNATURE = '{"inputs":[{"name":"acidity","type":"double"}]}'
NOW = datetime(2026, 11, 25, 1, 30, tzinfo=UTC)
NAMES = ["a.py", "c.csv", "d/e.py"]
CUTS = st.none() | st.integers(-4, 6)  # counted from the end, too


def commit(number: int) -> str:
    """The commit of a merge; its first seven characters are its own, too."""
    return f"{number:07}".ljust(40, "0")


class WorkspaceOfABranch(RuleBasedStateMachine):
    """Merges and promotions, told or not; passes, cut off or not."""

    def __init__(self) -> None:
        super().__init__()
        self.workspace = WorkspaceInMemory()
        self.number, self.tip = 0, commit(0)
        self.files: dict[str, str] = {}
        self.config = Mlops(folders=(FOLDER,), jobs=JOBS[:1])
        self.serving: list[ServingVersion] = []
        self.told: list[str] = []
        self.tags: dict[str, str] = {}

    @rule(
        changes=st.dictionaries(st.sampled_from(NAMES), st.sampled_from([None, "x", "y"])),
        jobs=st.integers(1, 2),
    )
    def merge(self, changes: dict[str, str | None], jobs: int) -> None:
        self.number += 1
        self.tip = commit(self.number)
        self.files = {name: one for name, one in (self.files | changes).items() if one is not None}
        self.config = Mlops(folders=(FOLDER,), jobs=JOBS[: max(jobs, len(self.config.jobs))])

    @rule(version=st.integers(1, 3), by_alias=st.booleans())
    def promote(self, version: int, by_alias: bool) -> None:
        one = ServingVersion(
            "wine_model", str(version), f"run {version}", "somehow", len(self.serving), by_alias
        )
        self.serving = [*self.serving, one]

    @rule(cut=CUTS)
    def look_at_the_branch(self, cut: int | None) -> None:
        self.carry_out(sync.plan(self.branch()), cut)

    @rule(cut=CUTS, job=st.integers(0, 1))
    def look_at_the_model(self, cut: int | None, job: int) -> None:
        if job < len(self.config.jobs):
            self.carry_out(rollout.plan(self.model(JOBS[job].name), NOW), cut)

    @rule()
    def settle(self) -> None:
        for _ in range(2):
            self.carry_out(sync.plan(self.branch()), None)
            for job in self.config.jobs:
                self.carry_out(rollout.plan(self.model(job.name), NOW), None)
        wanted = {path: source.digest for path, source in self.wanted().items()}
        assert self.workspace.objects == wanted
        assert (self.workspace.manifest.commit, dict(self.workspace.manifest.files)) == (
            self.tip,
            wanted,
        )
        chosen = rollout.promoted(self.serving)
        assert set(self.workspace.jobs) == {job.name for job in self.config.jobs}
        for job in self.workspace.jobs.values():
            assert chosen is None or (rollout.pointed(job, chosen) and rollout.signed(job, chosen))

    @invariant()
    def nobody_is_told_of_a_merge_twice(self) -> None:
        of_merges = [words.split("`")[1] for words in self.told if "Merged as" in words]
        assert len(of_merges) == len(set(of_merges))

    def branch(self) -> BranchFacts:
        wanted = {job.name: short(job) for job in self.config.jobs}
        there = {name: self.workspace.jobs.get(name) for name in wanted}
        held = self.workspace.manifest
        return BranchFacts(
            repository=REPOSITORY,
            target="main",
            tip=self.tip,
            config=self.config,
            files=tuple(self.sources()),
            manifest=held,
            jobs=BranchJobs(REPOSITORY, self.tip, wanted, held.jobs, there),
            merged=((self.number, self.tip),),
            confirmed=True,
        )

    def model(self, job: str) -> ModelFacts:
        origin = Origin(REPOSITORY, "c" * 40, 7)
        chosen = rollout.promoted(self.serving)
        known = (
            ModelVersion(chosen.name, chosen.version, chosen.run, tags=self.tags)
            if chosen
            else None
        )
        return ModelFacts(
            REPOSITORY,
            job,
            self.workspace.jobs.get(job),
            tuple(self.serving),
            origin,
            next(one for one in JOBS if one.name == job),
            Admission(known, SIGNATURE, SIGNATURE),
        )

    def sources(self) -> list[SourceFile]:
        return [
            SourceFile(f"hooks/{name}", digest, 10, notebook=name.endswith(".py"))
            for name, digest in self.files.items()
        ]

    def wanted(self) -> dict[str, SourceFile]:
        return sync.objects((FOLDER,), self.sources())

    def carry_out(self, orders: list[ModelAction], cut: int | None) -> None:
        for order in orders[:cut]:
            match order:
                case PointJob(job, name, version):
                    self.change(job.name, parameters={"model_name": name, "model_version": version})
                case TagJob(job, name, version):
                    self.change(
                        job.name, tags={**job.tags, rollout.MODEL: name, rollout.VERSION: version}
                    )
                case TagVersion(_, _, tags):
                    self.tags = {**self.tags, **tags}
                case CommentVersion():
                    pass
                case Reply(_, body, sign):
                    self.told += (
                        [body] if not any(one.startswith(sign or body) for one in self.told) else []
                    )
                case _:
                    self.workspace = self.workspace.after([order])

    def change(self, job: str, **what: dict[str, str]) -> None:
        jobs = self.workspace.jobs
        self.workspace = replace(self.workspace, jobs={**jobs, job: replace(jobs[job], **what)})

    def teardown(self) -> None:
        self.settle()


TestWorkspaceOfABranch = WorkspaceOfABranch.TestCase
TestWorkspaceOfABranch.settings = settings(max_examples=percent(200), stateful_step_count=20)
