"""Reachability per person and channel, what subscriptions owe a receipt for, and the least strength of a team."""

import sqlalchemy as sa
from alembic import op

import server.db

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("subscription", schema=None) as batch_op:
        batch_op.add_column(sa.Column("unanswered_since", server.db.Instant(), nullable=True))
        batch_op.add_column(sa.Column("checked_at", server.db.Instant(), nullable=True))
    with op.batch_alter_table("team", schema=None) as batch_op:
        batch_op.add_column(sa.Column("strength", server.db.Json(), nullable=False, server_default="{}"))
    op.create_table(
        "reachability",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("person", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("word", sa.String(length=12), nullable=False),
        sa.Column("why", sa.String(length=20), nullable=False),
        sa.Column("since", server.db.Instant(), nullable=False),
        sa.Column("proven_at", server.db.Instant(), nullable=True),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_reachability_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reachability")),
    )
    with op.batch_alter_table("reachability", schema=None) as batch_op:
        batch_op.create_index("uq_reachability_person_channel", ["person", "channel"], unique=True)
    op.create_table(
        "shortfall",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("team", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("post", sa.String(length=12), nullable=False),
        sa.Column("wanted", sa.Integer(), nullable=False),
        sa.Column("present", sa.Integer(), nullable=False),
        sa.Column("since", server.db.Instant(), nullable=False),
        sa.Column("warned", sa.Boolean(), nullable=False),
        sa.Column("ended_at", server.db.Instant(), nullable=True),
        sa.ForeignKeyConstraint(["team"], ["team.id"], name=op.f("fk_shortfall_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shortfall")),
    )


def downgrade() -> None:
    op.drop_table("shortfall")
    op.drop_table("reachability")
    with op.batch_alter_table("team", schema=None) as batch_op:
        batch_op.drop_column("strength")
    with op.batch_alter_table("subscription", schema=None) as batch_op:
        batch_op.drop_column("checked_at")
        batch_op.drop_column("unanswered_since")
