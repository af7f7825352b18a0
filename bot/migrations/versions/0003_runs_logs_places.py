"""Project runs with their logs, for the pages; and who runs or waits for how many of them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the three tables."""
    op.create_table(
        "runs",
        sa.Column("token", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("project", sa.Text, nullable=False),
        sa.Column("commit_id", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("run_page", sa.Text, nullable=False),
        sa.Column("mlflow_page", sa.Text, nullable=False),
        sa.Column("started_at", sa.Double),
        sa.Column("ended_at", sa.Double),
        sa.Column("noted_at", sa.Double, nullable=False),
        sa.Column("log_read", sa.BigInteger, nullable=False),
        sa.Column("log_size", sa.BigInteger, nullable=False),
        sa.Column("log_cut", sa.Boolean, nullable=False),
        sa.Column("log_whole", sa.Boolean, nullable=False),
    )
    op.create_index("runs_subject", "runs", ["subject", "started_at"])
    op.create_index("runs_noted_at", "runs", ["noted_at"])
    op.create_table(
        "logs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("written_at", sa.Double, nullable=False),
    )
    op.create_index("logs_token", "logs", ["token", "position"], unique=True)
    op.create_index("logs_written_at", "logs", ["written_at"])
    op.create_table(
        "places",
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("running", sa.Integer, nullable=False),
        sa.Column("wanted", sa.Integer, nullable=False),
        sa.Column("since", sa.Double, nullable=False),
        sa.Column("reported_at", sa.Double, nullable=False),
    )
    op.create_index("places_since", "places", ["since", "subject"])


def downgrade() -> None:
    """Drop them."""
    for table in ("places", "logs", "runs"):
        op.drop_table(table)
