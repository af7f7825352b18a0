"""Trying a promoted version on toy data, in production, before a job scores with it.

Its run is made of the target branch and of nothing else. What is tried is in its
token: another version, another content of the scoring project, other parameters
or somebody's word that it is to be accepted make another run, and everything
else finds the one that was made before.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from bot import run_tags, subjects
from bot.actions import CancelRun, CloseRun, LookAgain, ModelAction, StartRun
from bot.config.repository import Job, Mlops, Project, fill
from bot.facts.branch import SourceFile
from bot.facts.model import ACCEPTED, ModelFacts, ModelVersion, SmokeTest
from bot.facts.quality_gate import Baseline, GateRefusal
from bot.facts.runs import ProjectRun, RunFault
from bot.rules import runs
from bot.rules.model import admission
from bot.rules.pull_request import gates
from bot.rules.runs import PAUSES, patience
from bot.subjects import Model

EXPERIMENT = "/Shared/signalman/smoke"

MOST_REMEMBERED_OF_A_LOG = 4000
"""Characters of a log that are remembered: what is shown of it."""


@dataclass(frozen=True)
class Tried:
    """How far it is: what is to be done for it, and the run that tells; `fault` why it failed."""

    state: Literal["not asked", "runs", "passed", "failed"]
    actions: tuple[ModelAction, ...] = ()
    run: ProjectRun | None = None
    fault: RunFault | GateRefusal | None = None


def project(config: Mlops, job: Job) -> Project | None:
    """The project that a job's versions are tried with; None when they are not."""
    if job.smoke is None or job.project is None:
        return None
    return next(
        (configured for configured in config.projects if configured.path == job.project), None
    )


def test(
    config: Mlops, job: Job, version: tuple[str, str], commit: str, files: Sequence[SourceFile]
) -> SmokeTest | None:
    """How a version, by name and number, is to be tried; `files` are those of the project at a
    commit of the target.
    """
    scoring = project(config, job)
    if scoring is None or job.smoke is None:
        return None
    parameters = {**scoring.parameters, **job.smoke.parameters}
    names = {"branch": config.target, "model_name": version[0], "model_version": version[1]}
    return SmokeTest(
        project=scoring,
        commit=commit,
        content=_digest(
            [[file.path, file.digest] for file in sorted(files, key=lambda entry: entry.path)]
        ),
        backend=scoring.backend or config.backend,
        parameters={name: fill(str(value), **names) for name, value in parameters.items()},
        timeout=job.smoke.timeout,
    )


def token(model: ModelFacts, version: ModelVersion, trial: SmokeTest, attempt: int) -> str:
    """The name of one smoke run, however often its subject is looked at."""
    accepted = version.tags.get(ACCEPTED, "")
    what = [trial.project.path, trial.content, trial.backend, dict(trial.parameters)]
    return _digest(
        [model.repository, model.job_name, version.name, version.version, *what, accepted, attempt]
    )


def plan(model: ModelFacts, now: datetime) -> Tried:
    """Start it, wait for it, try it again where the workspace failed it, or say how it ended."""
    candidate = model.admission
    if candidate is None or candidate.smoke is None or candidate.version is None:
        return Tried("not asked", left(model, ()))
    tries = attempts(model, candidate.version, candidate.smoke)
    following = len(tries) + 1
    # One that was begun and noted nowhere yet is the next attempt's.
    tokens = [token(model, candidate.version, candidate.smoke, n) for n in range(1, following + 1)]
    rest = left(model, tokens)
    start = _start(model, candidate.version, candidate.smoke, following)
    if not tries:
        return Tried("runs", (*rest, *start))
    last = tries[-1]
    if not last.over:
        return Tried("runs", (*rest, LookAgain(patience([_since(last.started, now)]))), last)
    closing = (*rest, *(CloseRun(run) for run in tries if not run.closed))
    if last.outcome == "no cluster" and len(tries) <= len(PAUSES):
        pause = PAUSES[len(tries) - 1] - _since(last.ended, now)
        if pause > 0:
            return Tried("runs", (*closing, LookAgain(pause)), last)
        return Tried("runs", (*closing, *start), last)
    failure = fault(candidate.smoke, last)
    if failure is not None:
        return Tried("failed", closing, last, failure)
    return Tried("passed", closing, last)


