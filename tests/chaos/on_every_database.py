"""`make chaos`: the long storm, on SQLite and then on PostgreSQL in a schema of its own; on one
database if told which.

What is said besides `--database` is handed on to `python -m sandbox.chaos`.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import click

from tests import databases


def main(arguments: list[str]) -> int:
    """Have the storms; 1 when anything was found in any of them."""
    if "--database" in arguments:
        return storm(arguments)
    results = [storm(arguments)]
    if databases.POSTGRESQL:
        with (
            tempfile.TemporaryDirectory() as folder,
            databases.empty("postgresql", Path(folder)) as url,
        ):
            results.append(storm([*arguments, "--database", url]))
    else:
        click.echo(
            "PostgreSQL is left out, because SIGNALMAN_TEST_POSTGRESQL names none: "
            "`export SIGNALMAN_TEST_POSTGRESQL=$(.ci/postgresql start /tmp/some-folder)`."
        )
    return max(results)


def storm(arguments: list[str]) -> int:
    """One storm; its table goes where ours would."""
    sys.stdout.flush()
    return subprocess.run(
        [sys.executable, "-m", "sandbox.chaos", *arguments], check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
