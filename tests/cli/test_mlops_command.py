"""`python -m bot mlops`: a command given from a terminal, as a comment of one's own."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pydantic import SecretStr

from bot.__main__ import main
from bot.cli import mlops
from bot.config.environment import ServedRepository
from bot.controllers.pull_request import answers
from bot.errors import ConfigError
from bot.rules.pull_request import commands
from bot.services.azure_client import Client
from bot.services.azure_devops import AzureDevOps
from sandbox.azure_devops import AzureDevOps as StandIn

ROOT = Path(__file__).parents[2]
BOT, ADA = "bot-token", "ada-token"


@pytest.fixture
def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    monkeypatch.setattr(mlops, "_PAUSE", 0.01)
    (tmp_path / "seed").mkdir()
    (tmp_path / "seed" / "README.md").write_text("# Models\n")
    with StandIn(tmp_path / "azure", bot_token=BOT, people={ADA: "Ada Bergström"}) as stand_in:
        stand_in.seed(tmp_path / "seed")
        stand_in.push("change", {"README.md": "# Better\n"}, "Better")
        stand_in.open_pull_request("change")
        for name, value in {
            "BOT_CONFIG": str(ROOT / "config" / "bot.yml"),
            "AZURE_DEVOPS_ORG_URL": stand_in.organization_url,
            "AZURE_DEVOPS_PROJECT": "ml",
            "AZURE_DEVOPS_REPOSITORY": "models",
            "AZURE_DEVOPS_PERSON_TOKEN": ADA,
        }.items():
            monkeypatch.setenv(name, value)
        yield stand_in


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["mlops", *words])


def answering(azure: StandIn, answer: str) -> threading.Thread:
    """The bot, which answers the first command it hears."""
    served = ServedRepository("contoso/ml/models", azure.organization_url, "ml", "models", "main")
    service = AzureDevOps(served, Client(azure.organization_url, (SecretStr(BOT),)))
    said = threading.Event()
    azure.observers.append(
        lambda call: said.set() if call.by != "Signalman" and call.method == "POST" else None
    )

    def listen() -> None:
        assert said.wait(20)
        (given,) = commands.open(service.discussion(1))
        answers.answer(service, 1, given, f"`{given.asked.line}` {answer}")

    thread = threading.Thread(target=listen)
    thread.start()
    return thread


def test_a_command_is_said_by_the_person_and_its_answer_printed(azure: StandIn) -> None:
    bot = answering(azure, "✅ for `a1b2c3d`: I run again what failed.")

    done = run("retry", "--pull-request", "1", "--limit", "20")
    bot.join()

    assert done.exit_code == 0, done.output
    assert done.output == "`/mlops retry` ✅ for `a1b2c3d`: I run again what failed.\n"
    (thread,) = azure.threads(1)
    assert thread["comments"][0]["author"]["displayName"] == "Ada Bergström"


def test_a_command_that_is_not_waited_for_is_told_with_where_it_stands(azure: StandIn) -> None:
    done = run("override", "gate", "reason=the old test set", "--pull-request", "1", "--no-wait")

    (thread,) = azure.threads(1)
    assert done.output.strip().endswith(f"/pullrequest/1?discussionId={thread['id']}")
    assert thread["comments"][0]["content"] == '/mlops override gate reason="the old test set"'


def test_an_answer_that_does_not_come_is_told_with_where_it_will_be(azure: StandIn) -> None:
    done = run("retry", "--pull-request", "1", "--limit", "1")

    assert done.exit_code == 1
    assert "There was no answer within 1 s" in done.output
    assert "discussionId=" in done.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("override", "gate"), "needs a reason"),
        (("status", "prd"), "Did you mean /mlops status prod?"),
        (("cancel", "all"), "too much"),
        (("rerty",), "No such command 'rerty'"),
    ],
)
def test_a_mistake_is_told_before_anything_is_said(
    azure: StandIn, words: tuple[str, ...], told: str
) -> None:
    done = run(*words, "--pull-request", "1")

    assert done.exit_code != 0
    assert told in done.output
    assert azure.threads(1) == []


def test_the_bot_is_not_made_to_speak_to_itself(
    azure: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = ServedRepository("contoso/ml/models", azure.organization_url, "ml", "models", "main")
    AzureDevOps(served, Client(azure.organization_url, (SecretStr(BOT),))).open_thread(
        1, "the report", "closed"
    )
    monkeypatch.setenv("AZURE_DEVOPS_PERSON_TOKEN", BOT)

    done = run("retry", "--pull-request", "1")

    assert done.exit_code == 1
    assert "does not listen to itself" in done.output
    assert len(azure.threads(1)) == 1


def test_of_several_repositories_one_has_to_be_said(azure: StandIn, tmp_path: Path) -> None:
    file = tmp_path / "bot.yml"
    file.write_text(
        "repositories: [{project: ml, repository: models}, {project: ml, repository: other}]\n"
    )
    environ = {"BOT_CONFIG": str(file), "AZURE_DEVOPS_ORG_URL": azure.organization_url}
    environ["AZURE_DEVOPS_PERSON_TOKEN"] = ADA

    with pytest.raises(ConfigError, match="contoso/ml/models, contoso/ml/other"):
        mlops.say("/mlops retry", 1, None, 0.0, environ)
    assert "discussionId" in mlops.say("/mlops retry", 1, "models", 0.0, environ)
    assert "discussionId" in mlops.say("/mlops retry", 1, "contoso/ml/models", 0.0, environ)


@pytest.mark.parametrize("line", [line for verb in commands.VERBS for line in verb.examples])
def test_every_example_can_be_given_from_a_terminal(line: str) -> None:
    found = commands.read(line)
    assert isinstance(found, commands.Asked)
    words = [found.argument] if found.argument else []
    words += [str(found.lines)] if found.lines != commands.FEW_LINES else []
    words += [found.job] if found.job else []
    words += [f"reason={found.reason}"] if found.reason else []

    assert mlops.composed(found.verb.name, words) == line


@pytest.mark.parametrize("reason", ['she said "no"', "a\\b", "it's", "x = y", "ünlike"])
def test_what_is_hard_to_quote_is_quoted(reason: str) -> None:
    found = commands.read(mlops.composed("override", ["My Project", f"reason={reason}"]))

    assert isinstance(found, commands.Asked)
    assert (found.argument, found.reason) == ("My Project", reason)


def test_help_is_given_without_any_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_DEVOPS_ORG_URL", raising=False)
    done = run("help")

    assert done.exit_code == 0
    assert all(verb.line in done.output for verb in commands.VERBS)
    assert set(mlops.subcommands()) == {verb.name for verb in commands.VERBS}


def test_the_document_of_the_commands_is_that_of_the_program() -> None:
    written = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")

    assert written == mlops.document(), "run: make commands"
