"""Bringing the queue's database to the newest schema."""

from pathlib import Path

from sqlalchemy import text

from bot.queue.database import Database, QueueError

_LOCK = 0x51C7A1  # any number that nobody else on the server uses for the same purpose


def migrate(url: str) -> None:
    """Create or upgrade the tables; does nothing when they are the newest.

    Any number of processes may do so at once: one does it, the others wait.
    Raises ConfigError for the address, QueueError when it cannot be done.
    """
    from alembic import command  # here, because a web process that only serves needs none of it
    from alembic.config import Config
    from alembic.util import CommandError

    database = Database(url)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent.parent / "migrations").replace("%", "%%"))
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
            f"The work queue's database cannot be upgraded ({error}); it was probably written by a newer Signalman."
        ) from error
    finally:
        database.close()
