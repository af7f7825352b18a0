"""The short replies below the report: when the verdict changes, when it was merged, when its model goes live."""

from collections.abc import Mapping, Sequence

from bot.actions import State
from bot.facts import Earlier, PullRequestHead, ServingVersion
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


def promoted(version: ServingVersion, job: str, was: tuple[str, str]) -> str:
    """The version a job scores with from now on; `was` is the name and version before, empty if none."""
    return render("promoted", version=version, job=job, was_name=was[0], was_version=was[1])


def verdict_changed(head: PullRequestHead, state: State, line: str, before: Earlier) -> str:
    """That this commit's verdict is not that of the commit `before`; `line` is the description of its status."""
    return render(
        "verdict_changed", head=head, state=state, line=line, before=before, was=_VERDICTS.get(before.state, "")
    )
