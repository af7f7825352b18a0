"""How long a merge takes to be in the workspace, beside the four databricks-cli commands that are
commonly used for it.

Run by hand: `make bench-sync`; `RUNS=5` measures more often, `CLIENT=databricks-cli` has the bot
speak by that package, `SEED_FILES=1000` runs the commands for so many files, too, which takes two
minutes. The bot's pass is the whole pass over the target branch, with its real services, a real Git
mirror and a database; every call of the workspace takes 100 ms there and back, Git and Azure DevOps
are on this machine. The commands are real processes. Both write notebooks that are there already,
and somebody watches whether one of them is ever missing.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import click

from bench.remote_workspace import FOLDER, TOKEN, Measured, RemoteWorkspace
from bot import app
from bot.config.environment import read as read_settings
from bot.passes import Look
from bot.queue import Queue, migrate
from bot.subjects import Branch
from sandbox.azure_devops import AzureDevOps

LATENCY = 0.1
RUNS = int(os.environ.get("RUNS") or 3)
CLIENT = os.environ.get("CLIENT") or "databricks-sdk"
SEED_HOST = "127.0.0.7"
SEED_FILES = sorted({10, 100, int(os.environ.get("SEED_FILES") or 100)})
HOOKS = "mlflow_hooks"
CONFIG = f"target: main\nprojects: []\nfolders: [{{from: {HOOKS}, to: {FOLDER}}}]\n"
BOT = """
client: {client}
repositories: [{{project: ml, repository: models, target: main}}]
registry_webhooks: []
"""


@dataclass(frozen=True)
class Row:
    """One line of the table: the medians of what was measured, and the limits it has to keep."""

    who: str
    what: str
    measured: Measured
    most_seconds: float | None = None
    most_calls: int | None = None
    never_missing: bool = True
    estimated: bool = field(default=False)

    @property
    def broken(self) -> list[str]:
        """The limits that are not kept, in words."""
        found = []
        if self.most_seconds is not None and self.measured.seconds > self.most_seconds:
            found.append(f"more than {self.most_seconds:g} s")
        if self.most_calls is not None and self.measured.calls > self.most_calls:
            found.append(f"more than {self.most_calls} calls")
        if self.never_missing and self.measured.missing > 0:
            found.append("notebooks were missing")
        return found

    def __str__(self) -> str:
        about, one = "≈" if self.estimated else "", self.measured
        seconds = f"≤ {self.most_seconds:.1f} s" if self.most_seconds is not None else ""
        calls = f"≤ {self.most_calls} calls" if self.most_calls is not None else ""
        limits = ", ".join(
            filter(None, [seconds, calls, "0 s missing" if self.never_missing else ""])
        )
        verdict = (
            f"{limits}: {'NO, ' + ', '.join(self.broken) if self.broken else 'yes'}"
            if limits
            else ""
        )
        return (
            f"{self.who:<15}{self.what:<34}{about + f'{one.seconds:.2f} s':>10}{about + str(one.calls):>8}"  # noqa: E501 a table, or a text as it is sent
            f"{one.in_flight:>6}{about + f'{one.missing:.2f} s':>11}   {verdict}"
        ).rstrip()


def main() -> int:
    """Print the table; returns 1 when a limit of the bot's is not kept."""
    with tempfile.TemporaryDirectory(prefix="signalman-") as folder:
        rows = []
        for row in (
            *_bot(Path(folder, "hundred"), 100),
            *_bot(Path(folder, "thousand"), 1000),
            *_seed(Path(folder)),
        ):
            if not rows:
                click.echo(f"{'':<49}{'wall':>10}{'calls':>8}{'wide':>6}{'missing':>11}   limits")
            click.echo(str(row))
            rows.append(row)
    return int(any(row.broken for row in rows))


