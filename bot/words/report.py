"""The bot's one comment on a pull request, state by state. Its first line is the verdict and the
commit.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from bot.config.repository import Mlops
from bot.facts.branch import Preview
from bot.facts.pull_request import GOOD_STATES, UNFINISHED_STATES, BadName, Earlier, Situation, Step
from bot.facts.quality_gate import Judgement
from bot.words import addresses, branch, escape, metric_table, steps
from bot.words.log import Excerpt, excerpt
from bot.words.mask import masked
from bot.words.template import render

duration = escape.duration

LONGEST = 150_000
"""Azure DevOps takes no longer comment, counted in UTF-16."""

MOST_EARLIER = 5
MOST_LOGS = 10
MOST_PICTURES = 12
MOST_REASONS = 10


@dataclass(frozen=True)
class Room:
    """How much of each kind is shown: characters of all logs, rows of metrics, paths of a preview,
    rows of steps.
    """

    log: int
    metrics: int
    objects: int
    steps: int


_ROOMS = (
    Room(log=60_000, metrics=100, objects=30, steps=250),
    Room(log=12_000, metrics=100, objects=30, steps=250),
    Room(log=2_000, metrics=100, objects=30, steps=250),
    Room(log=2_000, metrics=30, objects=30, steps=100),
    Room(log=2_000, metrics=20, objects=5, steps=30),
    Room(log=500, metrics=5, objects=0, steps=5),
)
"""From what a report should hold to what always fits: logs give way first, then metrics, then the
preview.
"""


HEADING = "### "
"""What every report begins with, and nothing else that the bot says."""


@dataclass(frozen=True)
class Log:
    """The end of a failed step's log: those of its last lines that there is room for, of
    `total`.
    """

    step: Step
    lines: tuple[str, ...]
    total: int


def not_yet() -> str:
    """There is no report, and something to say below it."""
    return render("not_yet")


def queued(s: Situation) -> str:
    """Nothing could be started yet; where it stands in the line."""
    return _filled("queued", s)


def running(s: Situation) -> str:
    """What runs and since when, what waits, and what is done."""
    return _filled("running", s)


def ended(s: Situation) -> str:
    """The verdict over all steps: cancelled, failed in the first that did, refused by the gate or
    for what the merge would bring, or passed.
    """
    s = steps.in_words(s, _discreet)
    if s.cancelled is not None and any(step.state not in GOOD_STATES for step in s.steps):
        return _filled("cancelled", s, order=s.cancelled)
    for name, state in (("failed", "failed"), ("refused", "refused"), ("no_cluster", "no cluster")):
        broken = steps.first(s.steps, state)
        if broken is not None:
            return _filled(name, s, broken=broken, told=_told(broken))
    if s.preview is not None and s.preview.refused:
        return _filled("refused_on_merge", s)
    compared = ""
    if all(step.state != "accepted" for step in s.steps):
        compared = _compared(s)
    return _filled("passed", s, compared=compared)


def bad_branch(s: Situation, bad: BadName, free: str | None, config: Mlops) -> str:
    """Why the branch's name cannot be used, which one could, and how to get there."""
    by_character = groupby(sorted(bad.at_fault), key=lambda entry: entry[0])
    at_fault = [
        (_shown(character), [position for _, position in found])
        for character, found in by_character
    ]
    return _filled(
        "bad_branch",
        s,
        bad=_ToldName(bad.name, bad.at_fault, bad_name(bad), bad.pattern),
        at_fault=sorted(at_fault, key=lambda entry: entry[1][0])[:10],
        free=free,
        # Only a name that no shell reads anything into is offered for copying.
        simple=bool(
            re.fullmatch(r"\w[\w./:-]{,250}", bad.name, re.ASCII)
            and re.fullmatch(r"[\w.-]+", free or "", re.ASCII)
        ),
        experiment=config.experiment,
        target=config.target,
    )


@dataclass(frozen=True)
class _ToldName:
    """A branch name that cannot be used, as templates know it; `sentence` may go on with the
    pattern.
    """

    name: str
    at_fault: tuple[tuple[str, int], ...]
    sentence: str
    pattern: str


