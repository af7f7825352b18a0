"""The work queue: which subjects are due, and who has each.

One row per subject; a webhook makes it due before it is answered, a worker takes
it with a lease, makes one pass and settles. SQLite where nothing else is wanted,
PostgreSQL by `DATABASE_URL` alone. Nothing else in the bot imports sqlalchemy.
"""

from bot.queue.database import QueueError
from bot.queue.records import Counts, DeliveryRecord, Lease, PassRecord, RunRecord, SubjectRecord
from bot.queue.upgrade import migrate
from bot.queue.work import Queue

__all__ = [
    "Counts",
    "DeliveryRecord",
    "Lease",
    "PassRecord",
    "Queue",
    "QueueError",
    "RunRecord",
    "SubjectRecord",
    "migrate",
]
