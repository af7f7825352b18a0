"""The commands of `python -m bot`. Each exits with 1 and one clear sentence when it fails."""

import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from bot.errors import SignalmanError

if TYPE_CHECKING:
    from bot.queue import Queue


class _Sentences(click.Group):
    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except SignalmanError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Sentences, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Signalman: a GitOps bot for machine learning on Azure DevOps and Databricks."""


@main.command(epilog="Example: python -m bot worker")
def worker() -> None:
    """Look at what is due, until it is told to stop. Any number may run against one database."""
    from bot import app

    app.worker(app.prepare()).run()


@main.command(epilog="Example: python -m bot testdrive --keep")
@click.option(
    "--keep", is_flag=True, help="Leave everything running afterwards, and print where to look."
)
def testdrive(keep: bool) -> None:
    """Play the whole story on this machine, without any account, and verify it."""
    try:
        from sandbox.testdrive import main as play
    except ModuleNotFoundError as missing:
        if missing.name != "sandbox":
            raise
        raise click.ClickException(
            "The test drive needs a checkout of Signalman's repository: its stand-ins are not "
            "installed with the bot. Clone it and say `make testdrive` there."
        ) from missing

    sys.exit(play(keep=keep))


@main.command(epilog="Example: python -m bot check")
@click.option("--write-schemas", is_flag=True, help="Also write the JSON Schemas that editors use.")
def check(write_schemas: bool) -> None:
    """Check both configuration files and the projects they name; offline, and without any
    secret.
    """
    from bot.cli import check as checking

    if write_schemas:
        for name, text in checking.schemas().items():
            Path("config/schema").mkdir(parents=True, exist_ok=True)
            Path("config/schema", name).write_text(text, encoding="utf-8")
    mistakes = list(checking.mistakes(Path.cwd()))
    if mistakes:
        raise click.ClickException("\n".join(mistakes))
    print(
        "config/bot.yml and config/mlops.yml are valid, and so is every project, notebook and "
        "cluster they name."
    )


@main.command(
    epilog="Example: python -m bot run ExampleTrainingProject -P data=toy --backend local"
)
@click.argument("project")
@click.option(
    "-P",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="A parameter other than configured.",
)
@click.option(
    "--backend",
    type=click.Choice(["databricks-jobs", "local"]),
    help="Where, if not as configured.",
)
def run(project: str, parameters: tuple[str, ...], backend: str | None) -> None:
    """Run a project of this checkout the way a pull request would, from a laptop."""
    from bot.cli import run as running

    given = {}
    for pair in parameters:
        name, sign, value = pair.partition("=")
        if not sign:
            raise click.ClickException(f"-P {pair} is not of the form NAME=VALUE.")
        given[name] = value
    if not running.run(Path.cwd(), project, given, backend, Console()):
        sys.exit(1)


@main.command(epilog="Example: python -m bot sync --dry-run")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
def sync(dry_run: bool) -> None:
    """Make the production workspace hold what the target branches hold."""
    from bot import app
    from bot.controllers.branch import controller as branch
    from bot.passes import Look
    from bot.rules.branch import sync as rule
    from bot.subjects import Branch

    settings = app.prepare()
    services = app.services_of(settings)
    for served in settings.served:
        subject = Branch(served.key)
        if not dry_run:
            outcome = branch.pass_over(subject, Look(subject, {}, news=False), services)
            print(f"{served.key}: {len(outcome.performed)} things done.")
            for line in outcome.performed:
                print(line)
            continue
        facts = branch.gather(services.repositories[served.key], services)
        lines: list[str] = []
        for order in rule.plan(facts):
            lines += branch.described(order)
        print(f"{served.key} at {facts.tip[:7]}: {len(lines)} things to do.")
        for line in lines:
            print(f"  {line}")


@main.command(
    epilog='Example: python -m bot accept diabetes_model 18 --reason "trained by hand, measured by '
    'Ben"'
)
@click.argument("model")
@click.argument("version")
@click.option("--reason", required=True, help="For those who read this later.")
@click.option(
    "--by",
    "who",
    default=getpass.getuser,
    help="Who accepts it; the user of this shell by default.",
)
def accept(model: str, version: str, reason: str, who: str) -> None:
    """Let scoring jobs score with a promoted version that was never validated, or whose signature
    does not fit.
    """
    from bot import app
    from bot.controllers.model import acceptance
    from bot.queue import Queue

    settings = app.prepare()
    queue = Queue(settings.database_url)
    queue.wake(
        acceptance.accept_version(model, version, who, reason, app.services_of(settings, queue))
    )
    print(f"{model} v{version} is accepted; the jobs that follow it are looked at now.")


@main.command(epilog="Example: python -m bot status")
def status() -> None:
    """Tell what is live: which commit the workspace holds, since when, and what its scoring jobs
    load.
    """
    from bot import app
    from bot.cli import live

    settings = app.prepare()
    services = app.services_of(settings)
    for repository in services.repositories.values():
        for line in live.status_lines(repository, services):
            click.echo(line)


@main.group(epilog="Example: python -m bot rollback sync")
def rollback() -> None:
    """Go back to what was live before: a scoring job's model version, or the commit in the
    workspace.
    """


@rollback.command("model", epilog="Example: python -m bot rollback model nightly-scoring")
@click.argument("job", default="")
@click.option(
    "--repository", metavar="KEY", help="organization/project/repository, if several are served."
)
def rollback_model(job: str, repository: str | None) -> None:
    """Let a scoring job go back to the model version that it scored with before."""
    from bot import app
    from bot.cli import live

    settings = app.prepare()
    click.echo(live.roll_back_model(job, repository, app.services_of(settings)))


@rollback.command("sync", epilog="Example: python -m bot rollback sync")
@click.option(
    "--repository", metavar="KEY", help="organization/project/repository, if several are served."
)
@click.option(
    "--by",
    "who",
    default=getpass.getuser,
    show_default="your user name",
    help="Who wants it.",
)
@click.option(
    "--limit",
    type=click.FloatRange(min=1),
    default=60.0,
    show_default=True,
    help="Seconds to wait for it.",
)
def rollback_sync(repository: str | None, who: str, limit: float) -> None:
    """Let the workspace hold again what it held before the newest commit, until the next merge.
    Needs a worker.
    """
    from bot import app
    from bot.cli import live
    from bot.queue import Queue

    settings = app.prepare()
    queue = Queue(settings.database_url)
    for line in live.take_back(who, repository, limit, queue, app.services_of(settings, queue)):
        click.echo(line)


@main.group(invoke_without_command=True, epilog="Example: python -m bot events --failed")
@click.option(
    "-n", "limit", default=20, show_default=True, type=click.IntRange(min=1), help="How many."
)
@click.option("--failed", is_flag=True, help="Only what is in trouble now.")
@click.pass_context
def events(ctx: click.Context, limit: int, failed: bool) -> None:
    """List the deliveries that were accepted, newest first, and what became of them."""
    if ctx.invoked_subcommand is None:
        from bot.cli import events as telling

        for line in telling.listed(_queue(), limit, failed=failed):
            click.echo(line)


@events.command(epilog="Example: python -m bot events show azure-3aa7673b-12")
@click.argument("key")
def show(key: str) -> None:
    """Tell each pass and each action that a delivery led to; KEY may also be a subject."""
    from bot.cli import events as telling

    for line in telling.shown(_queue(), key):
        click.echo(line)


@main.command(epilog="Example: python -m bot replay azure-3aa7673b-12")
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@click.option(
    "--all-open", "unanswered", is_flag=True, help="Everything that waits for an answer, or fails."
)
def replay(keys: tuple[str, ...], unanswered: bool) -> None:
    """Look again, now, at what a delivery spoke of; KEY may also be a subject. Workers may run
    meanwhile.
    """
    from bot.cli import events as telling

    if not keys and not unanswered:
        raise click.UsageError("Name a delivery or a subject, or say --all-open.")
    for line in telling.replay(_queue(), keys, unanswered=unanswered):
        click.echo(line)


class _Mlops(click.Group):
    """Made when it is asked for: the other commands do without the table."""

    def list_commands(self, _: click.Context) -> list[str]:
        return list(self._found())

    def get_command(self, _: click.Context, cmd_name: str) -> click.Command | None:
        return self._found().get(cmd_name)

    def _found(self) -> dict[str, click.Command]:
        from bot.cli import mlops as saying

        return saying.subcommands()


@main.group(cls=_Mlops, epilog="Example: python -m bot mlops retry --pull-request 42")
def mlops() -> None:
    """Give a command on a pull request, as yourself, and print the bot's answer."""


def _queue() -> "Queue":
    from bot import app
    from bot.queue import Queue

    return Queue(app.prepare().database_url)


if __name__ == "__main__":
    main()
