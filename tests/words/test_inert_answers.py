"""Nothing from outside is live in an answer, and no answer is too long to be posted."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from example_reports import HEAD, NOW, WORKSPACE, run_of
from hypothesis import given, settings
from hypothesis import strategies as st
from rendered import rendered
from test_escape import HOSTILE

from bot.config.repository import Metric, Project
from bot.facts.branch import Edited, JobTouched, Live, LiveStatus, Preview, RolledBack, Synced
from bot.facts.discussion import Mistake, Order, Team
from bot.facts.pull_request import QueuePosition, Situation, Step
from bot.facts.quality_gate import Judgement
from bot.facts.runs import RunFault
from bot.rules.pull_request import commands
from bot.words import answers
from tests.examples import percent


def standing(o: str) -> LiveStatus:
    """What is live, all of it from outside."""
    jobs = (Live(o, o, o, o, NOW), Live(o, problem=o))
    return LiveStatus(
        o, o, Synced(o, 1, NOW, o), True, 3, {o: o}, RolledBack(o, o, o, NOW, 1, o), jobs
    )


MARK = "ж"
TEXTS = st.lists(st.sampled_from(HOSTILE), max_size=8).map(
    lambda parts: MARK + "".join(parts) + MARK
)
LONGEST = 150_000


def named(text: str) -> Project:
    return Project(
        path=f"projects/{re.sub(r'[/0]', '_', text)}".replace("\\", "_").replace("\0", "")
    )


def order(text: str) -> Order:
    return Order("override", HEAD.commit, text, NOW, text, text)


def situation(text: str) -> Situation:
    judgement = Judgement(Metric(name=text), None, verdict="missing")
    run = run_of(named(text), 60.0, run_page=f"{WORKSPACE}/#job/1", log=text)
    step = Step(
        named(text),
        "failed",
        run,
        RunFault("reported", text),
        judgements=(judgement,),
        accepted=order(text),
    )
    return Situation(
        replace(HEAD, title=text),
        (step,),
        NOW,
        queue_position=QueuePosition(0, 1, 2, 3),
        cancelled=order(text),
    )


def asked(text: str) -> str:
    return commands.line(f"/mlops {text}")


def mistaken(text: str) -> str:
    found = commands.read(f"/mlops {text}")
    if not isinstance(found, Mistake):
        return "`/mlops` ?"
    return answers.mistake(found)


SAYINGS: dict[str, Callable[[str], str]] = {
    "accepted": lambda o: answers.accepted(asked(o), "override", HEAD.commit, o, o),
    "refused": lambda o: answers.refused(
        asked(o), commands.refusal(commands.VERBS[6], "me", "you", (Team(o), Team(o, known=False)))
    ),
    "mistake": mistaken,
    "mistaken argument": lambda o: mistaken(f"status {o}"),
    "mistaken quotes": lambda o: mistaken(f'override gate reason="{o}'),
    "help": lambda o: answers.help_(asked(o), commands.rows({"model owner": (o,)})),
    "status": lambda o: answers.status(asked(o), situation(o)),
    "live": lambda o: answers.live(
        asked(o),
        LiveStatus(
            o,
            o,
            Synced(o, 1, NOW, o),
            True,
            3,
            {o: o},
            RolledBack(o, o, o, NOW, 1, o),
            (Live(o, o, o, o, NOW), Live(o, problem=o)),
            Edited((o, o), (o,), NOW),
        ),
    ),
    "logs": lambda o: answers.logs(asked(o), o, o, 20),
    "diff": lambda o: answers.diff(
        asked(o), Preview((o,), (o,), (o,), (JobTouched(o, created=True, schedule=o),))
    ),
    "refused merge": lambda o: answers.diff(
        asked(o), Preview((o,), refused=(o, o), problem=o, already=(o,))
    ),
    "problem": lambda o: answers.diff(asked(o), Preview(problem=o)),
    "explain": lambda o: answers.explain(asked(o), situation(o), (order(o),), o),
    "unknown project": lambda o: answers.unknown_project(asked(o), o, [o, o]),
    "nothing to accept": lambda o: answers.nothing_to_accept(asked(o), o, [o, o]),
}


@settings(max_examples=percent(60))
@given(TEXTS)
@pytest.mark.parametrize("saying", SAYINGS)
def test_what_comes_from_outside_is_shown_as_code_only(saying: str, text: str) -> None:
    said = SAYINGS[saying](text)
    seen = rendered(said)

    assert MARK not in seen.live + "".join(seen.html)
    assert not re.search(r"[@$|`]|[#!]\d|https?:", seen.live)
    assert all(link.startswith(WORKSPACE) for link in seen.links)
    assert not seen.html
    assert not set(said) & set("\x1b\0\x08\x9b\u202e\u200f\u200b\ufeff\ud800\r")


@settings(max_examples=percent(60))
@given(TEXTS)
def test_every_table_of_an_answer_keeps_its_columns(text: str) -> None:
    assert set(rendered(SAYINGS["help"](text)).rows) == {3}
    assert set(rendered(SAYINGS["status"](text)).rows) == {4}
    assert set(rendered(SAYINGS["live"](text)).rows) == {5}


@pytest.mark.parametrize("letter", ["x", "`", "|"])
def test_an_answer_is_short_enough_to_be_posted(letter: str) -> None:
    long = letter * 10_000
    paths = (long,) * 200
    found = situation(long)
    judged = replace(found.steps[0], judgements=found.steps[0].judgements * 1000)

    for said in (
        answers.logs("/mlops logs x 200", long, f"{long}\n" * 500, 200),
        answers.diff(
            "/mlops diff", Preview(paths, paths, paths, (JobTouched(long, created=True),) * 1000)
        ),
        answers.diff("/mlops diff", Preview(refused=tuple(paths))),
        answers.explain(
            "/mlops explain", replace(found, steps=(judged,)), (order(long),) * 1000, long
        ),
        answers.unknown_project("/mlops run x", long, paths),
    ):
        assert len(said) <= LONGEST
