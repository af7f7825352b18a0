"""A pull request and all around it, in memory: what a pass over it reads and what its actions do,
by the rules alone.

As the controllers do it, in a few lines: a pass is a list of changes, and stopping
before any of them is being killed there. What the row remembers is then what it
remembered before.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bot.actions import (
    CancelRun,
    CloseRun,
    LookAgain,
    PullRequestAction,
    PutReport,
    SetStatus,
    StartRun,
)
from bot.config.deployment import Reporting
from bot.config.repository import Mlops
from bot.facts.pull_request import PullRequestFacts, PullRequestHead
from bot.facts.runs import Outcome, ProjectRun
from bot.rules import runs as project_runs
from bot.rules.pull_request import checks, steps
from tests.rules.pull_request.example_pull_request import CONFIG, GOOD, HEAD, NOW, PR

FIRST = replace(HEAD, iteration=1, commit="c1", changed=())
FINAL = ("succeeded", "failed", "notApplicable")
QUIET = Reporting(progress=None)
"""Of a run that goes on there is no end of reports otherwise."""


@dataclass
class AtCluster:
    """A run on the cluster; `started` counts how often it began."""

    project: str
    outcome: Outcome | None = None
    stopping: bool = False
    ended: datetime | None = None


@dataclass(frozen=True)
class Memo:
    """What the row keeps."""

    head: PullRequestHead | None = None
    config: Mlops = CONFIG
    runs: tuple[ProjectRun, ...] = ()
    status: str = ""
    reported: datetime | None = None
    read: datetime = NOW


@dataclass
class PullRequestInMemory:
    """The world of one pull request."""

    head: PullRequestHead = FIRST
    config: Mlops = CONFIG
    now: datetime = NOW
    statuses: dict[int, list[str]] = field(default_factory=dict)
    threads: list[str] = field(default_factory=list)
    cluster: dict[str, AtCluster] = field(default_factory=dict)
    mlflow: dict[str, ProjectRun] = field(default_factory=dict)
    submitted: list[str] = field(default_factory=list)
    memo: Memo = field(default_factory=Memo)
    news: bool = True
    due: bool = True
    changes: int = 0

    # -- what a pass does

    def make_pass(self, cut: int | None = None) -> bool:
        """One pass, killed when it has made `cut` changes; tells whether it came to its end having
        changed nothing.
        """
        memo, before = self._gather(), self.changes
        end = None if cut is None else before + cut
        actions = checks.plan(self._facts(memo), self.now, QUIET)
        for action in actions:
            for left in self._perform(action, memo):
                memo = left
                if self.changes == end:
                    return False
        if self.changes == end:
            return False
        self.memo, self.news, self.due = (
            memo,
            False,
            any(isinstance(action, LookAgain) for action in actions),
        )
        return self.changes == before

    def _gather(self) -> Memo:
        memo = self.memo
        if self.news or memo.head is None or self.now - memo.read > timedelta(minutes=5):
            old = memo.head
            same = old is not None and old.open and old.iteration == self.head.iteration
            states = self.statuses.get(self.head.iteration, [])
            head = replace(
                self.head,
                judged=old.judged if same and old else bool(states) and states[-1] in FINAL,
                pending=old.pending if same and old else bool(states) and states[-1] == "pending",
            )
            if not head.open:
                # Of a closed one no more is read than that it is closed.
                head = replace(head, judged=False, pending=False, changed=())
            elif same and old:
                head = replace(head, changed=old.changed)
            known = {run.token: run for run in memo.runs if run.cluster_run or run.over}
            found = [
                run
                for run in self.mlflow.values()
                if not run.closed or (head.open and run.iteration == head.iteration)
            ]
            if not same:
                memo = replace(memo, reported=None)
            runs = (
                *known.values(),
                *(self._as_found(run) for run in found if run.token not in known),
            )
            memo = replace(
                memo,
                head=head,
                config=memo.config if same else self.config,
                runs=runs,
                read=self.now,
            )
        looked = tuple(self._look(run) for run in memo.runs)
        assert memo.head is not None
        iteration = memo.head.iteration
        return replace(
            memo, runs=tuple(run for run in looked if run.iteration == iteration or not run.closed)
        )

    @staticmethod
    def _as_found(run: ProjectRun) -> ProjectRun:
        # Who finds a run by its tags does not know yet how it ended, unless it never got to a
        # cluster.
        never = run.closed and not run.cluster_run
        return replace(run, outcome="cancelled" if never else None, closed=never)

    def _look(self, run: ProjectRun) -> ProjectRun:
        if run.over or not run.cluster_run:
            return run
        seen = self.cluster[run.cluster_run]
        results = GOOD[run.project] if seen.outcome == "succeeded" else {}
        return replace(run, outcome=seen.outcome, ended=seen.ended, **results)

    def _facts(self, memo: Memo) -> PullRequestFacts:
        assert memo.head is not None
        head = replace(memo.head, thread=len(self.threads))
        return replace(PR, head=head, config=memo.config, runs=memo.runs, reported=memo.reported)

    def _perform(self, action: PullRequestAction, memo: Memo) -> Iterator[Memo]:
        """Makes the changes of an action one by one, and yields what is remembered after each."""
        head = memo.head
        assert head is not None
        match action:
            case SetStatus(name=name) if name != "validate":
                yield memo
            case SetStatus(_, iteration, state, text):
                states = self.statuses.setdefault(iteration, [])
                told = f"{iteration} {state} {text}"
                given = (
                    state != "pending"
                    and bool(states)
                    and (states[-1] == state or states[-1] in FINAL)
                )
                if told != memo.status and not given:
                    states.append(state)
                    self.changes += 1
                yield replace(
                    memo,
                    head=replace(head, pending=state == "pending", judged=state in FINAL),
                    status=told,
                )
            case PutReport(_, body, _):
                if self.threads != [body]:
                    self.threads[:1] = [body]
                    self.changes += 1
                yield replace(memo, reported=self.now)
            case StartRun(token, project):
                run = ProjectRun(
                    token,
                    project,
                    action.commit,
                    action.iteration,
                    action.backend,
                    started=self.now,
                )
                self.mlflow.setdefault(token, replace(run, mlflow_run=token))
                self.changes += 1
                yield memo
                self._submit(token, project)
                yield memo
                self._note(token)
                yield replace(
                    memo, runs=_with(memo.runs, replace(self.mlflow[token], closed=False))
                )
            case CancelRun(run):
                self.changes += not self.mlflow[run.token].withdrawn
                self.mlflow[run.token] = replace(self.mlflow[run.token], withdrawn=True)
                yield memo
                if not run.cluster_run:
                    self._submit(run.token, run.project)
                    yield memo
                    self._note(run.token)
                    yield memo
                self.changes += not self.cluster[run.token].stopping
                self.cluster[run.token].stopping = True
                yield replace(
                    memo, runs=_with(memo.runs, replace(run, cluster_run=run.token, withdrawn=True))
                )
            case CloseRun(run):
                self.mlflow[run.token] = replace(
                    self.mlflow[run.token], outcome=run.outcome, closed=True
                )
                self.changes += 1
                yield replace(memo, runs=_with(memo.runs, replace(run, closed=True)))
            case LookAgain():
                return
            case _:
                raise AssertionError(f"a pull request in memory has no business with {action}")

    def _submit(self, token: str, project: str) -> None:
        if token not in self.cluster:
            self.cluster[token] = AtCluster(project)
            self.submitted.append(token)
        self.changes += 1

    def _note(self, token: str) -> None:
        self.mlflow[token] = replace(self.mlflow[token], cluster_run=token)
        self.changes += 1

    # -- what the rest of the world does

    def end(self, token: str, outcome: Outcome) -> None:
        """A run ends; one that is being stopped ends as stopped."""
        run = self.cluster[token]
        if run.outcome is None:
            run.outcome, run.ended = ("cancelled" if run.stopping else outcome), self.now

    def running(self) -> list[str]:
        """The tokens of runs under way, in the order in which they began."""
        return [token for token in self.submitted if self.cluster[token].outcome is None]

    def settle(self) -> None:
        """Nothing more happens but that the clock asks, runs that are being stopped stop, and
        passes are made.
        """
        self.now += timedelta(minutes=6)
        self.news = self.news or self.head.open
        for _ in range(40):
            for token in self.running():
                if self.cluster[token].stopping:
                    self.end(token, "cancelled")
            quiet = self.make_pass()
            stopping = any(self.cluster[token].stopping for token in self.running())
            if quiet and not self.news and not stopping:
                return
            self.now += timedelta(minutes=3)
        raise AssertionError("passes find something to do for ever")


def _with(runs: tuple[ProjectRun, ...], run: ProjectRun) -> tuple[ProjectRun, ...]:
    return (*(other for other in runs if other.token != run.token), run)


def verdict(pr: PullRequestInMemory, config: Mlops) -> str | None:
    """What the newest iteration's verdict has to be, said from the outside: by what ran and how it
    ended.
    """
    if "/" in pr.head.source:
        return "failed"
    touched = {
        project.path: project
        for project in config.projects
        if any(path.startswith(f"{project.path}/") for path in pr.head.changed)
    }
    for project in reversed(config.projects):
        if project.path in touched and checks.wants_version(project):
            touched.update(
                {path: config.project(path) for path in project.after if path not in touched}
            )
    if not touched:
        return "notApplicable"
    ends: dict[str, str] = {}
    for project in config.projects:
        if project.path in touched:
            before = [ends[path] for path in project.after if path in touched]
            ends[project.path] = (
                _end(pr, project.path) if all(one == "succeeded" for one in before) else "skipped"
            )
    if "running" in ends.values():
        return None
    if any(end in ("failed", "cancelled", "timed out") for end in ends.values()):
        return "failed"
    return "succeeded" if set(ends.values()) == {"succeeded"} else "error"


def _end(pr: PullRequestInMemory, project: str) -> str:
    """How the last attempt at a project ended. Only the bot cancels here, and what it cancelled it
    runs again.
    """
    losses, end, attempt = 0, "running", 1
    while run := pr.cluster.get(steps.token(PR.repository, pr.head, project, attempt)):
        losses += run.outcome == "no cluster"
        again = run.outcome in (None, "cancelled") or (
            run.outcome == "no cluster" and losses <= len(project_runs.PAUSES)
        )
        end, attempt = "running" if again else str(run.outcome), attempt + 1
    return end