def bad_name(bad: BadName) -> str:
    """Why a name cannot be used, in a sentence that may go on with the pattern; empty where
    characters of it are at fault.
    """
    if bad.at_fault:
        return ""
    if bad.most is not None:
        return f"It has {len(bad.name)} characters; {bad.most} are allowed."
    return "It does not match the pattern"


def bad_config(s: Situation, problem: str) -> str:
    """The target branch's configuration is not usable; it is nobody's fault on this pull
    request.
    """
    return _filled("bad_config", s, problem=problem)


def held_up(s: Situation, neighbour: str) -> str:
    """A neighbour does not do its part; the same words however long it takes."""
    return _filled("held_up", s, neighbour=neighbour)


def fork(s: Situation) -> str:
    """The pull request comes from a fork, and nobody has allowed this commit yet."""
    return _filled("fork", s)


def nothing_to_run(s: Situation) -> str:
    """An earlier commit touched a project, this one does not."""
    return _filled("nothing_to_run", s)


def _filled(name: str, s: Situation, **more: Any) -> str:
    """The longest text of that name that Azure DevOps takes."""
    s = steps.in_words(s)
    rows = steps.rows(s)
    ends = _ends(s)
    told_above = {steps.reason(step) for step in s.steps if step.state == "accepted"}
    if broken := more.get("broken"):
        told_above.add(steps.reason(broken))
    text = ""
    for room in _ROOMS:
        text = render(
            name,
            s=s,
            head=s.head,
            rows=_most(rows, room.steps),
            rows_left_out=max(0, len(rows) - room.steps),
            done=sum(step.state not in UNFINISHED_STATES for step in s.steps),
            seconds=steps.elapsed(s),
            metrics=metric_table.table(s, room.metrics),
            logs=_logs(ends, room.log),
            pictures=s.pictures[:MOST_PICTURES],
            preview=_Shown.of(s.preview, room.objects) if s.preview else None,
            earlier=_Past.of(s.earlier),
            all_runs=addresses.pull_request(s.pages, s.repository, s.head.number),
            told_above=told_above,
            log_pages={
                step.run.token: addresses.run(s.pages, step.run.token)
                for step in s.steps
                if step.run
            },
            **more,
        )
        if escape.units(text) <= LONGEST:
            break
    return text


def _discreet(step: Step) -> str:
    return masked(escape.visible(steps.reason(step)[:2000]))


def _most(rows: Sequence[steps.Row], most: int) -> list[steps.Row]:
    """So many rows in their order; if there are too many, those that did not go well before all
    others.
    """
    kept = set(sorted(range(len(rows)), key=lambda place: rows[place].state == "succeeded")[:most])
    return [row for place, row in enumerate(rows) if place in kept]


def _excerpt(step: Step) -> Excerpt:
    run = step.run
    if run is None or not run.log or step.state not in ("failed", "refused", "accepted"):
        return Excerpt()
    return excerpt(run.log, step.project.path, total=run.log_lines)


def _told(step: Step) -> Excerpt:
    """What the log says of a failure, if it is one that a log can tell of."""
    if step.run and step.run.outcome == "failed":
        return _excerpt(step)
    return Excerpt()


def _ends(s: Situation) -> list[tuple[Step, Excerpt]]:
    """The ends of the logs of the first steps that failed, or did not log what they are judged by;
    a table links those of all.
    """
    telling = [
        step
        for step in s.steps
        if (step.state == "failed" or _unmeasured(step)) and step.run and step.run.log
    ]
    return [(step, found) for step in telling[:MOST_LOGS] if (found := _excerpt(step)).lines]


def _unmeasured(step: Step) -> bool:
    return step.state == "refused" and any(
        judgement.verdict == "missing" for judgement in step.judgements
    )


def _logs(ends: Sequence[tuple[Step, Excerpt]], room: int) -> list[Log]:
    each = room // max(1, len(ends))
    return [Log(step, _last(found.lines, each), found.total) for step, found in ends]