def _bot(folder: Path, files: int) -> Iterator[Row]:
    with _deployed(folder, files) as (workspace, push, make_pass):

        def after(changed: Iterable[int] | None) -> Measured:
            found = []
            for _ in range(RUNS):
                expected = push(changed)
                found.append(workspace.measure(make_pass))
                if workspace.holds() != expected:
                    raise SystemExit(
                        f"After a change of {changed} the workspace does not hold what the branch "
                        "holds."
                    )
            return _typical(found)

        every = range(files)
        if files == 100:
            yield Row(CLIENT, "100 of 100 files changed", after(every), most_seconds=1.0)
            return
        yield Row(CLIENT, "1 of 1,000 files changed", after([files // 2]), most_seconds=0.6)
        yield Row(CLIENT, "1,000 of 1,000 files changed", after(every), most_seconds=6.5)
        yield Row(CLIENT, "none of 1,000, nothing was merged", after(None), most_calls=3)
        yield Row(CLIENT, "none of 1,000, a merge elsewhere", after([]))


Push = Callable[[Iterable[int] | None], dict[str, bytes]]


@contextmanager
def _deployed(
    folder: Path, files: int
) -> Iterator[tuple[RemoteWorkspace, Push, Callable[[], object]]]:
    """A bot whose workspace holds so many notebooks already, a way to change some, and its pass
    over the branch.

    A push of no change at all (None) is none; either way it gives what the workspace has to hold
    afterwards.
    """
    versions = dict.fromkeys(range(files), 0)
    content = folder / "content"
    for path, text in {
        "config/mlops.yml": CONFIG,
        **{f"{HOOKS}/{_name(n)}.py": _text(n, 0) for n in versions},
    }.items():
        (content / path).parent.mkdir(parents=True, exist_ok=True)
        (content / path).write_text(text)
    azure = AzureDevOps(folder / "azure", organization="contoso", bot_token=TOKEN)
    azure.start()
    azure.seed(content)
    workspace = RemoteWorkspace(folder / "databricks")
    try:
        found = read_settings(_environment(folder, azure.organization_url, workspace.url))
        found.var.mkdir(parents=True)
        migrate(found.database_url)
        services = app.services_of(found, Queue(found.database_url))
        branch = Branch(found.served[0].key)

        def make_pass() -> object:
            return app.pass_over(Look(branch, {}, news=True), services)

        def push(changed: Iterable[int] | None) -> dict[str, bytes]:
            changes = {}
            for number in changed or ():
                versions[number] += 1
                changes[f"{HOOKS}/{_name(number)}.py"] = _text(number, versions[number])
            if changed is not None:
                azure.push(
                    "main",
                    changes or {"README.md": os.urandom(8).hex()},
                    "Change notebooks",
                    base="main",
                )
            return {
                _name(number): _text(number, version).encode()
                for number, version in versions.items()
            }

        make_pass()
        workspace.be_distant(LATENCY)
        yield workspace, push, make_pass
    finally:
        workspace.stop()
        azure.stop()


def _environment(folder: Path, azure: str, databricks: str) -> dict[str, str]:
    deployed = folder / "bot.yml"
    deployed.write_text(BOT.format(client=CLIENT))
    return {
        "BOT_CONFIG": str(deployed),
        "SIGNALMAN_VAR": str(folder / "var"),
        "AZURE_DEVOPS_ORG_URL": azure,
        "AZURE_DEVOPS_TOKEN": TOKEN,
        "AZURE_DEVOPS_WEBHOOK_USERNAME": "unused",
        "AZURE_DEVOPS_WEBHOOK_PASSWORD": "unused",
        "DATABRICKS_HOST": databricks,
        "DATABRICKS_TOKEN": TOKEN,
    }


def _seed(folder: Path) -> Iterator[Row]:
    """The commands, once for each number of files; what they would take for 1,000 is read off the
    last two.
    """
    try:
        workspace = RemoteWorkspace(folder / "seed", SEED_HOST, 80)
    except OSError as error:
        click.echo(
            f"databricks-cli drops the port of its host, and {error}; its commands are left out."
        )
        return
    try:
        found = []
        for files in SEED_FILES:
            measured = _commands(workspace, folder / str(files), files)
            found.append(measured)
            yield Row(
                "four commands", f"{files:,} of {files:,} files", measured, never_missing=False
            )
        if SEED_FILES[-1] < 1000:
            yield Row(
                "four commands",
                "1,000 of 1,000 files",
                _further(found),
                never_missing=False,
                estimated=True,
            )
    finally:
        workspace.stop()


def _commands(workspace: RemoteWorkspace, folder: Path, files: int) -> Measured:
    content = folder / HOOKS
    content.mkdir(parents=True)
    for number in range(files):
        (content / f"{_name(number)}.py").write_text(_text(number, 0))
    program = Path(sys.executable).with_name("databricks")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "LANG": "C.UTF-8",
    }
    environment |= {"DATABRICKS_HOST": workspace.url, "DATABRICKS_TOKEN": TOKEN}

    def deploy() -> None:
        for arguments in (
            ["ls", FOLDER],
            ["rm", FOLDER, "-r"],
            ["mkdirs", FOLDER],
            ["import_dir", HOOKS, FOLDER],
        ):
            subprocess.run(
                [program, "workspace", *arguments],
                cwd=folder,
                env=environment,
                capture_output=True,
                check=False,
            )

    workspace.be_distant(0.0)
    deploy()
    if len(workspace.holds()) != files:
        raise SystemExit("databricks-cli did not do what it was asked to do.")
    workspace.be_distant(LATENCY)
    return workspace.measure(deploy)


def _further(found: Sequence[Measured]) -> Measured:
    (few, less), (many, more) = list(zip(SEED_FILES, found, strict=True))[-2:]
    times = (1000 - many) / (many - few)
    return Measured(
        more.seconds + times * (more.seconds - less.seconds),
        round(more.calls + times * (more.calls - less.calls)),
        more.in_flight,
        more.missing + times * (more.missing - less.missing),
    )


def _typical(found: Sequence[Measured]) -> Measured:
    # What must never happen is told also when it happened once.
    return Measured(
        median(one.seconds for one in found),
        max(one.calls for one in found),
        max(one.in_flight for one in found),
        max(one.missing for one in found),
    )


def _name(number: int) -> str:
    return f"hook_{number:04}"


def _text(number: int, version: int) -> str:
    return f"# Databricks notebook source\n# Version {version}\n" + f"print({number})\n" * 40


if __name__ == "__main__":
    sys.exit(main())
