"""What people read, word for word: one file per state in `said/` (see `wording.py` for how to
accept a change).
"""

import re
from dataclasses import replace

import pytest
from example_answers import ANSWERS
from example_drifts import DRIFTS
from example_reports import (
    HEAD,
    PAGES,
    REPLIES,
    REPORTS,
    STATUS_LINES,
    STATUS_STEPS,
    failed,
    situation,
)
from rendered import rendered
from wording import SAID, agreed

from bot.words import report

TEXTS = {**REPORTS, **REPLIES, **ANSWERS, **DRIFTS}


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_reads_as_agreed(name: str) -> None:
    agreed(name, REPORTS[name]())


@pytest.mark.parametrize("name", REPLIES)
def test_a_reply_reads_as_agreed(name: str) -> None:
    agreed(name, REPLIES[name]())


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_reads_as_agreed(name: str) -> None:
    agreed(name, ANSWERS[name]())


@pytest.mark.parametrize("name", DRIFTS)
def test_what_is_said_of_an_edit_reads_as_agreed(name: str) -> None:
    agreed(name, DRIFTS[name]())


def test_the_lines_beside_the_status_read_as_agreed() -> None:
    agreed("status_lines", "".join(f"- {name}: {line()}\n" for name, line in STATUS_LINES.items()))


def test_the_lines_beside_the_status_of_each_step_read_as_agreed() -> None:
    told = ((name, *step) for name, steps in STATUS_STEPS.items() for step in steps())

    agreed(
        "status_steps",
        "".join(f"- {name}: {step} is {state}: {line}\n" for name, step, state, line in told),
    )


def test_no_agreed_text_is_left_over() -> None:
    assert {file.stem for file in SAID.iterdir()} == {*TEXTS, "status_lines", "status_steps"}


@pytest.mark.parametrize("name", REPORTS)
def test_the_first_line_of_a_report_is_its_verdict_and_its_commit(name: str) -> None:
    first = REPORTS[name]().splitlines()[0]

    assert first.startswith("### ")
    assert "`a1b2c3d`" in first


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_ends_in_one_newline_and_no_line_in_spaces(name: str) -> None:
    text = TEXTS[name]()

    assert text == text.strip() + "\n"
    assert not re.search(r"[ \t]+$", text, re.MULTILINE)


def test_no_report_has_a_gap_of_two_lines() -> None:
    assert [name for name, text in TEXTS.items() if "\n\n\n" in text()] == []


@pytest.mark.parametrize("name", TEXTS)
def test_every_link_is_absolute_and_no_line_is_broken_by_html(name: str) -> None:
    text = TEXTS[name]()

    assert all(link.startswith("https://") for link in rendered(text).links)
    assert "<br" not in text


def test_a_good_report_links_the_mlflow_run_and_the_run_page_of_each_project_and_the_model() -> (
    None
):
    links = rendered(REPORTS["passed"]()).links
    parts = (
        "#job/",
        "/experiments/",
        "/models/",
        f"{PAGES}/runs/",
        f"{PAGES}/pull-requests/",
        "attachments",
    )

    found = [next(place for place, part in enumerate(parts) if part in link) for link in links]
    assert found == [5, 5, 0, 1, 2, 3, 0, 1, 3, 4]


@pytest.mark.parametrize("name", ["failed", "failed_twice", "failed_second", "failed_timed_out"])
def test_a_log_is_folded_below_the_verdict_and_above_the_steps(name: str) -> None:
    text = REPORTS[name]()

    assert (
        text.index("**Next:**")
        < text.index("<details")
        < text.index("```text")
        < text.index("</details>")
    )
    assert text.index("</details>") < text.index("| Step |")


@pytest.mark.parametrize("line", STATUS_LINES)
def test_a_status_line_has_at_most_eighty_characters(line: str) -> None:
    assert 0 < len(STATUS_LINES[line]()) <= 80


# -- what reads badly today


def test_status_and_report_speak_of_a_missing_cluster_in_the_same_words() -> None:
    assert "could not be run" in STATUS_LINES["no cluster"]()


def test_a_run_that_was_cancelled_is_not_called_the_projects_failure() -> None:
    text = report.ended(situation(*failed("the run was cancelled", outcome="cancelled")))

    assert "It is the project that failed" not in text


@pytest.mark.parametrize("changed", [(), ("README.md",)])
def test_one_file_or_none_is_spoken_of_in_proper_words(changed: tuple[str, ...]) -> None:
    text = report.nothing_to_run(replace(situation(), head=replace(HEAD, changed=changed)))

    assert not re.search(r"None of the [01] changed files", text)


def test_a_project_that_crashed_before_logging_anything_has_no_table_of_metrics() -> None:
    assert "not logged" not in REPORTS["failed"]()
