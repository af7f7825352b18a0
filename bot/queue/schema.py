"""The queue's tables, as the newest migration leaves them.

Times are seconds since 1970 as floats: SQLite's driver would otherwise stamp
whole seconds.
"""

from sqlalchemy import Column, Double, Index, Integer, MetaData, Table, Text

metadata = MetaData()

subjects = Table(
    "subjects",
    metadata,
    Column("key", Text, primary_key=True),
    Column("due_at", Double),
    Column("generation", Integer, nullable=False),
    Column("seen", Integer, nullable=False),
    Column("lease_token", Text),
    Column("lease_until", Double),
    Column("attempts", Integer, nullable=False),
    Column("memo", Text, nullable=False),
    Column("last_error", Text),
    Column("last_passed_at", Double),
    # A plain index: SQLite does not match a partial one from a bound parameter.
    Index("subjects_due_at", "due_at"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("key", Text, primary_key=True),
    Column("sender", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("received_at", Double, nullable=False),
    Column("answered_at", Double),
    Column("answered_by", Integer),
    Index("deliveries_received_at", "received_at"),
    Index("deliveries_subject", "subject", "generation"),
)

passes = Table(
    "passes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("worker", Text, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("ended_at", Double, nullable=False),
    Column("performed", Text, nullable=False),
    Column("error", Text),
    Index("passes_subject", "subject", "id"),
    Index("passes_ended_at", "ended_at"),
)
