"""When a delivery was looked at, and by which pass; nothing is known of those that came before."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns, empty, and the index that finds a subject's deliveries."""
    op.add_column("deliveries", sa.Column("answered_at", sa.Double))
    op.add_column("deliveries", sa.Column("answered_by", sa.Integer))
    op.create_index("deliveries_subject", "deliveries", ["subject", "generation"])


def downgrade() -> None:
    """Drop them."""
    op.drop_index("deliveries_subject", "deliveries")
    with op.batch_alter_table("deliveries") as table:
        table.drop_column("answered_by")
        table.drop_column("answered_at")
