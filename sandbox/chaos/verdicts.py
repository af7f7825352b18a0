"""What must be seen on pull requests: one verdict, the right one, one thread, each reply once."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from sandbox.azure_devops import AzureDevOps
from sandbox.chaos.changes import Change
from sandbox.chaos.findings import Finding

FINAL = ("succeeded", "failed", "error", "notApplicable")
_MERGED = "Merged as"


def statuses(azure: AzureDevOps, number: int) -> list[dict[str, Any]]:
    """The statuses `signalman/validate` of a pull request, the oldest first."""
    found = [
        one
        for one in azure.statuses(number)
        if (one["context"]["genre"], one["context"]["name"]) == ("signalman", "validate")
    ]
    return sorted(found, key=lambda one: int(one["id"]))


def final(azure: AzureDevOps, number: int, iteration: int) -> bool:
    """Whether an iteration carries a verdict."""
    found = [one["state"] for one in statuses(azure, number) if one["iterationId"] == iteration]
    return bool(found) and found[-1] in FINAL


def comments(azure: AzureDevOps, number: int) -> list[list[str]]:
    """What each thread of the bot's says, comment by comment, the report first."""
    return [
        [str(one.get("content") or "") for one in thread["comments"]]
        for thread in azure.threads(number)
        if "signalman.thread" in (thread.get("properties") or {}) and not thread.get("isDeleted")
    ]


def findings(azure: AzureDevOps, changes: Iterable[Change]) -> list[Finding]:
    """All that is wrong with the verdicts, reports and replies."""
    found: list[Finding] = []
    for change in changes:
        found += _statuses(azure, change)
        found += _threads(azure, change)
    return found


def _statuses(azure: AzureDevOps, change: Change) -> list[Finding]:
    found: list[Finding] = []
    name, posted = f"Pull request {change.number}", statuses(azure, change.number)
    by_iteration: dict[int | None, list[str]] = {}
    for one in posted:
        by_iteration.setdefault(one.get("iterationId"), []).append(one["state"])
    for iteration, states in by_iteration.items():
        finals = [state for state in states if state in FINAL]
        if iteration is None or not 1 <= iteration <= len(change.pushed):
            found.append(
                Finding(
                    "wrong",
                    f"{name} has a status on iteration {iteration}, which it does not have.",
                )
            )
            continue
        right = change.pushed[iteration - 1][1]
        found += [
            Finding(
                "wrong", f"{name}, iteration {iteration}: the verdict is {state}; right is {right}."
            )
            for state in dict.fromkeys(finals)
            if state != right
        ]
        if len(finals) > 1:
            found.append(
                Finding(
                    "doubled",
                    f"{name}, iteration {iteration}: there are {len(finals)} verdicts: {states}.",
                )
            )
    newest = by_iteration.get(len(change.pushed), [])
    if change.state == "open" and not any(state in FINAL for state in newest):
        found.append(
            Finding(
                "lost",
                f"{name}, iteration {len(change.pushed)}: there is no verdict; found: "
                f"{newest or 'nothing'}.",
            )
        )
    elif change.state == "open" and newest[-1] not in FINAL:
        found.append(
            Finding(
                "wrong",
                f"{name}, iteration {len(change.pushed)}: its verdict was taken back: {newest}.",
            )
        )
    return found


def _threads(azure: AzureDevOps, change: Change) -> list[Finding]:
    name, threads = f"Pull request {change.number}", comments(azure, change.number)
    if len(threads) > 1:
        return [Finding("doubled", f"{name} has {len(threads)} threads of the bot's.")]
    found: list[Finding] = []
    report, replies = (threads[0][0], threads[0][1:]) if threads else ("", [])
    commit, verdict = change.pushed[-1]
    if change.state == "open" and verdict != "notApplicable":
        found += _report(name, report, commit, verdict)
    found += [
        Finding(
            "doubled", f"{name} was told {times} times: {said.splitlines()[0] if said else said!r}"
        )
        for said, times in Counter(replies).items()
        if times > 1
    ]
    merged = [said for said in replies if _MERGED in said]
    # The one comment of a pull request that nobody reported on before is its thread's first.
    merged += [report] if _MERGED in report else []
    if change.state == "merged" and change.to_be_told and not merged:
        found.append(Finding("lost", f"{name} was merged, and nobody told it what became of that."))
    if len(set(merged)) > 1:
        found.append(
            Finding("doubled", f"{name} was told {len(merged)} times that it was merged: {merged}")
        )
    return found


def _report(name: str, report: str, commit: str, verdict: str) -> Sequence[Finding]:
    if not report:
        return [Finding("lost", f"{name} has no report.")]
    first = report.splitlines()[0]
    if commit[:7] not in first:
        return [Finding("lost", f"{name}: its report is not about {commit[:7]}: {first}")]
    if ("✅" in first) != (verdict == "succeeded"):
        return [Finding("wrong", f"{name}: its report does not say {verdict}: {first}")]
    return []
