"""Runs the migrations inside the transaction that `bot.queue.migrate` opened."""

from alembic import context

from bot.queue.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
