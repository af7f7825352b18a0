"""What is a command and what is only talk, who may give it, and which were answered."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.facts.discussion import Comment, Discussion, Mistake, NotAllowed, Team
from bot.rules.pull_request import commands
from bot.rules.pull_request.commands import VERBS, Asked, Verb
from bot.words import answers

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ME, ADA, BO, KIM = "bot-id", "ada-id", "bo-id", "kim-id"
COMMIT = "a1b2c3d4e5f60718293a4b5c6d7e8f9001122334"
VERB = {verb.name: verb for verb in VERBS}
OVERRIDE = '/mlops override gate reason="the old test set had leaked"'
WRONG = Mistake("/mlops rerty", "unknown command", "rerty")


# -- reading


@pytest.mark.parametrize("line", [line for verb in VERBS for line in verb.examples])
def test_every_example_of_the_table_is_read_as_its_command(line: str) -> None:
    found = commands.read(line)

    assert isinstance(found, Asked)
    assert line.split()[1] == found.verb.name
    assert found.line == line


def test_the_table_has_no_command_twice_and_an_example_for_each() -> None:
    assert len({verb.name for verb in VERBS}) == len(VERBS)
    assert all(verb.examples and verb.purpose for verb in VERBS)


@pytest.mark.parametrize(
    ("content", "verb", "argument", "lines", "reason"),
    [
        ("/mlops run", "run", "", 20, ""),
        ("/MLOps RUN all", "run", "all", 20, ""),
        ("/mlops\u00a0retry  \r\nplease, it was the network", "retry", "", 20, ""),
        ("/mlops status PROD", "status", "prod", 20, ""),
        ("/mlops logs Training 50", "logs", "Training", 50, ""),
        ('/mlops logs "My Training"', "logs", "My Training", 20, ""),
        ("/mlops override gate reason=“it’s  fine”", "override", "gate", 20, "it’s fine"),
        (
            '/mlops override gate reason="they say “fine by us”"',
            "override",
            "gate",
            20,
            "they say “fine by us”",
        ),
        ("/mlops override reason=fine gate", "override", "gate", 20, "fine"),
        ('/mlops override Training reason="a=b"', "override", "Training", 20, "a=b"),
        ("/mlops rollback Model", "rollback", "model", 20, ""),
    ],
)
def test_a_command_is_read_with_what_it_is_about(
    content: str, verb: str, argument: str, lines: int, reason: str
) -> None:
    found = commands.read(content)

    assert isinstance(found, Asked)
    assert (found.verb.name, found.argument, found.lines, found.reason) == (
        verb,
        argument,
        lines,
        reason,
    )


@pytest.mark.parametrize(
    "content",
    [
        "",
        "Looks good to me",
        "Please say /mlops run",
        "> /mlops run",
        "```\n/mlops run\n```",
        "`/mlops run`",
        "    /mlops run",
        "\n/mlops run",
        " /mlops run",
        "- /mlops run",
        "/mlopsrun",
        "/mlops-run",
        "/mlop run",
        "mlops run",
    ],
)
def test_what_only_speaks_of_a_command_is_none(content: str) -> None:
    assert commands.read(content) is None


@pytest.mark.parametrize(
    ("content", "told", "meant"),
    [
        ("/mlops rerty", "not a command", "/mlops retry"),
        ("/mlops Statsu", "not a command", "/mlops status"),
        ("/mlops deploy", "not a command", ""),
        ("/mlops status prd", "is not what", "/mlops status prod"),
        ("/mlops status staging", "is not what", ""),
        ("/mlops cancel everything", "too much", "/mlops cancel"),
        ("/mlops run a b", "too much", "/mlops run a"),
        ("/mlops run $(rm) b", "too much", ""),
        ("/mlops logs Training 0", "not a number of lines", ""),
        ("/mlops logs Training 201", "not a number of lines", ""),
        ("/mlops logs Training ²", "not a number of lines", ""),
        ("/mlops logs", "how it is written", ""),
        ("/mlops rollback", "how it is written", ""),
        ("/mlops rollback sync x", "too much", "/mlops rollback sync"),
        ("/mlops rollback SYNC x y", "too much", "/mlops rollback SYNC"),
        ("/mlops rollback model a b", "too much", "/mlops rollback model a"),
        ("/mlops confirm sync now", "too much", "/mlops confirm sync"),
        ("/mlops override gate", "needs a reason", ""),
        ("/mlops override gate reason=", "needs a reason", ""),
        ('/mlops override gate reason="half', "not closed", ""),
        ("/mlops override gate reason=it's", "not closed", ""),
        ("/mlops", "What should I do", ""),
        ("/mlops run " + "x" * 300, "at most 300 characters", ""),
    ],
)
def test_a_mistake_is_told_with_at_most_one_command_that_may_have_been_meant(
    content: str, told: str, meant: str
) -> None:
    found = commands.read(content)

    assert isinstance(found, Mistake)
    assert told in answers.mistaken(found)
    assert found.meant == meant
    answer = answers.mistake(found)
    assert answer.count("Did you mean") == bool(meant)


@given(st.text())
@example("/mlops \\")
@example("/mlops override gate reason='\\")
@example("/mlops \x00\ud800")
def test_reading_never_fails_whatever_was_written(text: str) -> None:
    for content in (text, f"/mlops{text}", f"/mlops {text}", f"/mlops override gate reason={text}"):
        found = commands.read(content)
        if isinstance(found, Asked | Mistake):
            assert found.line == commands.line(content)
            assert answers.is_for(f"{answers.sign(found.line)} ", found.line)


@given(st.text().filter(lambda text: not text[:6].casefold().startswith("/mlops")))
def test_prose_is_never_a_command(text: str) -> None:
    assert commands.read(text) is None


@given(
    st.sampled_from(VERBS),
    st.sampled_from(["> ", "    ", "`", "\n", "```\n", "Please: ", "* ", "1. ", "<b>"]),
)
def test_a_command_that_does_not_stand_at_the_very_beginning_is_none(
    verb: Verb, before: str
) -> None:
    assert commands.read(before + verb.examples[0]) is None


@given(st.text(max_size=200), st.text(max_size=200))
def test_the_answer_to_one_command_is_none_to_another(one: str, other: str) -> None:
    first, second = commands.line(f"/mlops {one}"), commands.line(f"/mlops {other}")

    assert answers.is_for(
        answers.refused(first, NotAllowed("creator unknown", "model owner")), second
    ) is (first == second)


# -- help


def test_help_lists_every_command_and_who_may_give_it() -> None:
    teams = {"contributor": (), "model owner": ("ML leads",), "release manager": ()}
    text = answers.help_("/mlops help", commands.rows(teams))  # type: ignore[arg-type]

    rows = [line for line in text.splitlines() if line.startswith("| `/mlops")]
    assert len(rows) == len(VERBS)
    for verb, row in zip(VERBS, rows, strict=True):
        assert f"/mlops {verb.name}" in row
        assert ("anyone" if verb.right == "anyone" else f"{verb.right}s") in row
    assert "`ML leads`" in text
    assert "release managers (nobody yet)" in text


# -- rights


LEADS = (Team("ML leads", frozenset({KIM})),)


def refusal(verb: Verb, who: str, creator: str, teams: tuple[Team, ...]) -> str:
    """Why somebody may not give a command, as people read it."""
    why = commands.refusal(verb, who, creator, teams)
    assert why is not None
    return answers.not_allowed(why)


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb.right == "anyone"])
def test_anyone_may_ask(verb: Verb) -> None:
    assert commands.refusal(verb, BO, BO, ()) is None


@pytest.mark.parametrize(
    "verb", [verb for verb in VERBS if verb.right == "contributor" and verb.name != "ok-to-test"]
)
def test_without_a_team_whoever_may_comment_is_a_contributor(verb: Verb) -> None:
    assert commands.refusal(verb, BO, ADA, ()) is None
    assert commands.refusal(verb, KIM, ADA, LEADS) is None
    assert "`ML leads`" in refusal(verb, BO, ADA, LEADS)


def test_without_a_team_nobody_vouches_for_the_code_of_a_fork() -> None:
    verb = VERB["ok-to-test"]

    assert "`commands.contributors`" in refusal(verb, BO, ADA, ())
    assert "`ML leads`" in refusal(verb, BO, ADA, LEADS)
    assert commands.refusal(verb, KIM, ADA, LEADS) is None


@pytest.mark.parametrize(
    "verb", [verb for verb in VERBS if verb.right in ("model owner", "release manager")]
)
def test_without_a_team_nobody_owns_models_or_manages_releases(verb: Verb) -> None:
    told = refusal(verb, KIM, ADA, ())

    assert f"{verb.right}s" in told
    assert f"`commands.{commands.SETTINGS[verb.right]}`" in told
    assert commands.refusal(verb, KIM, ADA, LEADS) is None
    assert commands.refusal(verb, BO, ADA, LEADS) is not None


@pytest.mark.parametrize(("name", "may_be_allowed"), [("override", True), ("ok-to-test", False)])
def test_nobody_judges_their_own_pull_request(name: str, may_be_allowed: bool) -> None:
    assert "somebody else" in refusal(VERB[name], KIM, KIM, LEADS)
    assert (commands.refusal(VERB[name], KIM, KIM, LEADS, own=True) is None) is may_be_allowed
    assert commands.refusal(VERB[name], KIM, ADA, LEADS) is None
    assert "not known" in refusal(VERB[name], KIM, "", LEADS)


def test_a_team_that_does_not_exist_gives_nobody_a_right() -> None:
    told = refusal(VERB["override"], KIM, ADA, (Team("ML laeds", known=False),))

    assert "`ML laeds` (which Azure DevOps does not have)" in told


# -- which were answered


def said(
    number: int,
    content: str,
    author: str = ADA,
    *,
    parent: int = 0,
    thread: int = 7,
    **more: object,
) -> Comment:
    moment = NOW + timedelta(minutes=number)
    unique = "Build\\4711" if author == "build" else f"{author}@contoso.example"
    comment = Comment(
        thread, number, author, author.upper(), unique, content, moment, moment, parent, number == 1
    )
    return replace(comment, **more)  # type: ignore[arg-type]


def discussion(*comments: Comment) -> Discussion:
    return Discussion(ME, comments=comments)


def lines(*comments: Comment) -> list[str]:
    return [one.asked.line for one in commands.open(discussion(*comments))]


def test_a_command_is_open_until_the_bot_has_answered_it() -> None:
    retry = said(1, "/mlops retry")

    assert lines(retry) == ["/mlops retry"]
    assert (
        lines(retry, said(2, answers.accepted("/mlops retry", "retry", COMMIT), ME, parent=1)) == []
    )


def test_a_mistake_is_answered_once_too() -> None:
    assert lines(said(1, "/mlops rerty")) == ["/mlops rerty"]
    assert lines(said(1, "/mlops rerty"), said(2, answers.mistake(WRONG), ME, parent=1)) == []


def test_an_edit_is_a_new_command_only_when_the_command_reads_otherwise() -> None:
    answer = said(2, answers.accepted("/mlops run", "run", COMMIT), ME, parent=1)

    assert lines(said(1, "/mlops run\nfor the second time"), answer) == []
    assert lines(said(1, "/mlops run all"), answer) == ["/mlops run all"]
    assert lines(said(1, "never mind"), answer) == []


def test_only_the_bots_own_word_is_an_answer() -> None:
    forged = said(2, answers.accepted("/mlops run", "run", COMMIT), BO, parent=1)

    assert lines(said(1, "/mlops run"), forged) == ["/mlops run"]


def test_who_says_the_same_twice_is_answered_twice() -> None:
    answer = said(2, answers.accepted("/mlops run", "run", COMMIT), ME, parent=1)

    assert lines(said(1, "/mlops run"), answer, said(3, "/mlops run", parent=1)) == ["/mlops run"]
    assert lines(said(1, "/mlops run"), said(1, "/mlops run", thread=8)) == [
        "/mlops run",
        "/mlops run",
    ]


def test_an_answer_is_known_also_when_the_service_forgets_what_it_answered() -> None:
    first = said(1, "What of this?")
    answer = said(3, answers.accepted("/mlops run", "run", COMMIT), ME, parent=1)
    again = replace(answer, id=5)

    assert lines(first, said(2, "/mlops run", parent=1), answer) == []
    assert lines(first, said(2, "/mlops run"), answer, said(4, "/mlops run")) == ["/mlops run"]
    assert lines(first, said(2, "/mlops run"), answer, said(4, "/mlops run"), again) == []


def test_an_answer_that_somebody_deleted_is_not_given_again() -> None:
    assert lines(said(1, "/mlops rollback model"), said(2, "", ME, parent=1, deleted=True)) == []


def test_the_bot_builds_and_deleted_comments_give_no_commands() -> None:
    assert lines(said(1, "/mlops run", ME)) == []
    assert lines(said(1, "/mlops run", "build")) == []
    assert lines(said(1, "", deleted=True)) == []


def test_commands_come_in_the_order_they_were_given() -> None:
    early, late = said(3, "/mlops run", thread=9), said(4, "/mlops cancel", thread=8)

    assert lines(late, early) == ["/mlops run", "/mlops cancel"]


# -- which orders hold


def accepted(line: str, commit: str = COMMIT) -> str:
    asked = commands.read(line)
    assert isinstance(asked, Asked)
    return answers.accepted(line, asked.verb.name, commit, asked.argument, asked.reason)


def test_orders_are_read_back_from_what_the_bot_accepted() -> None:
    found = commands.orders(
        discussion(
            said(1, "/mlops run all", BO),
            said(2, accepted("/mlops run all"), ME, parent=1),
            said(3, OVERRIDE, KIM, parent=1),
            said(4, accepted(OVERRIDE), ME, parent=3),
        ),
        COMMIT,
    )

    assert [(one.verb, one.argument, one.reason, one.by) for one in found] == [
        ("run", "all", "", "BO-ID"),
        ("override", "gate", "the old test set had leaked", "KIM-ID"),
    ]
    assert [one.commit for one in found] == [COMMIT, COMMIT]
    assert found[0].at < found[1].at


@pytest.mark.parametrize("line", [line for name in commands.ORDERS for line in VERB[name].examples])
def test_every_order_is_found_again_for_its_commit_and_for_no_other(line: str) -> None:
    talk = discussion(said(1, line, KIM), said(2, accepted(line), ME, parent=1))

    (order,) = commands.orders(talk, COMMIT)
    asked = commands.read(line)
    assert isinstance(asked, Asked)
    assert (order.verb, order.argument, order.reason) == (
        asked.verb.name,
        asked.argument,
        asked.reason,
    )
    assert commands.orders(talk, "f" * 40) == ()


@pytest.mark.parametrize("line", [OVERRIDE, "/mlops ok-to-test", "/mlops confirm sync"])
def test_a_commit_that_begins_like_another_inherits_no_judgement(line: str) -> None:
    twin = COMMIT[:12] + "0" * 28
    talk = discussion(said(1, line, KIM), said(2, accepted(line), ME, parent=1))

    assert len(commands.orders(talk, COMMIT)) == 1
    assert commands.orders(talk, twin) == ()


def test_an_order_outlives_the_edit_of_its_comment() -> None:
    for now in ("/mlops override other reason=none", "never mind", ""):
        talk = discussion(
            said(1, now, KIM, deleted=not now), said(2, accepted(OVERRIDE), ME, parent=1)
        )
        (order,) = commands.orders(talk, COMMIT)
        assert (order.argument, order.by) == ("gate", "KIM-ID")


def test_nobody_but_the_bot_accepts_an_order() -> None:
    assert (
        commands.orders(
            discussion(said(1, OVERRIDE), said(2, accepted(OVERRIDE), BO, parent=1)), COMMIT
        )
        == ()
    )


@given(st.text(max_size=150))
@example(f"` ✅ for `{COMMIT}`: ")
@example(f"`` ✅ for `{COMMIT}`: ")
@example(f"gate` ✅ for `{COMMIT}")
def test_a_refused_command_is_never_an_order_however_it_is_written(text: str) -> None:
    for line in (
        commands.line(f"/mlops {text}"),
        commands.line(f"/mlops override gate reason={text}"),
    ):
        for answer in (
            answers.refused(line, NotAllowed("creator unknown", "model owner")),
            answers.mistake(Mistake(line, "unknown command", text)),
            answers.closed(line),
        ):
            assert (
                commands.orders(discussion(said(1, line), said(2, answer, ME, parent=1)), COMMIT)
                == ()
            )


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=150))
def test_a_reason_is_read_back_as_it_was_understood(text: str) -> None:
    line = commands.line("/mlops override gate reason=" + text)
    asked = commands.read(line)
    if isinstance(asked, Asked):
        talk = discussion(said(1, line, KIM), said(2, accepted(line), ME, parent=1))
        assert [one.reason for one in commands.orders(talk, COMMIT)] == [asked.reason]


def test_no_right_is_spelled_as_a_setting_is_not() -> None:
    from bot.config.deployment import Commands

    assert set(commands.SETTINGS.values()) <= set(Commands.model_fields)
    assert all(re.fullmatch(r"[a-z_]+", name) for name in commands.SETTINGS.values())


def test_a_rollback_may_name_the_job() -> None:
    found = commands.read('/mlops rollback model "nightly scoring"')

    assert isinstance(found, Asked)
    assert (found.argument, found.job) == ("model", "nightly scoring")
