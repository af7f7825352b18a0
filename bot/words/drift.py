"""What is said of a notebook, a file or a job that somebody changed in the workspace by hand."""

import difflib
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from bot.facts.branch import Drift, Edited
from bot.words import escape
from bot.words.mask import masked
from bot.words.template import render

LINES, LONGEST_LINE = 60, 300
"""What is shown of a difference."""
COMPARED = 1000
"""So many lines on a side are compared; where more differ, all of them count as changed."""
MOST_SHOWN, MOST_LISTED = 5, 40
"""Of a reply about many: differences that are shown, and places that are named."""
MOST_NAMED = 5
"""Of all that differs, where it is only mentioned."""

_CONTEXT = 3


@dataclass(frozen=True)
class Difference:
    """Two texts apart: lines that begin with `-`, `+` or a space, masked and at most LINES, of so
    many in all.
    """

    lines: tuple[str, ...] = ()
    added: int = 0
    removed: int = 0


def difference(wanted: str, found: str, secrets: Iterable[str] = ()) -> Difference:
    """How a text differs from what it should be; no line shows what looks like a secret."""
    changes = list(_unified(wanted.split("\n"), found.split("\n")))
    # Whole texts are masked, then compared: of half a secret nobody could tell that it is one.
    known = tuple(secrets)
    before = masked(escape.visible(wanted), known)
    after = masked(escape.visible(found), known)
    return Difference(
        _first_lines(list(_unified(before.split("\n"), after.split("\n")))),
        sum(line.startswith("+") for line in changes),
        sum(line.startswith("-") for line in changes),
    )


def of_fields(
    fields: Sequence[tuple[str, str, str]], secrets: Iterable[str] = ()
) -> tuple[str, ...]:
    """How the fields of a job differ: name, what it should be, and what was found (empty: it is not
    there).
    """
    known = tuple(secrets)
    lines: list[str] = []
    for name, wanted, found in fields:
        for sign, value in (("-", wanted), ("+", found)):
            text = f"{sign}{name}: {value}"
            if not text.endswith(": "):
                lines.append(masked(escape.visible(text), known))
    return _first_lines(lines)


def _first_lines(lines: Sequence[str]) -> tuple[str, ...]:
    """What is shown of a difference: each line shortened, and how many more there are."""
    shown = [_short(line) for line in lines[:LINES]]
    if len(lines) > LINES:
        shown.append(f"… and {len(lines) - LINES} more lines")
    return tuple(shown)


def edit(drift: Drift) -> str:
    """The few characters that tell an edit from others, also from the same one after it was put
    back.
    """
    named = "\0".join((drift.place, drift.kind, drift.found, str(drift.modified), str(drift.again)))
    return _digest(named)


def begins(drifts: Sequence[Drift]) -> str:
    """The beginning of a reply about these edits, which no other's has."""
    edits = sorted(map(edit, drifts))
    if len(edits) == 1:
        sign = edits[0]
    else:
        sign = _digest("".join(edits))
    return f"⚠️ Drift {escape.code(sign)}:"


def drift_reply(drifts: Sequence[Drift], commit: str) -> str:
    """Tell that these are not as the live commit has them, and what comes of it; all are put back,
    or none is.
    """
    return render(
        "drift",
        begins=begins(drifts),
        commit=commit,
        drifts=drifts[:MOST_LISTED],
        more=len(drifts[MOST_LISTED:]),
        shown=[drift for drift in drifts if drift.difference][:MOST_SHOWN],
        count=_count,
    )


def left(edited: Edited, shown: Callable[[str], str] = str) -> str:
    """What was changed by hand and left so, in a sentence; empty: nothing. `shown` makes a name fit
    to be shown.
    """
    counts: list[str] = []
    if edited.objects:
        counts.append(_many(len(edited.objects), "object"))
    if edited.jobs:
        counts.append(_many(len(edited.jobs), "job"))
    if not counts or edited.looked is None:
        return ""
    names = [*map(shown, edited.objects), *(f"job {shown(key)}" for key in edited.jobs)]
    verb, what = "differ", "them"
    if len(names) == 1:
        verb, what = "differs", "it"
    listed = ", ".join(names[:MOST_NAMED])
    if len(names) > MOST_NAMED:
        listed += f" and {len(names) - MOST_NAMED} more"
    return (
        f"{' and '.join(counts)} {verb} from Git since somebody changed {what} by hand: {listed}, "
        f"as the sweep saw when it last looked ({edited.looked:%Y-%m-%d %H:%M UTC})."
    )


def line(drift: Drift) -> str:
    """What differs, in one line for the history and a terminal."""
    what = ""
    if drift.kind == "field":
        what = "job "
    return f"{what}{drift.place} {_happened(drift)}"


def _happened(drift: Drift) -> str:
    match drift.kind:
        case "edited":
            return f"was edited in the workspace{_count(drift)}"
        case "deleted":
            return "was deleted from the workspace"
        case "replaced":
            return "is something else in the workspace"
        case "field":
            return f"was changed in the workspace: {', '.join(drift.fields)}"


def _count(drift: Drift) -> str:
    if not (drift.added or drift.removed):
        return ""
    ending = "s"
    if drift.added + drift.removed == 1:
        ending = ""
    return f" (+{drift.added} −{drift.removed} line{ending})"


def _many(number: int, what: str) -> str:
    if number == 1:
        return f"1 {what}"
    return f"{number} {what}s"


def _unified(wanted: Sequence[str], found: Sequence[str]) -> Iterator[str]:
    """The lines of a unified difference, without file names and line numbers."""
    shorter = min(len(wanted), len(found))
    start = 0
    while start < shorter and wanted[start] == found[start]:
        start += 1
    end = 0
    while end < shorter - start and wanted[-1 - end] == found[-1 - end]:
        end += 1
    before = wanted[start : len(wanted) - end]
    after = found[start : len(found) - end]
    if max(len(before), len(after)) > COMPARED:
        yield from (f"-{line}" for line in before)
        yield from (f"+{line}" for line in after)
        return
    if not before and not after:
        return
    # What both have in common is left out, but for what is shown around a change.
    ahead = wanted[max(0, start - _CONTEXT) : start]
    behind = wanted[len(wanted) - end :][:_CONTEXT]
    lines = difflib.unified_diff(
        [*ahead, *before, *behind], [*ahead, *after, *behind], n=_CONTEXT, lineterm=""
    )
    for number, line in enumerate(lines):
        # The first two name the files, and the third tells where the difference begins.
        if number > 2:
            yield "@@" if line.startswith("@@") else line


def _short(text: str) -> str:
    text = text.rstrip()
    if len(text) <= LONGEST_LINE:
        return text
    return text[: LONGEST_LINE - 1] + "…"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:7]
