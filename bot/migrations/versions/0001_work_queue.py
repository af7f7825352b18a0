"""The work queue: subjects, the deliveries that spoke of them, the passes over them."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the three tables."""
    op.create_table(
        "subjects",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("due_at", sa.Double),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("seen", sa.Integer, nullable=False),
        sa.Column("lease_token", sa.Text),
        sa.Column("lease_until", sa.Double),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("memo", sa.Text, nullable=False),
        sa.Column("last_error", sa.Text),
        sa.Column("last_passed_at", sa.Double),
    )
    op.create_index("subjects_due_at", "subjects", ["due_at"])
    op.create_table(
        "deliveries",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("sender", sa.Text, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("received_at", sa.Double, nullable=False),
    )
    op.create_index("deliveries_received_at", "deliveries", ["received_at"])
    op.create_table(
        "passes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("worker", sa.Text, nullable=False),
        sa.Column("started_at", sa.Double, nullable=False),
        sa.Column("ended_at", sa.Double, nullable=False),
        sa.Column("performed", sa.Text, nullable=False),
        sa.Column("error", sa.Text),
    )
    op.create_index("passes_subject", "passes", ["subject", "id"])
    op.create_index("passes_ended_at", "passes", ["ended_at"])


def downgrade() -> None:
    """Drop them."""
    for table in ("passes", "deliveries", "subjects"):
        op.drop_table(table)
