"""A subject is written as a key and read back, whatever it is called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import subjects
from bot.subjects import Branch, Model, PullRequest, Retraining, Subject

NAMES = st.one_of(st.text(), st.text(st.sampled_from("a/%: #!\n\0é*_?&=+\u202e")))
NUMBERS = st.integers(0, 2**31)
SUBJECTS = st.one_of(
    st.builds(PullRequest, NAMES, NUMBERS),
    st.builds(Branch, NAMES),
    st.builds(Model, NAMES),
    st.builds(Retraining, NAMES, NUMBERS, NUMBERS, NUMBERS, NAMES),
)


@given(SUBJECTS)
def test_a_subject_is_read_back_as_it_was_written(subject: Subject) -> None:
    assert subjects.parse(subjects.key(subject)) == subject


@given(SUBJECTS, SUBJECTS)
def test_two_subjects_never_share_a_key(first: Subject, second: Subject) -> None:
    assert (subjects.key(first) == subjects.key(second)) == (first == second)


@given(SUBJECTS)
def test_a_key_is_one_line_of_plain_characters(subject: Subject) -> None:
    key = subjects.key(subject)

    assert key.isascii()
    assert key.isprintable()
    assert " " not in key


@pytest.mark.parametrize(
    ("subject", "key"),
    [
        (PullRequest("contoso/ml/wine", 42), "pull-request/contoso%2Fml%2Fwine/42"),
        (Branch("contoso/ml/wine"), "branch/contoso%2Fml%2Fwine"),
        (Model("*_model"), "model/%2A_model"),
        (
            Retraining("contoso/ml/wine", 42, 7, 1, "projects/wine"),
            "retraining/contoso%2Fml%2Fwine/42/7/1/projects%2Fwine",
        ),
        (Model("main.ml.wine"), "model/main.ml.wine"),
    ],
)
def test_a_key_stays_what_it_was_in_the_database(subject: Subject, key: str) -> None:
    assert subjects.key(subject) == key


@given(
    st.one_of(
        st.text(),
        st.sampled_from(["", "pull-request/a", "pull-request/a/b", "branch/a/b", "job/a", "model"]),
    )
)
def test_what_is_no_key_is_refused(text: str) -> None:
    try:
        found = subjects.parse(text)
    except ValueError:
        return
    assert subjects.parse(subjects.key(found)) == found
