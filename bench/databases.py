"""A SQLite file and a PostgreSQL to measure on; neither is there afterwards.

PostgreSQL is this machine's own (`.ci/postgresql`), with fsync on, as an operator would run it.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from bot.queue import migrate

_SCRIPT = Path(__file__).parents[1] / ".ci" / "postgresql"


@contextmanager
def databases() -> Iterator[dict[str, str]]:
    """Name -> address of each that can be had here, without any table; says so of the one that
    cannot.
    """
    folder = tempfile.mkdtemp(prefix="signalman-bench-")
    cluster = f"{folder}/cluster"
    os.chmod(folder, 0o711)  # noqa: S103 (PostgreSQL may not run as root, and has to reach its own folder)
    found = {"sqlite": f"sqlite:///{folder}/queue.db"}
    started = subprocess.run(
        [_SCRIPT, "start", cluster],
        env={**os.environ, "POSTGRESQL_FSYNC": "on"},
        capture_output=True,
        text=True,
    )
    if started.returncode == 0:
        found["postgresql"] = started.stdout.strip()
    else:
        click.echo(f"Not on PostgreSQL: {started.stderr.strip()}")
    try:
        for url in found.values():
            migrate(url)
        yield found
    finally:
        subprocess.run([_SCRIPT, "stop", cluster], check=False)
        shutil.rmtree(folder)
