"""Which workspace object a file of the branch becomes, and which files are refused."""

import pytest

from bot.config.repository import Folder
from bot.errors import ConfigError
from bot.facts.branch import SourceFile
from bot.rules.branch import sync

HOOKS = Folder.model_validate({"from": "mlflow_hooks", "to": "/Shared/hooks"})
PROJECTS = Folder.model_validate({"from": "projects", "to": "/Shared/projects"})
MEGABYTE = 1024 * 1024


def file(path: str, *, notebook: bool = False, size: int = 10, link: bool = False) -> SourceFile:
    return SourceFile(path, "0123", size, notebook=notebook, link=link)


@pytest.mark.parametrize(
    ("source", "path"),
    [
        (file("mlflow_hooks/score.py", notebook=True), "/Shared/hooks/score"),
        (file("mlflow_hooks/deep/er/score.ipynb", notebook=True), "/Shared/hooks/deep/er/score"),
        (file("mlflow_hooks/score.v2.py", notebook=True), "/Shared/hooks/score.v2"),
        (file("mlflow_hooks/columns.py"), "/Shared/hooks/columns.py"),
        (file("projects/wine/MLproject"), "/Shared/projects/wine/MLproject"),
        (file("projects/größe wine/x#1.csv"), "/Shared/projects/größe wine/x#1.csv"),
        (file("projects/big.bin", size=10 * MEGABYTE), "/Shared/projects/big.bin"),
    ],
)
def test_a_file_keeps_its_place_and_a_notebook_loses_its_extension(
    source: SourceFile, path: str
) -> None:
    assert sync.objects([HOOKS, PROJECTS], [source]) == {path: source}


@pytest.mark.parametrize(
    "path",
    [
        "README.md",
        "mlflow_hooks",
        "mlflow_hooks2/score.py",
        "old/mlflow_hooks/score.py",
        "mlflow_hooks/__pycache__/score.cpython-311.pyc",
        "projects/wine/.ipynb_checkpoints/x.ipynb",
        "projects/wine/mlruns/0/meta.yaml",
    ],
)
def test_what_is_not_in_a_mirrored_folder_or_left_over_by_a_tool_is_not_written(path: str) -> None:
    assert sync.objects([HOOKS, PROJECTS], [file(path)]) == {}


def test_a_folder_may_be_mirrored_to_two_places() -> None:
    twice = Folder.model_validate({"from": "mlflow_hooks", "to": "/Shared/copy"})

    assert list(sync.objects([HOOKS, twice], [file("mlflow_hooks/a")])) == [
        "/Shared/hooks/a",
        "/Shared/copy/a",
    ]


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (
            [
                file("mlflow_hooks/score.py", notebook=True),
                file("mlflow_hooks/score.ipynb", notebook=True),
            ],
            "mlflow_hooks/score.ipynb and mlflow_hooks/score.py would both become "
            "/Shared/hooks/score in the "
            "workspace; rename one of them.",
        ),
        (
            [file("mlflow_hooks/score"), file("mlflow_hooks/score.py", notebook=True)],
            "mlflow_hooks/score.py and mlflow_hooks/score would both become /Shared/hooks/score in "
            "the workspace; "
            "rename one of them.",
        ),
        (
            [file("projects/wine/data.csv"), file("projects/wine/Data.csv")],
            "projects/wine/data.csv and projects/wine/Data.csv would bring "
            "/Shared/projects/wine/data.csv and "
            "/Shared/projects/wine/Data.csv to the workspace: two names that differ by case only, "
            "which many see as "
            "one. Spell them alike, or rename one of them.",
        ),
        (
            [
                file("projects/wine/data.csv"),
                file("projects/Wine/other.csv"),
                file("projects/Wine/data.csv"),
            ],
            "projects/wine/data.csv and projects/Wine/other.csv would bring /Shared/projects/wine "
            "and "
            "/Shared/projects/Wine to the workspace: two names that differ by case only, which "
            "many see as one. Spell "
            "them alike, or rename one of them.",
        ),
        (
            [file("projects/wine/data", link=True)],
            "projects/wine/data is a symbolic link; links are never followed. Replace it by the "
            "file itself.",
        ),
        (
            [file("projects/big.bin", size=12 * MEGABYTE)],
            "projects/big.bin has 12,582,912 bytes; the workspace takes at most 10,485,760 (10 MB) "
            "per file.",
        ),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_in_a_sentence(
    files: list[SourceFile], sentence: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        sync.objects([HOOKS, PROJECTS], files)

    assert str(refused.value) == sentence


def test_all_that_is_wrong_is_told_at_once_but_not_without_end() -> None:
    links = [file(f"projects/{place}", link=True) for place in range(30)]

    with pytest.raises(ConfigError) as refused:
        sync.objects([PROJECTS], links)

    assert len(str(refused.value).splitlines()) == 21
    assert str(refused.value).endswith("and 10 more")


def test_two_folders_that_meet_in_the_workspace_do_not_overwrite_each_other() -> None:
    other = Folder.model_validate({"from": "notebooks", "to": "/Shared/hooks"})

    with pytest.raises(ConfigError, match="would both become /Shared/hooks/a"):
        sync.objects([HOOKS, other], [file("mlflow_hooks/a"), file("notebooks/a")])


def test_a_file_outside_the_mirrored_folders_is_never_refused() -> None:
    assert (
        sync.objects([HOOKS], [file("data/huge.bin", size=99 * MEGABYTE), file("link", link=True)])
        == {}
    )


def test_a_notebook_and_a_folder_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="/Shared/hooks/score"):
        sync.objects(
            [HOOKS],
            [file("mlflow_hooks/score.py", notebook=True), file("mlflow_hooks/score/lib.py")],
        )


def test_a_file_that_is_a_little_too_large_is_not_said_to_have_just_the_allowed_size() -> None:
    with pytest.raises(ConfigError) as refused:
        sync.objects([PROJECTS], [file("projects/big.bin", size=10 * MEGABYTE + 1)])

    assert "has 10.0 MB" not in str(refused.value)
