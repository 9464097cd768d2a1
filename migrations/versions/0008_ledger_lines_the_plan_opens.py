"""Ledger lines that the plan opens by itself, which nobody has counted yet."""

import sqlalchemy as sa
from alembic import op

import server.db

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("back_entry", schema=None) as batch_op:
        batch_op.add_column(sa.Column("key", sa.String(length=80), nullable=True))
        batch_op.add_column(sa.Column("counted_at", server.db.Instant(), nullable=True))
        batch_op.alter_column("by", existing_type=sa.Uuid(as_uuid=False), nullable=True)
    op.execute("UPDATE back_entry SET counted_at = occurred_at")


def downgrade() -> None:
    op.execute('DELETE FROM back_entry WHERE "by" IS NULL')
    with op.batch_alter_table("back_entry", schema=None) as batch_op:
        batch_op.alter_column("by", existing_type=sa.Uuid(as_uuid=False), nullable=False)
        batch_op.drop_column("counted_at")
        batch_op.drop_column("key")
