"""The short replies: another verdict, a merge, a model that goes live or not any more, how a
retraining ended.
"""

import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from bot.actions import State
from bot.config.repository import Job
from bot.facts.branch import RolledBack
from bot.facts.model import NotPromoted, Promotion, RollbackRefusal
from bot.facts.pull_request import Earlier, PullRequestHead
from bot.facts.runs import ProjectRun
from bot.words import escape, model
from bot.words.template import render

UNCONFIRMED = "its removal waits to be confirmed"
"""Why an object is kept that nobody has agreed to remove, among so many."""
MOST_PATHS = 20

_VERDICTS = {"passed": "passed", "failed": "failed", "error": "could not be judged"}


def merged(
    commit: str,
    tip: str,
    counts: Mapping[str, tuple[int, ...]],
    jobs: Sequence[tuple[str, str]],
    kept: Mapping[str, str] = MappingProxyType({}),
    problems: Sequence[str] = (),
    objects: int = 0,
) -> str:
    """What the merge did to the workspace, which holds `tip` now: folder -> (updated, new,
    removed), and each job's name with what was done to it; `problems` are sentences on jobs that
    were left alone.

    Its beginning is `merged_as(commit)`, whatever came of the merge. `kept`: paths that are gone
    from Git and not yet from the workspace, and why; `objects` are how many of ours were there.
    """
    shown = sorted(kept.items())
    waits = sum(why == UNCONFIRMED for _, why in shown)
    return render(
        "merged",
        merged_as=merged_as(commit),
        commit=commit,
        tip=tip,
        counts=counts,
        jobs=jobs,
        problems=problems,
        kept=shown[:MOST_PATHS],
        more=len(shown[MOST_PATHS:]),
        waits=waits,
        objects=objects,
    )


def merged_as(commit: str) -> str:
    """The beginning of a reply about a merge, which no other merge's has."""
    return f"🔁 Merged as {escape.code(commit[:7])}"


def taken_back(back: RolledBack, kept: int) -> str:
    """A reply: the workspace holds an older commit again, and until when; `kept` objects could not
    be removed.
    """
    return render("taken_back", begins=taken_back_for(back), back=back, kept=kept)


def taken_back_for(back: RolledBack) -> str:
    """The beginning of what is said about taking a commit back, which tells one such wish from
    another.
    """
    return (
        f"⏪ Took {escape.code(back.commit[:7])} back: the workspace holds "
        f"{escape.code(back.instead[:7])} again"
    )


def taking_back(back: RolledBack, number: int | None) -> str:
    """The answer to who wants a commit taken back; `number` is the pull request that brought what
    comes instead, None: none is known.
    """
    from_ = ""
    if number is not None:
        from_ = f" (pull request {number})"
    return (
        f"⏪ Taking {escape.code(back.commit[:7])} out of the production workspace, which goes "
        f"back to {escape.code(back.instead[:7])}{from_}. I tell here when it is done.\n"
    )


def not_taken_back(reason: str) -> str:
    """Why the workspace holds what it holds; `reason` is a sentence, ours."""
    return f"⏪ Nothing was rolled back: {reason}\n"


def promoted(live: Promotion) -> str:
    """The version a job scores with from now on, and how it was tried. Its beginning is
    `promoted_to(live)`.
    """
    return render("promoted", begins=promoted_to(live), live=live)


def promoted_to(live: Promotion) -> str:
    """The beginning of what is said of a version that goes live, in which no time is told."""
    whose = "of this pull request"
    if live.retrained:
        whose = "that was retrained here"
    name, number = live.was
    was = "its first version"
    if number:
        was = f"was {escape.code(name)} {escape.code(f'v{number}')}"
    return (
        f"🚀 The model {whose} is live: {escape.code(live.version.name)} "
        f"**v{live.version.version}** → job {escape.code(live.job)} ({was}), promoted by "
        f"{escape.code(live.version.promoted_by)}."
    )


def not_promoted(refused: NotPromoted) -> str:
    """Why a job does not score with a promoted version. Its beginning is
    `not_promoted_to(refused)`.
    """
    return render("not_promoted", begins=not_promoted_to(refused), refused=refused)


def not_promoted_to(refused: NotPromoted) -> str:
    """The beginning of a reply about a version that is not promoted."""
    return (
        f"🛑 {escape.code(refused.version.name)} **v{refused.version.version}** is promoted by "
        f"{escape.code(refused.version.promoted_by)}, but job {escape.code(refused.job)} does not "
        f"score with it: {model.not_promoted(refused)}."
    )


def accepted_versions(found: Sequence[tuple[str, str, Sequence[str]]]) -> str:
    """An answer: versions are accepted for promotion, by name and number, each with the jobs that
    follow it.
    """
    told: list[str] = []
    for name, version, jobs in found:
        named = ", ".join(escape.code(job) for job in jobs)
        looked_at = f"jobs {named} are"
        if len(jobs) == 1:
            looked_at = f"job {named} is"
        told.append(
            f"{escape.code(name)} **v{version}** may be scored with, whatever speaks against its "
            f"commit or its signature: {looked_at} looked at now."
        )
    return "☑️ " + " ".join(told) + "\n"


def nothing_promoted() -> str:
    """An answer: no promoted version comes from a pull request."""
    return (
        "No version that this pull request trained is promoted where a job follows it, so there is "
        "none to accept.\n"
    )


def rolled_back(
    job: str, to: tuple[str, str], was: tuple[str, str], next_run: datetime | None
) -> str:
    """An answer: a job scores with an older version again; `next_run` is in the time zone of its
    schedule.
    """
    return render("rolled_back", job=job, to=to, was=was, next_run=next_run)


def not_rolled_back(job: str, refusal: RollbackRefusal) -> str:
    """Why a job scores with what it scored with."""
    return f"⏪ Job {escape.code(job)} was not rolled back: {model.not_rolled_back(refusal)}\n"


def which_job(named: str, jobs: Sequence[str]) -> str:
    """An answer: a rollback has to name one of these jobs."""
    known = ", ".join(escape.code(f"/mlops rollback model {shlex.quote(job)}") for job in jobs)
    wrong = ""
    if named:
        wrong = f"There is no job {escape.code(named)}. "
    which = "The configuration names no job"
    if jobs:
        which = f"Say which job to roll back: {known}"
    return f"⏪ {wrong}{which}.\n"


def retraining_of(project: str) -> str:
    """The beginning of what is said in the end about a retraining, however it ended."""
    return f"🏁 {escape.code(project)}"


def retrained(
    project: str,
    run: ProjectRun,
    parameters: Mapping[str, str],
    metrics: Mapping[str, float],
    jobs: Sequence[Job],
) -> str:
    """An answer: a version was registered from the target branch, and how to promote it; `jobs`
    follow its model.
    """
    begins = retraining_of(project)
    return render(
        "retrained", begins=begins, run=run, parameters=parameters, metrics=metrics, jobs=jobs
    )


def not_retrained(project: str, reason: str, run: ProjectRun | None = None) -> str:
    """Why a retraining gave no version, with the last lines of its log if it got so far."""
    return render(
        "not_retrained", begins=retraining_of(project), project=project, reason=reason, run=run
    )


def verdict_changed(head: PullRequestHead, state: State, line: str, before: Earlier) -> str:
    """A reply: this commit's verdict is not that of the commit `before`; `line` is the description
    of its status.
    """
    return render(
        "verdict_changed",
        head=head,
        state=state,
        line=line,
        before=before,
        was=_VERDICTS.get(before.state, ""),
    )
