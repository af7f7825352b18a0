"""A deployment may say things in its own words; a mistake in them is told at start, and never keeps
a report away.
"""

import logging
from pathlib import Path

import pytest
from example_reports import REPORTS

from bot import own_templates
from bot.config import environment
from bot.errors import ConfigError
from bot.words import template

BUILT_IN = Path(template.__file__).parent / "templates"


def written(folder: Path, name: str, text: str) -> Path:
    """A folder with this one template."""
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def refused(folder: Path) -> str:
    with pytest.raises(ConfigError) as mistake:
        own_templates.load(folder)
    return str(mistake.value).replace(str(folder), "templates")


def test_a_template_of_ones_own_replaces_the_built_in_one_of_its_name_and_no_other(
    tmp_path: Path,
) -> None:
    before = REPORTS["failed"]()

    own = own_templates.load(
        written(tmp_path, "fork.md.j2", "### Bonjour — {{ head.commit[:7] | code }}\n")
    )

    assert own.filled(REPORTS["fork"]()) == "### Bonjour — `a1b2c3d`\n"
    assert own.filled(REPORTS["failed"]()) == before


def test_a_template_of_ones_own_may_still_ask_for_the_place_in_the_queue(tmp_path: Path) -> None:
    text = "{% if s.place %}{{ s.place.ahead }} ahead of {{ s.place.waiting }}{% endif %}\n"
    own = own_templates.load(written(tmp_path, "queued.md.j2", text))

    assert own.filled(REPORTS["queued"]()).strip() == "1 ahead of 3"


def test_a_part_of_ones_own_is_used_by_the_built_in_templates(tmp_path: Path) -> None:
    parts = (
        (BUILT_IN / "parts.md.j2")
        .read_text(encoding="utf-8")
        .replace("`/mlops help`", "[Wiki](https://wiki.example)")
    )

    own = own_templates.load(written(tmp_path, "parts.md.j2", parts))

    assert "[Wiki](https://wiki.example) · [all runs]" in own.filled(REPORTS["passed"]())


def test_copies_of_all_built_in_templates_change_nothing(tmp_path: Path) -> None:
    before = {name: say() for name, say in REPORTS.items()}
    for file in BUILT_IN.iterdir():
        written(tmp_path, file.name, file.read_text(encoding="utf-8"))

    own = own_templates.load(tmp_path)

    assert {name: own.filled(say()) for name, say in REPORTS.items()} == before


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("fork.md.j2", "a\n{% if %}\n", "templates/fork.md.j2, line 2: Expected an expression, got "),  # noqa: E501 a table, or a text as it is sent
        ("fork.md.j2", "a\n\n{{ head | shout }}", "templates/fork.md.j2, line 3: No filter named 'shout'."),  # noqa: E501 a table, or a text as it is sent
        ("fork.md.j2", "a\n{{ haed.commit }}", "templates/fork.md.j2, line 2: there is no haed. It may be one of: "),  # noqa: E501 a table, or a text as it is sent
        ("forks.md.j2", "a", "templates/forks.md.j2 replaces no template. Its name may be one of: answer_accepted"),  # noqa: E501 a table, or a text as it is sent
        ("README", "a", "templates/README replaces no template."),
    ],
)  # fmt: skip
def test_a_mistake_is_told_at_start_with_file_and_line(
    tmp_path: Path, name: str, text: str, sentence: str
) -> None:
    assert refused(written(tmp_path, name, text)).startswith(sentence)


def test_a_template_that_is_no_text_is_told_too(tmp_path: Path) -> None:
    (tmp_path / "fork.md.j2").write_bytes(b"\xff\xfe")

    assert refused(tmp_path).startswith("templates/fork.md.j2 cannot be read: ")


def test_a_folder_that_is_not_there_is_told_too(tmp_path: Path) -> None:
    assert "is not a folder" in refused(tmp_path / "nowhere")


def test_what_an_editor_hides_there_is_passed_over(tmp_path: Path) -> None:
    own_templates.load(written(tmp_path, ".fork.md.j2.swp", "{% if %}"))


@pytest.mark.parametrize(
    "text",
    [
        "{{ head.no_such_thing }}",
        "{{ 1 / 0 }}",
        "{{ neighbour }}",
        "{{ head.__class__.__mro__ }}",
        "{{ head.commit.upper.__globals__ }}",
        "{% include 'nothing.md.j2' %}",
    ],
)
def test_a_template_that_fails_when_it_is_filled_gives_way_to_the_built_in_one(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = REPORTS["fork"]()
    own = own_templates.load(written(tmp_path, "fork.md.j2", text))

    with caplog.at_level(logging.WARNING, "bot.own_templates"):
        assert own.filled(REPORTS["fork"]()) == before
    assert "template name=fork" in caplog.text


@pytest.mark.slow
def test_the_folder_is_named_in_the_deployments_file_and_used_from_the_start_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bot import app  # which imports all services

    root = Path(__file__).parents[2]
    file = tmp_path / "bot.yml"
    file.write_text(
        (root / "config" / "bot.yml").read_text(encoding="utf-8")
        + f"\ntemplates: {tmp_path / 'words'}\n",
        encoding="utf-8",
    )
    (tmp_path / "words").mkdir()
    written(tmp_path / "words", "fork.md.j2", "### Bonjour\n")
    needed = {
        "AZURE_DEVOPS_ORG_URL": "https://dev.azure.com/contoso",
        "DATABRICKS_HOST": "https://adb-1.2.azuredatabricks.net",
    }
    secrets = (
        "AZURE_DEVOPS_WEBHOOK_USERNAME",
        "AZURE_DEVOPS_WEBHOOK_PASSWORD",
        "DATABRICKS_WEBHOOK_SECRET",
    )
    names = (
        "AZURE_DEVOPS_PROJECT",
        "AZURE_DEVOPS_REPOSITORY",
        "AZURE_DEVOPS_TOKEN",
        "MLFLOW_WEBHOOK_SECRET",
        *secrets,
    )
    environ = {
        **needed,
        **dict.fromkeys(names, "something"),
        "BOT_CONFIG": str(file),
        "SIGNALMAN_VAR": str(tmp_path),
    }
    monkeypatch.setattr(environment.os, "environ", environ)
    root_logger, bot_logger = logging.getLogger(), logging.getLogger("bot")
    before = (root_logger.handlers[:], root_logger.level, bot_logger.level)

    try:
        settings = app.prepare()
    finally:
        root_logger.handlers[:], level, bot_level = before
        root_logger.setLevel(level)
        bot_logger.setLevel(bot_level)

    services = app.services_of(settings)
    assert services.templates.filled(REPORTS["fork"]()) == "### Bonjour\n"


def test_a_text_of_ones_own_that_is_longer_than_a_comment_may_be_gives_way_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = "{% for _ in range(2000) %}" + "x" * 100 + "{% endfor %}"
    own = own_templates.load(written(tmp_path, "fork.md.j2", text))

    with caplog.at_level(logging.WARNING, "bot.own_templates"):
        assert own.filled(REPORTS["fork"]()) == REPORTS["fork"]()
    assert "longer than a comment may be" in caplog.text


def test_what_was_made_of_no_template_is_said_as_it_is(tmp_path: Path) -> None:
    own = own_templates.load(written(tmp_path, "fork.md.j2", "### Bonjour\n"))

    assert own.filled("somebody's own words") == "somebody's own words"
