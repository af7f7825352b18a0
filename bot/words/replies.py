"""The short replies below the report: one when the change was merged, one when its model goes live."""

from collections.abc import Mapping, Sequence

from bot.facts import ServingVersion
from bot.words import escape
from bot.words.template import render


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
