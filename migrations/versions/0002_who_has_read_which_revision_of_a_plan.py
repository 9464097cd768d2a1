"""Who has read which revision of a plan."""

import sqlalchemy as sa
from alembic import op

import server.db

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reading",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("revision", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("plan", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("person", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("occurred_at", server.db.Instant(), nullable=False),
        sa.Column("received_at", server.db.Instant(), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_reading_person")),
        sa.ForeignKeyConstraint(["plan"], ["plan.id"], name=op.f("fk_reading_plan")),
        sa.ForeignKeyConstraint(["revision"], ["revision.id"], name=op.f("fk_reading_revision")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reading")),
    )
    with op.batch_alter_table("reading", schema=None) as batch_op:
        batch_op.create_index("uq_reading_revision_person", ["revision", "person"], unique=True)


def downgrade() -> None:
    with op.batch_alter_table("reading", schema=None) as batch_op:
        batch_op.drop_index("uq_reading_revision_person")

    op.drop_table("reading")
