"""What `python -m bot check` says of the files of a checkout that a merge would write to the
workspace.
"""

from pathlib import Path

import pytest

from bot.cli import check

ROOT = Path(__file__).parents[2]
CONFIG = "folders: [{from: hooks, to: /Shared/hooks}]\n"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("BOT_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    for folder in ("config", "hooks"):
        (tmp_path / folder).mkdir()
    (tmp_path / "config" / "bot.yml").write_text((ROOT / "config" / "bot.yml").read_text())
    (tmp_path / "config" / "mlops.yml").write_text(CONFIG)
    return tmp_path


def test_two_notebooks_that_would_be_one_object_are_a_mistake_in_whatever_language(
    checkout: Path,
) -> None:
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


def test_a_name_that_is_none_in_unity_catalog_is_a_mistake_there(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (checkout / "config" / "mlops.yml").write_text(
        "jobs:\n"
        "  - {name: nightly, notebook: /Shared/elsewhere/a, model: wine_model}\n"
        "  - {name: hourly, notebook: /Shared/elsewhere/a, model: prod.ml.wine_model}\n"
        "  - {name: weekly, notebook: /Shared/elsewhere/a, model: '*_model'}\n"
    )
    in_the_workspace = list(check.mistakes(checkout))

    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "databricks-uc")
    (mistake,) = check.mistakes(checkout)

    assert in_the_workspace == []
    assert mistake == (
        "config/mlops.yml: jobs[0].model is wine_model; MLFLOW_REGISTRY_URI is databricks-uc, and "
        "names in Unity "
        "Catalog have three parts, such as prod.ml.wine_model."
    )


def test_mistakes_in_job_definitions_are_told_each_in_a_line(checkout: Path) -> None:
    (checkout / "config" / "jobs").mkdir()
    (checkout / "config" / "jobs" / "a.yml").write_text(
        "resources: {jobs: {a: {name: a, taks: [], max_concurrent_runs: many}}}\n"
    )

    told = list(check.mistakes(checkout))

    assert [one.partition(" ")[2][:25] for one in told] == [
        "resources.jobs.a.taks is ",
        "resources.jobs.a.max_conc",
    ]


def test_a_job_that_runs_what_the_repository_does_not_hold_is_a_mistake(checkout: Path) -> None:
    (checkout / "config" / "jobs").mkdir()
    (checkout / "hooks" / "score.py").write_text("# Databricks notebook source\n")
    tasks = "[{task_key: t, notebook_task: {notebook_path: ../../hooks/%s.py}}]"
    for name in ("score", "train"):
        job = f"resources: {{jobs: {{{name}: {{name: {name}, tasks: {tasks % name}}}}}}}\n"
        (checkout / "config" / "jobs" / f"{name}.yml").write_text(job)

    (mistake,) = check.mistakes(checkout)

    assert mistake.startswith(
        "config/jobs/train.yml: task t of job train runs /Shared/hooks/train, but"
    )


def test_the_repositorys_own_files_have_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BOT_CONFIG", raising=False)

    assert list(check.mistakes(ROOT)) == []


def test_the_schemas_that_editors_use_are_those_of_the_program() -> None:
    generated = check.schemas()

    held = {
        file.name: file.read_text(encoding="utf-8")
        for file in (ROOT / "config" / "schema").iterdir()
    }

    assert held == generated, "run: make schema"
