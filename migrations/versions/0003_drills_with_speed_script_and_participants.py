"""Drills with a speed, a script and chosen participants, and when quiet-day duties were done."""

import sqlalchemy as sa
from alembic import op

import server.db

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("incident", schema=None) as batch_op:
        batch_op.add_column(sa.Column("speed", sa.Integer(), nullable=False, server_default="1"))
        batch_op.add_column(sa.Column("participants", server.db.Json(), nullable=True))
    with op.batch_alter_table("drill", schema=None) as batch_op:
        batch_op.add_column(sa.Column("rule", sa.String(length=80), nullable=True))
        batch_op.add_column(sa.Column("speed", sa.Integer(), nullable=False, server_default="1"))
        batch_op.add_column(sa.Column("participants", server.db.Json(), nullable=True))
        batch_op.add_column(sa.Column("started_at", server.db.Instant(), nullable=True))
        batch_op.add_column(sa.Column("finished_at", server.db.Instant(), nullable=True))
    op.create_table(
        "inject",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("drill", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("by", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("at_seconds", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("value", server.db.Json(), nullable=True),
        sa.Column("unit", sa.String(length=20), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("incident", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("due_at", server.db.Instant(), nullable=True),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("applied_at", server.db.Instant(), nullable=True),
        sa.ForeignKeyConstraint(["by"], ["person.id"], name=op.f("fk_inject_by")),
        sa.ForeignKeyConstraint(["drill"], ["drill.id"], name=op.f("fk_inject_drill")),
        sa.ForeignKeyConstraint(["incident"], ["incident.id"], name=op.f("fk_inject_incident")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inject")),
    )
    with op.batch_alter_table("inject", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_inject_drill"), ["drill"], unique=False)
        batch_op.create_index("ix_inject_due", ["status", "due_at"], unique=False)
    op.create_table(
        "duty_round",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("plan", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("duty", sa.String(length=80), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("by", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("occurred_at", server.db.Instant(), nullable=False),
        sa.Column("received_at", server.db.Instant(), nullable=False),
        sa.ForeignKeyConstraint(["by"], ["person.id"], name=op.f("fk_duty_round_by")),
        sa.ForeignKeyConstraint(["plan"], ["plan.id"], name=op.f("fk_duty_round_plan")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_duty_round")),
    )
    with op.batch_alter_table("duty_round", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_duty_round_plan_duty_occurred_at"), ["plan", "duty", "occurred_at"])


def downgrade() -> None:
    op.drop_table("duty_round")
    op.drop_table("inject")
    with op.batch_alter_table("drill", schema=None) as batch_op:
        for name in ("finished_at", "started_at", "participants", "speed", "rule"):
            batch_op.drop_column(name)
    with op.batch_alter_table("incident", schema=None) as batch_op:
        batch_op.drop_column("participants")
        batch_op.drop_column("speed")
