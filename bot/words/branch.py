"""Why something of a target branch is not brought to the workspace, or not removed from it."""

from collections.abc import Iterable
from typing import assert_never

from bot.facts.branch import JobLeftAlone, MergeFault, ObjectFault


def merge_faults(faults: Iterable[MergeFault]) -> list[str]:
    """Why a merge cannot be brought to the workspace, a sentence for each fault."""
    return [line for fault in faults for line in _merge_fault(fault).splitlines()]


def _merge_fault(fault: MergeFault) -> str:
    match fault:
        case ObjectFault():
            return object_fault(fault)
        case JobLeftAlone():
            return job_left_alone(fault)
        case str():
            return fault
        case _:
            assert_never(fault)


def object_fault(fault: ObjectFault) -> str:
    """What is wrong with a file of a mirrored folder, and what to do about it."""
    file = fault.file
    other = fault.other
    match fault.kind:
        case "link":
            return linked(file)
        case "too large":
            return (
                f"{file} has {fault.size:,} bytes; the workspace takes at most "
                f"{fault.most:,} (10 MB) per file."
            )
        case "one object":
            return (
                f"{file} and {other} would both become {fault.path} in the workspace; rename one "
                "of them."
            )
        case "case":
            return (
                f"{other} and {file} would bring {fault.first_spelling} and {fault.path} to the "
                "workspace: two names that differ by case only, which many see as one. Spell them "
                "alike, or rename one of them."
            )
        case "folder":
            return (
                f"{file} would become {fault.path} in the workspace, where the folder of {other} "
                "has to be; rename one of them."
            )
        case _:
            assert_never(fault.kind)


def linked(file: str) -> str:
    """A sentence: a file of a mirrored folder is a symbolic link."""
    return f"{file} is a symbolic link; links are never followed. Replace it by the file itself."


def job_left_alone(job: JobLeftAlone) -> str:
    """Why a job is left alone that the repository describes, and what to do about it."""
    place = f"{job.file}: job {job.name} ({job.key})"
    if job.owner is None:
        return (
            f"{place} is managed by a Databricks Asset Bundle in the workspace, so it is left "
            "alone. Remove it from the bundle (databricks bundle deployment unbind), or from this "
            "file."
        )
    return (
        f"{place} belongs to the repository {job.owner}, so it is left alone. Give one of them "
        "another name."
    )


def used_by(job: str) -> str:
    """Why an object is kept that is gone from Git: the job of that name runs it."""
    return f"job {job} runs it"