def _since(moment: datetime | None, now: datetime) -> float:
    """Seconds since then; 0 where the moment is not known."""
    if moment is None:
        return 0.0
    return (now - moment).total_seconds()


def attempts(model: ModelFacts, version: ModelVersion, trial: SmokeTest) -> tuple[ProjectRun, ...]:
    """The runs that try just this, the first attempt first."""
    begun = {run.token: run for run in model.runs if run.cluster_run or run.over}
    runs: list[ProjectRun] = []
    while run := begun.get(token(model, version, trial, len(runs) + 1)):
        runs.append(run)
    return tuple(runs)


def unknown(model: ModelFacts) -> bool:
    """Whether a version is to be tried and no run is known that tries it, which may still have been
    made.
    """
    candidate = model.admission
    if candidate is None or candidate.smoke is None or candidate.version is None:
        return False
    if admission.pending(candidate) or admission.refusal(model) is not None:
        return False
    return not attempts(model, candidate.version, candidate.smoke)


def remembered(model: ModelFacts, found: Sequence[ProjectRun]) -> tuple[ProjectRun, ...]:
    """The runs that the next look asks for, with the last of their logs: those of the version that
    waits, and all that nobody has closed.
    """
    candidate = model.admission
    mine: set[str] = set()
    if candidate is not None and candidate.smoke is not None and candidate.version is not None:
        known = replace(model, runs=tuple(found))
        mine = {run.token for run in attempts(known, candidate.version, candidate.smoke)}
    kept = [run for run in found if run.token in mine or not run.closed]
    return tuple(replace(run, log=run.log[-MOST_REMEMBERED_OF_A_LOG:]) for run in kept)


def left(model: ModelFacts, tokens: Sequence[str]) -> tuple[ModelAction, ...]:
    """What becomes of the job's other smoke runs, which nobody waits for any more: stopped, and
    closed.
    """
    others = [run for run in model.runs if run.token not in tokens and not run.closed]
    actions: list[ModelAction] = []
    for run in others:
        if run.over:
            actions.append(CloseRun(run))
        else:
            actions.append(CancelRun(run))
    if not all(run.over for run in others):
        actions.append(LookAgain(2.0))
    return tuple(actions)


def fault(trial: SmokeTest, run: ProjectRun) -> RunFault | GateRefusal | None:
    """Why a run that has ended shows that the version cannot be scored with; None when it can."""
    judged = trial.project.model_copy(update={"timeout": trial.timeout, "model": None})
    failure = runs.fault(judged, run)
    if failure is not None:
        return failure
    return gates.judge(judged, run, Baseline())[1]


def _start(
    model: ModelFacts, version: ModelVersion, trial: SmokeTest, attempt: int
) -> tuple[ModelAction, ...]:
    if model.wanted:
        followed = model.wanted.model
    else:
        followed = version.name
    start = StartRun(
        token=token(model, version, trial, attempt),
        project=trial.project.path,
        entry_point=trial.project.entry_point,
        commit=trial.commit,
        source=model.target,
        number=None,
        iteration=0,
        backend=trial.backend,
        cluster=trial.project.cluster,
        experiment=EXPERIMENT,
        model=version.name,
        parameters=trial.parameters,
        timeout=trial.timeout,
        where="production",
        owner=subjects.key(Model(followed)),
        kind="smoke",
        labels={run_tags.JOB: model.job_name, run_tags.VERSION: version.version},
    )
    return start, LookAgain(0.0)


def metrics(trial: SmokeTest, run: ProjectRun) -> dict[str, float]:
    """What a run measured, as far as the project is judged by it; all of it where nothing is."""
    names = [metric.name for metric in trial.project.metrics if metric.name in run.metrics]
    return {name: run.metrics[name] for name in names or sorted(run.metrics)[:5]}


def _digest(told: object) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:32]
