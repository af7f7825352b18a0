"""What a retraining needs next: to be started, patience, or an answer to whoever asked for it.

It is made of the target branch and of nothing else, so that what a pull request
changes cannot reach production by it; and it promotes nothing.
"""

import hashlib
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from bot import subjects
from bot.actions import Answer, CloseRun, LookAgain, RetrainingAction, StartRun
from bot.config.repository import Mlops, Project, fill
from bot.facts.model import RetrainingFacts
from bot.facts.runs import ProjectRun
from bot.rules.runs import patience
from bot.subjects import Retraining
from bot.words import replies


def token(subject: Retraining) -> str:
    """The name of the one run that a command gets, however often its subject is looked at."""
    return hashlib.sha256(subjects.key(subject).encode()).hexdigest()[:32]


def plan(retraining: RetrainingFacts, now: datetime) -> list[RetrainingAction]:
    """Start it, look again, or answer; its run is closed last, as the sign that it was answered."""
    run = None
    if retraining.runs:
        run = retraining.runs[0]
    if run is None or not (run.cluster_run or run.over):
        return _start(retraining)
    if run.outcome is None:
        age = 0.0
        if run.started:
            age = (now - run.started).total_seconds()
        return [LookAgain(patience([age]))]
    return [
        _answer(retraining, _told(retraining, run)),
        *(CloseRun(made) for made in retraining.runs if not made.closed),
    ]


def parameters(project: Project, model: str, target: str) -> dict[str, str]:
    """What a project is trained with for production; where pull requests name their model, it names
    the true one.
    """
    if project.retrain:
        retrain = project.retrain.parameters
    else:
        retrain = {}
    merged = {name: str(value) for name, value in {**project.parameters, **retrain}.items()}
    if project.model is not None:
        merged = {name: value.replace(project.model, model) for name, value in merged.items()}
    return {name: fill(value, branch=target, model_name=model) for name, value in merged.items()}


def _start(asked: RetrainingFacts) -> list[RetrainingAction]:
    if asked.config is None:
        return _refused(asked, asked.problem)
    project = _project(asked.config, asked.subject.project)
    if project is None or project.retrain is None:
        able = (
            ", ".join(project.name for project in asked.config.projects if project.retrain)
            or "no project"
        )
        where = f"config/mlops.yml on {asked.target}"
        return _refused(asked, f"{where} has no retrain for it; it has one for: {able}")
    start = StartRun(
        token=token(asked.subject),
        project=project.path,
        entry_point=project.entry_point,
        commit=asked.commit,
        source=asked.target,
        number=asked.subject.number,
        iteration=0,
        backend=project.backend or asked.config.backend,
        cluster=project.cluster,
        experiment=fill(asked.config.experiment, user="signalman", branch=asked.target),
        model=project.retrain.model,
        parameters=parameters(project, project.retrain.model, asked.target),
        timeout=project.retrain.timeout,
        where="production",
        owner=subjects.key(asked.subject),
        kind="retraining",
    )
    return [start, LookAgain(0.0)]


def _project(config: Mlops, named: str) -> Project | None:
    return next(
        (project for project in config.projects if named in (project.path, project.name)), None
    )


def _told(asked: RetrainingFacts, run: ProjectRun) -> str:
    if asked.config:
        project = _project(asked.config, asked.subject.project)
    else:
        project = None
    if run.outcome == "succeeded" and run.model_version:
        if asked.config:
            jobs = asked.config.jobs
        else:
            jobs = ()
        followers = [job for job in jobs if fnmatchcase(run.model_name, job.model)]
        if project:
            used = parameters(project, run.model_name, asked.target)
        else:
            used = {}
        if project:
            judged = [metric.name for metric in project.metrics]
        else:
            judged = []
        return replies.retrained(
            _name(asked),
            run,
            parameters={name: value for name, value in used.items() if value != run.model_name},
            metrics={name: run.metrics[name] for name in judged if name in run.metrics},
            jobs=followers,
        )
    return replies.not_retrained(_name(asked), _reason(run, project), run)


def _reason(run: ProjectRun, project: Project | None) -> str:
    match run.outcome:
        case "succeeded":
            return f"it ended without registering a version of {run.model_name}"
        case "timed out":
            limit = ""
            if project and project.retrain:
                limit = f" of {project.retrain.timeout:g} s"
            return f"it ran past its limit{limit}"
        case "cancelled":
            return "somebody cancelled its run"
        case "no cluster":
            return run.reason or "the workspace gave no cluster"
        case _:
            return run.reason or "it failed"


def _refused(asked: RetrainingFacts, reason: str) -> list[RetrainingAction]:
    told = _answer(asked, replies.not_retrained(_name(asked), reason))
    return [told, *(CloseRun(made) for made in asked.runs if not made.closed)]


def _answer(asked: RetrainingFacts, body: str) -> Answer:
    subject = asked.subject
    sign = replies.retraining_of(_name(asked))
    return Answer(subject.number, subject.thread, subject.comment, body, sign)


def _name(asked: RetrainingFacts) -> str:
    return PurePosixPath(asked.subject.project).name
