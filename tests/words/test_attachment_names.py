"""What attached pictures are called."""

from hypothesis import given
from hypothesis import strategies as st

from bot.words import attachment

COMMIT, RUN = "6e99ba5" + "0" * 33, "0123456789abcdef" * 2


def test_a_picture_is_named_after_project_commit_run_and_itself() -> None:
    name = attachment.picture(
        "projects/ExampleTrainingProject", COMMIT, RUN, "plots/predicted vs actual.png", b"x"
    )

    assert name.rpartition("-")[0] == "ExampleTrainingProject-6e99ba5-01234567-predicted_vs_actual"
    assert len(name.rpartition("-")[2]) == len("12345678.png")


def test_pictures_of_one_name_in_two_folders_or_with_other_content_are_told_apart() -> None:
    names = {
        attachment.picture("p", COMMIT, RUN, path, content)
        for path, content in [("a/x.png", b"1"), ("b/x.png", b"1"), ("a/x.png", b"2")]
    }

    assert len(names) == 3


@given(st.text(), st.text(), st.text(), st.text(), st.binary(max_size=5))
def test_a_name_is_harmless_whatever_it_is_made_of(
    project: str, commit: str, run: str, path: str, content: bytes
) -> None:
    name = attachment.picture(project, commit, run, path, content)

    stem, _, ending = name.rpartition(".")
    assert ending == "png"
    assert 0 < len(stem) <= 120
    assert all(letter.isascii() and (letter.isalnum() or letter in "-_") for letter in stem)
    assert name == attachment.picture(project, commit, run, path, content)
