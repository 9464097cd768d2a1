"""Ladders: steps of an alert as rows, messages to numbers, mailboxes and chats, and who is excused from an alert."""

import uuid

import sqlalchemy as sa
from alembic import op

import server.db

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "step",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("incident", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("alert", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("rule", server.db.Json(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("due_at", server.db.Instant(), nullable=False),
        sa.Column("fired_at", server.db.Instant(), nullable=True),
        sa.ForeignKeyConstraint(["alert"], ["alert.id"], name=op.f("fk_step_alert")),
        sa.ForeignKeyConstraint(["incident"], ["incident.id"], name=op.f("fk_step_incident")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_step")),
    )
    with op.batch_alter_table("step", schema=None) as batch_op:
        batch_op.create_index("ix_step_due", ["status", "due_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_step_alert"), ["alert"], unique=False)
        batch_op.create_index(batch_op.f("ix_step_incident_kind"), ["incident", "kind"], unique=False)
    _reminders_become_steps()
    with op.batch_alter_table("alert", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_alert_remind_at"))
        batch_op.drop_column("reminders")
        batch_op.drop_column("remind_at")
        batch_op.add_column(sa.Column("audience", sa.String(length=10), nullable=True))
    with op.batch_alter_table("recipient", schema=None) as batch_op:
        batch_op.add_column(sa.Column("excused_at", server.db.Instant(), nullable=True))
    with op.batch_alter_table("person", schema=None) as batch_op:
        batch_op.add_column(sa.Column("mailbox", sa.String(length=200), nullable=True))
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.alter_column("person", existing_type=sa.Uuid(as_uuid=False), nullable=True)


def _reminders_become_steps() -> None:
    """Alerts under way keep their next reminder."""
    connection = op.get_bind()
    alert = sa.table(
        "alert",
        sa.column("id", sa.Uuid(as_uuid=False)),
        sa.column("incident", sa.Uuid(as_uuid=False)),
        sa.column("status"),
        sa.column("remind_at", server.db.Instant()),
    )
    step = sa.table(
        "step",
        *(sa.column(name, sa.Uuid(as_uuid=False)) for name in ("id", "incident", "alert")),
        sa.column("rule", server.db.Json()),
        sa.column("due_at", server.db.Instant()),
        *(sa.column(name) for name in ("kind", "number", "status")),
    )
    query = sa.select(alert).where(alert.c.status == "open", alert.c.remind_at.is_not(None))
    rows = [
        {
            "id": str(uuid.uuid4()), "incident": row.incident, "alert": row.id, "kind": "tell", "number": 1,
            "rule": {"unless": "answered", "by": ["push"], "call_list": True}, "status": "waiting", "due_at": row.remind_at,
        }
        for row in connection.execute(query)
    ]  # fmt: skip
    if rows:
        connection.execute(step.insert(), rows)


def downgrade() -> None:
    op.execute("DELETE FROM delivery WHERE person IS NULL")
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.alter_column("person", existing_type=sa.Uuid(as_uuid=False), nullable=False)
    with op.batch_alter_table("person", schema=None) as batch_op:
        batch_op.drop_column("mailbox")
    with op.batch_alter_table("recipient", schema=None) as batch_op:
        batch_op.drop_column("excused_at")
    with op.batch_alter_table("alert", schema=None) as batch_op:
        batch_op.drop_column("audience")
        batch_op.add_column(sa.Column("remind_at", server.db.Instant(), nullable=True))
        batch_op.add_column(sa.Column("reminders", sa.Integer(), nullable=False, server_default="0"))
        batch_op.create_index(batch_op.f("ix_alert_remind_at"), ["remind_at"], unique=False)
    op.drop_table("step")
