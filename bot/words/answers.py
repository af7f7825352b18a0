"""What the bot answers to a command: it begins with the command itself, by which an answer is known
again.
"""

import re
from collections.abc import Sequence
from typing import assert_never

from bot.facts.branch import LiveStatus, Preview
from bot.facts.discussion import COMMAND, Mistake, NotAllowed, Order
from bot.facts.pull_request import Situation, StepState
from bot.words import branch, drift, escape, steps
from bot.words.template import render

ACCEPTED = "✅ for "
MOST_PATHS, MOST_REASONS, MOST_REFUSALS = 40, 20, 10
LOG_BUDGET = 100_000
"""Characters of a log in an answer; a comment has room for 150,000."""

STATES: dict[StepState, str] = {
    "waits": "⏸ waits",
    "runs": "🔵 running",
    "again": "⚠️ no cluster, is tried again",
    "passed": "✅ passed",
    "accepted": "☑️ accepted",
    "failed": "❌ failed",
    "refused": "❌ not good enough",
    "no cluster": "⚠️ no cluster",
    "skipped": "⏭ not started",
}

_ACCEPTANCE = re.compile(
    r"(?P<ticks>`+)(?!`)(?P<line>.+?)(?<!`)(?P=ticks) ✅ for `(?P<commit>[0-9a-f]{7,40})`"
)

MOST_KEPT = 20


def sign(line: str) -> str:
    """What every answer to exactly this command begins with."""
    return escape.code(line)


def is_for(answer: str, line: str) -> bool:
    """Whether an answer is one to this command."""
    return answer.startswith(f"{sign(line)} ")


def acceptance(answer: str) -> tuple[str, str] | None:
    """The command that an answer accepts, and the commit it holds for (its first digits, or the
    whole); else None.
    """
    found = _ACCEPTANCE.match(answer)
    if found is None:
        return None
    line = found["line"].strip(" ")
    if answer.startswith(f"{sign(line)} {ACCEPTED}"):
        return (line, found["commit"])
    return None


def accepted(line: str, verb: str, commit: str, argument: str = "", reason: str = "") -> str:
    """The bot does as it was told. What judges a commit names the whole of it, for nobody can make
    another such.
    """
    if verb in ("override", "ok-to-test", "confirm"):
        named = commit
    else:
        named = commit[:7]
    return _said(
        "accepted", line, verb=verb, commit=named, argument=argument, reason=reason, mark=ACCEPTED
    )


def looks_anew(line: str, commit: str) -> str:
    """There is nothing to run, but what the merge would bring is looked at again."""
    return _said(
        "accepted", line, verb="look", commit=commit[:7], argument="", reason="", mark=ACCEPTED
    )


def refused(line: str, why: NotAllowed) -> str:
    """Somebody may not give this command, and who may."""
    return _said("refused", line, why=not_allowed(why))


def not_allowed(why: NotAllowed) -> str:
    """Why somebody may not give a command, and who may, in sentences."""
    match why.kind:
        case "no team":
            setting = f"`commands.{why.setting}` in `config/bot.yml`"
            return f"Only {why.right}s may do that, and there are none: {setting} names no team."
        case "not in a team":
            return f"You are no {why.right}. {_whom(why)} may do that."
        case "creator unknown":
            return "It is not known who opened this pull request, so nobody may say that."
        case "own pull request":
            return (
                f"You opened this pull request, so somebody else has to say that. {_whom(why)} may."
            )
        case _:
            assert_never(why.kind)


def _whom(why: NotAllowed) -> str:
    if not why.teams:
        return "Another contributor"
    named: list[str] = []
    for team in why.teams:
        name = escape.code(team.name)
        if not team.known:
            name += " (which Azure DevOps does not have)"
        named.append(name)
    return f"The {why.right}s, who are in {' or '.join(named)},"


def mistake(found: Mistake) -> str:
    """A command that cannot be read: what is wrong with it, and what may have been meant."""
    return _said(
        "mistake",
        found.line,
        told=mistaken(found),
        word=found.word,
        meant=found.meant,
        like=found.like,
    )


def mistaken(found: Mistake) -> str:
    """What is wrong with a command, in a sentence that follows the word at fault, where there is
    one.
    """
    match found.kind:
        case "too long":
            return f"A command has at most {found.most} characters, and this one has more."
        case "quotation mark":
            return "A quotation mark is opened and not closed."
        case "no command":
            return f"What should I do? `{COMMAND} help` lists what I can."
        case "unknown command":
            return "is not a command of mine."
        case "too much":
            return f"is too much for `{found.usage}`."
        case "too little":
            return f"`{found.usage}` is how it is written."
        case "no such choice":
            return f"is not what `{found.usage}` takes."
        case "no reason":
            return "It needs a reason, for those who read this later."
        case "no number of lines":
            return f"is not a number of lines from 1 to {found.most}."
        case _:
            assert_never(found.kind)