def _last(lines: Sequence[str], room: int) -> tuple[str, ...]:
    """The last lines that fit, at least one; that one shortened where it has to be."""
    kept: list[str] = []
    for line in reversed(lines):
        room -= len(line) + 1
        if room < 0 and kept:
            break
        if room < 0:
            kept.append(f"{line[: max(80, len(line) + room)]}…")
            break
        kept.append(line)
    return tuple(reversed(kept))


@dataclass(frozen=True)
class _Shown:
    """What a merge would do, as far as there is room: `objects` are (what, path), `more` how many
    are left out.

    `reasons`: why it would be refused, of which there is always room for a few; `already`: for what
    it is not.
    """

    preview: Preview
    objects: tuple[tuple[str, str], ...]
    more: int
    jobs: tuple[Any, ...]
    more_jobs: int
    reasons: tuple[str, ...]
    more_reasons: int
    already: tuple[str, ...]

    @classmethod
    def of(cls, preview: Preview, most: int) -> "_Shown":
        kinds = (("changed", preview.changed), ("new", preview.added), ("removed", preview.removed))
        objects = [(what, path) for what, paths in kinds for path in paths]
        reasons = branch.merge_faults(preview.refused)
        return cls(
            preview,
            tuple(objects[:most]),
            max(0, len(objects) - most),
            preview.jobs[:most],
            max(0, len(preview.jobs) - most),
            tuple(reasons[:MOST_REASONS]),
            max(0, len(reasons) - MOST_REASONS),
            tuple(branch.merge_faults(preview.already)),
        )


@dataclass(frozen=True)
class _Past:
    """Earlier commits: those that got a verdict, and those that a newer commit came before."""

    judged: tuple[Earlier, ...]
    superseded: tuple[Earlier, ...]
    total: int

    @classmethod
    def of(cls, earlier: Sequence[Earlier]) -> "_Past":
        judged = [past for past in earlier if past.state != "superseded"]
        superseded = [past for past in earlier if past.state == "superseded"]
        return cls(tuple(judged[:MOST_EARLIER]), tuple(superseded[:MOST_EARLIER]), len(earlier))


def _compared(s: Situation) -> str:
    """How the metrics stand beside those that serve, or else the target branch's, in a sentence;
    empty: no telling.
    """
    for name in ("serving", "target"):
        known = metric_table.label(s, name)
        signs = [sign for step in s.steps for sign in _signs(step, name)]
        if not known or not signs:
            continue
        other = escape.plain(known)
        ending = "."
        if len(signs) > 1:
            ending = " in every metric."
        if all(sign > 0 for sign in signs):
            return f"**Better than {other}**{ending}"
        if all(sign == 0 for sign in signs):
            return f"**As good as {other}**{ending}"
        better = sum(sign > 0 for sign in signs)
        worse = sum(sign < 0 for sign in signs)
        if not worse:
            return (
                f"**At least as good as {other}** in every metric, better in {better} of "
                f"{len(signs)}."
            )
        if not better:
            return f"**Not better than {other}**, but within what is allowed."
        return (
            f"Better than {other} in {better} of {len(signs)} metrics, worse in {worse}; all "
            "within what is allowed."
        )
    return ""


def _signs(step: Step, name: str) -> list[int]:
    """For each metric that can be compared: 1 better, 0 equal, -1 worse."""
    reference = metric_table.reference(step, name)
    if reference is None or not reference.comparable:
        return []
    signs = (_sign(judgement, name) for judgement in step.judgements)
    return [sign for sign in signs if sign is not None]


def _sign(judgement: Judgement, name: str) -> int | None:
    """How a metric stands beside a reference: 1 better, 0 equal, -1 worse; None: they cannot be
    compared.
    """
    other = judgement.target
    if name == "serving":
        other = judgement.serving
    if other is None or judgement.value is None or not math.isfinite(judgement.value):
        return None
    shown = escape.difference(judgement.value, other)
    if shown.startswith("±"):
        return 0
    good = "+"
    if judgement.metric.goal == "lower":
        good = "−"
    if shown.startswith(good):
        return 1
    return -1


def _shown(character: str) -> str:
    return escape.code(character) or f"U+{ord(character):04X}"
