"""The queue's tables, as the newest migration leaves them.

Times are seconds since 1970 as floats: SQLite's driver would otherwise stamp
whole seconds.
"""

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, MetaData, Table, Text

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

runs = Table(
    "runs",
    metadata,
    Column("token", Text, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("project", Text, nullable=False),
    Column("commit_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("run_page", Text, nullable=False),
    Column("mlflow_page", Text, nullable=False),
    Column("started_at", Double),
    Column("ended_at", Double),
    Column("noted_at", Double, nullable=False),
    # How many bytes of the log were read at the backend, and how many characters of it were stored,
    # ever.
    Column("log_read", BigInteger, nullable=False),
    Column("log_size", BigInteger, nullable=False),
    Column("log_cut", Boolean, nullable=False),
    Column("log_whole", Boolean, nullable=False),
    Index("runs_subject", "subject", "started_at"),
    Index("runs_noted_at", "noted_at"),
)

logs = Table(
    "logs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("token", Text, nullable=False),
    # Of its first character, in the log.
    Column("position", BigInteger, nullable=False),
    Column("text", Text, nullable=False),
    Column("written_at", Double, nullable=False),
    Index("logs_token", "token", "position", unique=True),
    Index("logs_written_at", "written_at"),
)

places = Table(
    "places",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("running", Integer, nullable=False),
    Column("wanted", Integer, nullable=False),
    Column("since", Double, nullable=False),
    Column("reported_at", Double, nullable=False),
    Index("places_since", "since", "subject"),
)
