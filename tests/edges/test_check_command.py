"""What `python -m bot check` says of the files of a checkout that a merge would write to the workspace."""

from pathlib import Path

import pytest

from bot.commands import check

CONFIG = "folders: [{from: hooks, to: /Shared/hooks}]\n"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("BOT_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    for folder in ("config", "hooks"):
        (tmp_path / folder).mkdir()
    (tmp_path / "config" / "bot.yml").write_text((Path(__file__).parents[2] / "config" / "bot.yml").read_text())
    (tmp_path / "config" / "mlops.yml").write_text(CONFIG)
    return tmp_path


def test_two_notebooks_that_would_be_one_object_are_a_mistake_in_whatever_language(checkout: Path) -> None:
    (checkout / "hooks" / "score.py").write_text("# Databricks notebook source\n")
    (checkout / "hooks" / "score.sql").write_text("-- Databricks notebook source\n")

    (mistake,) = check.mistakes(checkout)

    assert "hooks/score.py" in mistake
    assert "hooks/score.sql" in mistake


def test_a_notebook_and_a_file_of_the_same_stem_are_none(checkout: Path) -> None:
    (checkout / "hooks" / "score.py").write_text("# Databricks notebook source\n")
    (checkout / "hooks" / "score.sql").write_text("SELECT 1\n")

    assert list(check.mistakes(checkout)) == []


@pytest.mark.parametrize("where", ["nowhere.py", "/etc"])
def test_a_link_is_a_mistake_and_is_not_followed(checkout: Path, where: str) -> None:
    (checkout / "hooks" / "score.py").symlink_to(where)

    (mistake,) = check.mistakes(checkout)

    assert "hooks/score.py" in mistake
