"""The short replies below the report: one when the change was merged, one when its model goes live."""

from collections.abc import Mapping, Sequence

from bot.facts import ServingVersion
from bot.words.template import render


def merged(commit: str, counts: Mapping[str, tuple[int, ...]], jobs: Sequence[str]) -> str:
    """What the merge did to the workspace: folder -> (updated, new, removed), and jobs created."""
    return render("merged", commit=commit, counts=counts, jobs=jobs)


def promoted(version: ServingVersion, job: str, was: tuple[str, str]) -> str:
    """The version a job scores with from now on; `was` is the name and version before, empty if none."""
    return render("promoted", version=version, job=job, was_name=was[0], was_version=was[1])