def help_(line: str, rows: Sequence[tuple[str, str, str]]) -> str:
    """Every command: how it is written, what it is for, and who may give it (that one is ours)."""
    return _said("help", line, rows=rows)


def status(line: str, situation: Situation) -> str:
    """What runs and what waits."""
    return _said("status", line, situation=steps.in_words(situation), states=STATES)


def live(line: str, now: LiveStatus) -> str:
    """Which commit the workspace holds, what differs from it, and what each scoring job loads."""
    kept, more = sorted(now.kept.items())[:MOST_KEPT], len(now.kept) - MOST_KEPT
    return _said(
        "live", line, now=now, edited=drift.left(now.edited, escape.code), kept=kept, more=more
    )


def logs(line: str, step: str, log: str, lines: int, page: str = "") -> str:
    """The last lines of a step's log; `page` is where the whole of it is."""
    return _said("logs", line, step=step, log=log, lines=lines, page=page, budget=LOG_BUDGET)


def diff(line: str, preview: Preview | None) -> str:
    """What a merge would change; None: that is not known yet."""
    reasons: list[str] = []
    already: list[str] = []
    if preview is not None:
        reasons = branch.merge_faults(preview.refused)
        already = branch.merge_faults(preview.already)
    return _said(
        "diff",
        line,
        preview=preview,
        most=MOST_PATHS,
        reasons=reasons[:MOST_REFUSALS],
        more_reasons=max(0, len(reasons) - MOST_REFUSALS),
        already=already,
    )


def explain(line: str, situation: Situation, orders: Sequence[Order] = (), told: str = "") -> str:
    """Why things are as they are; `told` is a sentence from outside that comes first, such as what
    keeps it waiting.
    """
    return _said(
        "explain",
        line,
        situation=steps.in_words(situation),
        states=STATES,
        orders=orders,
        told=told,
        most=MOST_REASONS,
    )


def already_running(line: str, commit: str) -> str:
    """There is nothing to run again yet."""
    return _said(
        "idle",
        line,
        told=f"The runs for {escape.code(commit[:7])} are still under way.",
        then="/mlops cancel",
    )


def nothing_to_retry(line: str, commit: str) -> str:
    """No run has failed; the check may have another reason."""
    return _said(
        "idle", line, told=f"No run has failed for {escape.code(commit[:7])}.", then="/mlops run"
    )


def nothing_to_run(line: str) -> str:
    """The change touches no project."""
    told = (
        "This pull request touches no project and brings nothing to the workspace, so there is "
        "nothing to run again."
    )
    return _said("idle", line, told=told, then="/mlops run all")


def nothing_to_cancel(line: str) -> str:
    """Nothing runs, nothing waits."""
    return _said(
        "idle", line, told="Nothing runs for this pull request, and nothing waits.", then=""
    )


def nothing_to_accept(line: str, check: str, failed: Sequence[str]) -> str:
    """An answer: no such check has failed; `failed` are those that have."""
    others = ""
    if failed:
        others = f" What has: {_listed(failed)}."
    return _said("idle", line, told=f"{escape.code(check)} has not failed.{others}", then="")


def unknown_project(line: str, name: str, known: Sequence[str]) -> str:
    """There is no project or step of that name; `known` are those there are."""
    there = "There are none."
    if known:
        there = f"There are {_listed(known)}."
    return _said(
        "idle", line, told=f"{escape.code(name)} is none of the projects here. {there}", then=""
    )


def not_a_fork(line: str) -> str:
    """The code is not a fork's."""
    return _said(
        "idle",
        line,
        told="This pull request does not come from a fork; its code runs anyway.",
        then="",
    )


def closed(line: str) -> str:
    """The pull request is closed."""
    return _said(
        "idle", line, told="This pull request is closed; nothing is run for it any more.", then=""
    )


def older(line: str, newest: str) -> str:
    """An answer: the command was given for a commit that is not the newest any more."""
    told = f"That was said before {escape.code(newest[:7])} was pushed, which nobody had seen then."
    return _said("idle", line, told=f"{told} Say it again if it holds for that one too.", then="")


def unavailable(line: str) -> str:
    """The bot has no way to do that here."""
    return _said("idle", line, told="I cannot do that from a pull request yet.", then="/mlops help")


def plain(line: str, told: str) -> str:
    """What is known of no other form: `told` is ours, and escaped already."""
    return f"{sign(line)} {told.strip()}\n"


def _said(name: str, line: str, **values: object) -> str:
    return render(f"answer_{name}", sign=sign(line), **values)


def _listed(names: Sequence[str]) -> str:
    shown = [escape.code(name) for name in names[:20]]
    if len(names) > 20:
        shown.append(f"and {len(names) - 20} more")
    return ", ".join(shown)
