"""`mlops`: give a command on a pull request from a terminal, as oneself, and wait for the
answer.
"""

import re
import time
from collections.abc import Mapping, Sequence

import click
from pydantic import SecretStr

from bot.config import environment
from bot.config.environment import PERSON, ServedRepository
from bot.errors import ConfigError, SignalmanError
from bot.facts.discussion import COMMAND, Mistake
from bot.rules.pull_request import commands
from bot.rules.pull_request.commands import VERBS, Verb
from bot.services.azure_client import Client
from bot.services.azure_devops import AzureDevOps
from bot.words import answers, escape

_PAUSE = 2.0
_DOCUMENT = """\
<!-- Written by `make commands` from the table in bot/rules/pull_request/commands.py. -->
# Commands on a pull request

A comment that begins with `/mlops` asks the bot for something. Only its first line is read, and
only when it stands at the very beginning: what is quoted, indented, in a code block or in the
middle of a sentence does nothing. The bot likes the comment when it has heard it, answers in the
same thread, and resolves the thread if the command opened it. To ask again, write a new comment; to
ask for something else, editing the comment will do.

| Command | What it does | Who may |
|---|---|---|
{rows}

Words with spaces go in quotation marks: `/mlops logs "My Training" 50`.

## Examples

```text
{examples}
```

## Who may

The teams of the Azure DevOps project that have each right are named in `config/bot.yml`, under
`commands`.

| Right | Setting | Where it names no team |
|---|---|---|
| contributor | `contributors` | whoever may comment, but nobody for `ok-to-test` |
| model owner | `model_owners` | nobody |
| release manager | `release_managers` | nobody |

Who is in a team is asked when a command is given, and believed for a minute. A group in a team is
not looked into: name people. What builds say is not listened to, nor what the bot says itself.
Whoever opened a pull request may not override its checks, unless `own: true` says so, and never let
the code of its fork run.

## From a terminal

```sh
export AZURE_DEVOPS_PERSON_TOKEN=…    # yours, not the bot's: what you say is said by you
python -m bot mlops retry --pull-request 42
```

writes the comment, waits for the answer and prints it. `python -m bot mlops help` needs no account.
"""


def document() -> str:
    """What docs/commands.md says."""
    rows = "\n".join(
        f"| {escape.cell(written)} | {purpose} | {who} |"
        for written, purpose, who in commands.rows()
    )
    return _DOCUMENT.format(
        rows=rows, examples="\n".join(line for verb in VERBS for line in verb.examples)
    )


def command_list() -> str:
    """Every command, for a terminal."""
    width = max(len(verb.line) for verb in VERBS)
    return "\n".join(
        f"{written:{width}}  {purpose}  [{who}]" for written, purpose, who in commands.rows()
    )


def composed(verb: str, words: Sequence[str]) -> str:
    """The command as it is written in a comment. Raises ConfigError with what is wrong with it."""
    line = commands.line(" ".join([COMMAND, verb, *(_quoted(word) for word in words)]))
    command = commands.read(line)
    if isinstance(command, Mistake):
        raise ConfigError(_sentence(command).replace("`", ""))
    return line


def _sentence(mistake: Mistake) -> str:
    word = ""
    if mistake.word:
        word = f'"{mistake.word}" '
    hint = ""
    if mistake.meant:
        hint = f" Did you mean {mistake.meant}?"
    elif mistake.like:
        hint = f" Like this: {mistake.like}"
    return f"{word}{answers.mistaken(mistake)}{hint}"


def say(
    line: str, number: int, key: str | None, wait: float, environ: Mapping[str, str] | None = None
) -> str:
    """Write a command on a pull request and give the bot's answer, or the comment's page when it is
    not waited for.

    Raises ConfigError, ServiceError, and SignalmanError when no answer comes in so many seconds.
    """
    person = environment.person(environ)
    served = _chosen(person.served, key)
    azure = AzureDevOps(
        served, Client(person.organization_url, (SecretStr(person.token.get_secret_value()),))
    )
    if azure.discussion(number).report is not None:
        raise ConfigError(
            f"{PERSON} belongs to the bot, whose report is on this pull request, and the bot does "
            "not listen to itself. Use a token of your own."
        )
    thread = azure.comment(number, line)
    page = f"{azure.page(number)}?discussionId={thread}"
    if not wait:
        return page
    deadline = time.monotonic() + wait
    while time.monotonic() < deadline:
        time.sleep(min(_PAUSE, wait))
        for comment in azure.discussion(number).comments:
            below = comment.thread == thread and not comment.first
            if below and answers.is_for(comment.content, line):
                return comment.content.strip()
    raise SignalmanError(f"There was no answer within {wait:.0f} s. It will be at {page}.")


def subcommands() -> dict[str, click.Command]:
    """A command of the terminal for each command of the table, by name, in its order."""
    who = {written: who for written, _, who in commands.rows()}
    subcommands = {}
    for verb in VERBS:
        if verb.name == "help":
            subcommands[verb.name] = _help()
        else:
            subcommands[verb.name] = _command(verb, who[verb.line])
    return subcommands


def _command(verb: Verb, who: str) -> click.Command:
    def run(
        words: tuple[str, ...], number: int, repository: str | None, wait: bool, limit: float
    ) -> None:
        line = composed(verb.name, words)
        if not wait:
            limit = 0.0
        click.echo(say(line, number, repository, limit))

    example = verb.examples[0].removeprefix(f"{COMMAND} ")
    return click.Command(
        verb.name,
        callback=run,
        params=[
            click.Argument(["words"], nargs=-1, metavar=verb.usage or "", required=verb.least > 0),
            click.Option(
                ["-p", "--pull-request", "number"],
                type=click.IntRange(min=1),
                required=True,
                help="Its number.",
            ),
            click.Option(
                ["--repository"],
                metavar="KEY",
                help="organization/project/repository, if several are.",
            ),
            click.Option(
                ["--wait/--no-wait"], default=True, help="Whether to wait for the answer."
            ),
            click.Option(
                ["--limit"], type=click.FloatRange(min=1), default=120.0, help="Seconds to wait."
            ),
        ],
        help=f"{verb.purpose[0].upper()}{verb.purpose[1:]}. For: {who}.",
        epilog=f"Example: python -m bot mlops {example} --pull-request 42",
    )


def _help() -> click.Command:
    def run(markdown: bool) -> None:
        if markdown:
            click.echo(document(), nl=False)
        else:
            click.echo(command_list())

    return click.Command(
        "help",
        callback=run,
        params=[click.Option(["--markdown"], is_flag=True, help="As docs/commands.md.")],
        help="List every command, and who may give it; offline.",
        epilog="Example: python -m bot mlops help",
    )


def _quoted(word: str) -> str:
    key, sign, value = word.partition("=")
    if sign and re.fullmatch(r"\w+", key):
        return f"{key}={_quoted(value)}"
    if re.fullmatch(r"[\w./:+@%-]+", word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _chosen(served: Sequence[ServedRepository], key: str | None) -> ServedRepository:
    if key is None and len(served) == 1:
        return served[0]
    matching = []
    if key is not None:
        matching = [repository for repository in served if key in _names(repository)]
    if len(matching) == 1:
        return matching[0]
    keys = ", ".join(repository.key for repository in served)
    raise ConfigError(f"Say which repository by --repository; it is one of {keys}.")


def _names(repository: ServedRepository) -> tuple[str, str]:
    return repository.key, repository.repository
