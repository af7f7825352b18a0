"""The short replies: another verdict, a merge, a model that goes live or not any more, how a retraining ended."""

import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime

from bot.actions import State
from bot.config import Job
from bot.facts import Earlier, ProjectRun, PullRequestHead, ServingVersion
from bot.words import escape
from bot.words.template import render

_VERDICTS = {"passed": "passed", "failed": "failed", "error": "could not be judged"}


def merged(commit: str, tip: str, counts: Mapping[str, tuple[int, ...]], jobs: Sequence[str]) -> str:
    """What the merge did to the workspace, which holds `tip` now: folder -> (updated, new, removed), and jobs created.

    Its beginning is `merged_as(commit)`, whatever came of the merge.
    """
    return render("merged", merged_as=merged_as(commit), commit=commit, tip=tip, counts=counts, jobs=jobs)


def merged_as(commit: str) -> str:
    """The beginning of a reply about a merge, which no other merge's has."""
    return f"🔁 Merged as {escape.code(commit[:7])}"


def promoted(version: ServingVersion, job: str, was: tuple[str, str], *, retrained: bool = False) -> str:
    """The version a job scores with from now on; `was` is the name and version before, empty if none.

    `retrained`: it is not the pull request's own, but was trained because somebody asked for it there.
    """
    return render("promoted", version=version, job=job, was_name=was[0], was_version=was[1], retrained=retrained)


def rolled_back(job: str, to: tuple[str, str], was: tuple[str, str], next_run: datetime | None) -> str:
    """That a job scores with an older version again; `next_run` is in the time zone of its schedule."""
    return render("rolled_back", job=job, to=to, was=was, next_run=next_run)


def not_rolled_back(job: str, reason: str) -> str:
    """Why a job scores with what it scored with; `reason` is the rest of a sentence, ours."""
    return f"⏪ Job {escape.code(job)} was not rolled back: {reason}\n"


def which_job(named: str, jobs: Sequence[str]) -> str:
    """That a rollback has to name one of these jobs."""
    known = ", ".join(escape.code(f"/mlops rollback model {shlex.quote(job)}") for job in jobs)
    wrong = f"There is no job {escape.code(named)}. " if named else ""
    return f"⏪ {wrong}{f'Say which job to roll back: {known}' if jobs else 'The configuration names no job'}.\n"


def retraining_of(project: str) -> str:
    """The beginning of what is said in the end about a retraining, however it ended."""
    return f"🏁 {escape.code(project)}"


def retrained(
    project: str, run: ProjectRun, parameters: Mapping[str, str], metrics: Mapping[str, float], jobs: Sequence[Job]
) -> str:
    """That a version was registered from the target branch, and how to promote it; `jobs` follow its model."""
    begins = retraining_of(project)
    return render("retrained", begins=begins, run=run, parameters=parameters, metrics=metrics, jobs=jobs)


def not_retrained(project: str, reason: str, run: ProjectRun | None = None) -> str:
    """Why a retraining gave no version, with the last lines of its log if it got so far."""
    return render("not_retrained", begins=retraining_of(project), project=project, reason=reason, run=run)


def verdict_changed(head: PullRequestHead, state: State, line: str, before: Earlier) -> str:
    """That this commit's verdict is not that of the commit `before`; `line` is the description of its status."""
    return render(
        "verdict_changed", head=head, state=state, line=line, before=before, was=_VERDICTS.get(before.state, "")
    )
