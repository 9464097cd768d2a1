"""Rolls: whom an alert to very many people has still to ask, part by part; and two indexes less to keep with each push."""

import sqlalchemy as sa
from alembic import op

import server.db

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "roll",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("incident", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("alert", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("people", server.db.Json(), nullable=False),
        sa.Column("by", server.db.Json(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("called_at", server.db.Instant(), nullable=True),
        sa.ForeignKeyConstraint(["alert"], ["alert.id"], name=op.f("fk_roll_alert")),
        sa.ForeignKeyConstraint(["incident"], ["incident.id"], name=op.f("fk_roll_incident")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_roll")),
    )
    with op.batch_alter_table("roll", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_roll_priority_id"), ["priority", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_roll_alert"), ["alert"], unique=False)
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_delivery_owner_state"))
        batch_op.drop_index(batch_op.f("ix_delivery_recipient_state"))
        batch_op.create_index(batch_op.f("ix_delivery_recipient"), ["recipient"], unique=False)


def downgrade() -> None:
    # whoever has not been asked yet is not asked any more: stop the workers only when no alert is going out
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_delivery_recipient"))
        batch_op.create_index(batch_op.f("ix_delivery_recipient_state"), ["recipient", "state"], unique=False)
        batch_op.create_index(batch_op.f("ix_delivery_owner_state"), ["owner", "state"], unique=False)
    op.drop_table("roll")
