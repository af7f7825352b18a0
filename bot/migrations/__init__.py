"""How the queue's tables came to be, step by step (Alembic). `bot.queue.migrate` runs them."""
