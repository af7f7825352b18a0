"""Bringing the queue's database to the newest schema."""

from pathlib import Path
from threading import Lock

from sqlalchemy import text

from bot.queue.database import Database, QueueError

_STEPS = Path(__file__).parent.parent / "migrations"
_ALONE = Lock()
"""Alembic keeps the database it works on in module globals: two upgrades in one process would mix
them up.
"""
_LOCK = 0x51C7A1  # any number that nobody else on the server uses for the same purpose


def migrate(url: str) -> None:
    """Create or upgrade the tables; does nothing when they are the newest.

    Any number of processes and threads may do so at once: one does it, the others wait.
    Raises ConfigError for the address, QueueError when it cannot be done.
    """
    database = Database(url)
    try:
        if not _newest(database):
            with _ALONE:
                _upgrade(database)
    finally:
        database.close()


def _newest(database: Database) -> bool:
    try:
        with database.reading() as connection:
            rows = connection.execute(text("SELECT version_num FROM alembic_version"))
            versions = rows.scalars().all()
    except QueueError:
        # It has no tables yet; or it cannot be reached, which is said when they are made.
        return False
    steps = [file.name.split("_")[0] for file in _STEPS.glob("versions/[0-9]*.py")]
    return versions == [max(steps)]


def _upgrade(database: Database) -> None:
    # Here, because a process that finds everything in place saves the 9 MB.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(_STEPS).replace("%", "%%"))
    try:
        with database.writing() as connection:
            if database.kind == "postgresql":
                # Whoever comes second waits for as long as the upgrade takes.
                connection.execute(text("SET LOCAL lock_timeout = 0"))
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except CommandError as error:
        raise QueueError(
            f"The work queue's database cannot be upgraded ({error}); it was probably written by a "
            "newer Signalman."
        ) from error
