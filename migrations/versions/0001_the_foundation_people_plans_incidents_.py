"""The foundation: people, plans, incidents and everything that happens in them."""

import sqlalchemy as sa
from alembic import op

import server.db

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "chain",
        sa.Column("incident", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("length", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("incident", name=op.f("pk_chain")),
    )
    op.create_table(
        "change",
        sa.Column("space", sa.String(length=160), nullable=False),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("entity", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("space", "type", "entity", name=op.f("pk_change")),
    )
    with op.batch_alter_table("change", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_change_type_entity"), ["type", "entity"], unique=False)
        batch_op.create_index("uq_change_space_version", ["space", "version"], unique=True)

    op.create_table(
        "entry",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("incident", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("text", server.db.Json(), nullable=False),
        sa.Column("refs", server.db.Json(), nullable=False),
        sa.Column("by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("audience", sa.String(length=100), nullable=False),
        sa.Column("occurred_at", server.db.Instant(), nullable=False),
        sa.Column("received_at", server.db.Instant(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entry")),
    )
    with op.batch_alter_table("entry", schema=None) as batch_op:
        batch_op.create_index("uq_entry_incident_seq", ["incident", "seq"], unique=True)

    op.create_table(
        "epoch",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_epoch")),
    )
    op.create_table(
        "fact",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("person", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("device", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("sequence", sa.BigInteger(), nullable=True),
        sa.Column("occurred_at", server.db.Instant(), nullable=False),
        sa.Column("received_at", server.db.Instant(), nullable=False),
        sa.Column("outcome", sa.String(length=12), nullable=False),
        sa.Column("code", sa.String(length=60), nullable=True),
        sa.Column("sent", server.db.Json(), nullable=True),
        sa.Column("answer", server.db.Json(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fact")),
    )
    with op.batch_alter_table("fact", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_fact_outcome_received_at"), ["outcome", "received_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_fact_person_received_at"), ["person", "received_at"], unique=False)

    op.create_table(
        "organisation",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", server.db.Json(), nullable=False),
        sa.Column("timezone", sa.String(length=60), nullable=False),
        sa.Column("demo", sa.Boolean(), nullable=False),
        sa.Column("settings", server.db.Json(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organisation")),
    )
    op.create_table(
        "person",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("username", sa.String(length=80), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("role", sa.String(length=12), nullable=False),
        sa.Column("phone", sa.String(length=40), nullable=True),
        sa.Column("locale", sa.String(length=5), nullable=False),
        sa.Column("theme", sa.String(length=8), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("reachable", sa.String(length=12), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person")),
        sa.UniqueConstraint("username", name=op.f("uq_person_username")),
    )
    op.create_table(
        "place",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("parent", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("title", server.db.Json(), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("lat", sa.Float(), nullable=True),
        sa.Column("lon", sa.Float(), nullable=True),
        sa.Column("plan_pin", server.db.Json(), nullable=True),
        sa.Column("floor_plan", server.db.Json(), nullable=True),
        sa.Column("capacity", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["parent"], ["place.id"], name=op.f("fk_place_parent")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_place")),
        sa.UniqueConstraint("code", name=op.f("uq_place_code")),
    )
    op.create_table(
        "plan",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("title", server.db.Json(), nullable=False),
        sa.Column("category", sa.String(length=40), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("approved", sa.Uuid(as_uuid=False), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan")),
        sa.UniqueConstraint("key", name=op.f("uq_plan_key")),
    )
    op.create_table(
        "proposal",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("incident", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("scale", sa.String(length=80), nullable=True),
        sa.Column("level", sa.String(length=80), nullable=True),
        sa.Column("title", server.db.Json(), nullable=False),
        sa.Column("reason", server.db.Json(), nullable=False),
        sa.Column("clause", server.db.Json(), nullable=True),
        sa.Column("team", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("made_at", server.db.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposal")),
    )
    with op.batch_alter_table("proposal", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_proposal_incident_status"), ["incident", "status"], unique=False)

    op.create_table(
        "sign_in_try",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("at", server.db.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_try")),
    )
    with op.batch_alter_table("sign_in_try", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sign_in_try_address_at"), ["address", "at"], unique=False)
        batch_op.create_index(batch_op.f("ix_sign_in_try_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_sign_in_try_name_at"), ["name", "at"], unique=False)

    op.create_table(
        "space",
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("min_version", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", server.db.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_space")),
    )
    with op.batch_alter_table("space", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_space_changed_at"), ["changed_at"], unique=False)

    op.create_table(
        "team",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("title", server.db.Json(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_team")),
    )
    op.create_table(
        "upload",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("person", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("length", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("offset", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("created_at", server.db.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_upload")),
    )
    with op.batch_alter_table("upload", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_upload_state_created_at"), ["state", "created_at"], unique=False)

    op.create_table(
        "delivery",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("person", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("subject", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("recipient", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("subscription", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("content", server.db.Json(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("due_at", server.db.Instant(), nullable=False),
        sa.Column("expires_at", server.db.Instant(), nullable=False),
        sa.Column("created_at", server.db.Instant(), nullable=False),
        sa.Column("owner", sa.String(length=60), nullable=True),
        sa.Column("claimed_at", server.db.Instant(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("sent_at", server.db.Instant(), nullable=True),
        sa.Column("outcome", sa.String(length=60), nullable=True),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_delivery_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
    )
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_delivery_owner_state"), ["owner", "state"], unique=False)
        batch_op.create_index("ix_delivery_queue", ["state", "priority", "due_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_delivery_recipient_state"), ["recipient", "state"], unique=False)

    op.create_table(
        "device",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("person", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("created_at", server.db.Instant(), nullable=False),
        sa.Column("last_seen_at", server.db.Instant(), nullable=False),
        sa.Column("last_receipt_at", server.db.Instant(), nullable=True),
        sa.Column("revoked_at", server.db.Instant(), nullable=True),
        sa.Column("subscribed", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_device_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device")),
    )
    with op.batch_alter_table("device", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_device_person"), ["person"], unique=False)

    op.create_table(
        "drill",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("plan", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("scheduled_at", server.db.Instant(), nullable=False),
        sa.Column("announced", sa.Boolean(), nullable=False),
        sa.Column("scenario", sa.Text(), nullable=False),
        sa.Column("risk_check", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("incident", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("observations", sa.Text(), nullable=True),
        sa.Column("weak_points", server.db.Json(), nullable=False),
        sa.Column("score", server.db.Json(), nullable=True),
        sa.Column("by", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("occurred_at", server.db.Instant(), nullable=False),
        sa.Column("received_at", server.db.Instant(), nullable=False),
        sa.ForeignKeyConstraint(["plan"], ["plan.id"], name=op.f("fk_drill_plan")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drill")),
    )
    with op.batch_alter_table("drill", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_drill_scheduled_at"), ["scheduled_at"], unique=False)

    op.create_table(
        "duty",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("person", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("team", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("kind", sa.String(length=4), nullable=False),
        sa.Column("starts_at", server.db.Instant(), nullable=False),
        sa.Column("ends_at", server.db.Instant(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("occurred_at", server.db.Instant(), nullable=False),
        sa.Column("received_at", server.db.Instant(), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_duty_person")),
        sa.ForeignKeyConstraint(["team"], ["team.id"], name=op.f("fk_duty_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_duty")),
    )
    with op.batch_alter_table("duty", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_duty_team_starts_at"), ["team", "starts_at"], unique=False)

    op.create_table(
        "enrolment",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("person", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("created_at", server.db.Instant(), nullable=False),
        sa.Column("expires_at", server.db.Instant(), nullable=False),
        sa.Column("used_at", server.db.Instant(), nullable=True),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_enrolment_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enrolment")),
    )
    op.create_table(
        "membership",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("person", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("team", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("role", sa.String(length=12), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("ended_at", server.db.Instant(), nullable=True),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_membership_person")),
        sa.ForeignKeyConstraint(["team"], ["team.id"], name=op.f("fk_membership_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_membership")),
    )
    with op.batch_alter_table("membership", schema=None) as batch_op:
        batch_op.create_index("uq_membership_person_team", ["person", "team"], unique=True)

    op.create_table(
        "revision",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("plan", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("rules", server.db.Json(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("created_at", server.db.Instant(), nullable=False),
        sa.Column("approved_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("approved_at", server.db.Instant(), nullable=True),
        sa.ForeignKeyConstraint(["plan"], ["plan.id"], name=op.f("fk_revision_plan")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revision")),
    )
    with op.batch_alter_table("revision", schema=None) as batch_op:
        batch_op.create_index("uq_revision_plan_version", ["plan", "version"], unique=True)

    op.create_table(
        "supply",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("title", server.db.Json(), nullable=False),
        sa.Column("unit", server.db.Json(), nullable=False),
        sa.Column("place", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("minimum", sa.Integer(), nullable=False),
        sa.Column("serial", sa.Boolean(), nullable=False),
        sa.Column("serials", server.db.Json(), nullable=False),
        sa.Column("expires_at", server.db.Instant(), nullable=True),
        sa.ForeignKeyConstraint(["place"], ["place.id"], name=op.f("fk_supply_place")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_supply")),
        sa.UniqueConstraint("key", name=op.f("uq_supply_key")),
    )
    op.create_table(
        "incident",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("plan", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("revision", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("trigger", sa.String(length=80), nullable=True),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("levels", server.db.Json(), nullable=False),
        sa.Column("level", server.db.Json(), nullable=True),
        sa.Column("drill", sa.Boolean(), nullable=False),
        sa.Column("place", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("lat", sa.Float(), nullable=True),
        sa.Column("lon", sa.Float(), nullable=True),
        sa.Column("by", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("started_at", server.db.Instant(), nullable=False),
        sa.Column("received_at", server.db.Instant(), nullable=False),
        sa.Column("activated_at", server.db.Instant(), nullable=True),
        sa.Column("restored_at", server.db.Instant(), nullable=True),
        sa.Column("ended_at", server.db.Instant(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["by"], ["person.id"], name=op.f("fk_incident_by")),
        sa.ForeignKeyConstraint(["place"], ["place.id"], name=op.f("fk_incident_place")),
        sa.ForeignKeyConstraint(["plan"], ["plan.id"], name=op.f("fk_incident_plan")),
        sa.ForeignKeyConstraint(["revision"], ["revision.id"], name=op.f("fk_incident_revision")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident")),
    )
    with op.batch_alter_table("incident", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_incident_status_started_at"), ["status", "started_at"], unique=False)

    op.create_table(
        "sign_in",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("person", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("device", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("created_at", server.db.Instant(), nullable=False),
        sa.Column("used_at", server.db.Instant(), nullable=False),
        sa.Column("ended_at", server.db.Instant(), nullable=True),
        sa.ForeignKeyConstraint(["device"], ["device.id"], name=op.f("fk_sign_in_device")),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_sign_in_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in")),
    )
    with op.batch_alter_table("sign_in", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sign_in_device"), ["device"], unique=False)
        batch_op.create_index(batch_op.f("ix_sign_in_person"), ["person"], unique=False)

    op.create_table(
        "subscription",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("device", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("person", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("endpoint", sa.String(length=2048), nullable=False),
        sa.Column("origin", sa.String(length=300), nullable=False),
        sa.Column("p256dh", sa.LargeBinary(length=65), nullable=False),
        sa.Column("auth", sa.LargeBinary(length=16), nullable=False),
        sa.Column("vapid_public_key", sa.String(length=100), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("created_at", server.db.Instant(), nullable=False),
        sa.Column("proven_at", server.db.Instant(), nullable=True),
        sa.Column("ended_at", server.db.Instant(), nullable=True),
        sa.ForeignKeyConstraint(["device"], ["device.id"], name=op.f("fk_subscription_device")),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_subscription_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription")),
        sa.UniqueConstraint("device", name=op.f("uq_subscription_device")),
        sa.UniqueConstraint("endpoint", name=op.f("uq_subscription_endpoint")),
    )
    with op.batch_alter_table("subscription", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_subscription_person_state"), ["person", "state"], unique=False)

    op.create_table(
        "back_entry",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("incident", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("tier", sa.String(length=80), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("remaining", sa.Integer(), nullable=False),
        sa.Column("due_at", server.db.Instant(), nullable=True),
        sa.Column("by", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("occurred_at", server.db.Instant(), nullable=False),
        sa.Column("received_at", server.db.Instant(), nullable=False),
        sa.ForeignKeyConstraint(["incident"], ["incident.id"], name=op.f("fk_back_entry_incident")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_back_entry")),
    )
    with op.batch_alter_table("back_entry", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_back_entry_incident"), ["incident"], unique=False)

    op.create_table(
        "checklist",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("incident", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("team", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("title", server.db.Json(), nullable=False),
        sa.Column("ordered", sa.Boolean(), nullable=False),
        sa.Column("clause", server.db.Json(), nullable=True),
        sa.Column("made_at", server.db.Instant(), nullable=False),
        sa.ForeignKeyConstraint(["incident"], ["incident.id"], name=op.f("fk_checklist_incident")),
        sa.ForeignKeyConstraint(["team"], ["team.id"], name=op.f("fk_checklist_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checklist")),
    )
    with op.batch_alter_table("checklist", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_checklist_incident_key"), ["incident", "key"], unique=False)

    op.create_table(
        "decision",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("incident", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("subject", server.db.Json(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("by", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("occurred_at", server.db.Instant(), nullable=False),
        sa.Column("received_at", server.db.Instant(), nullable=False),
        sa.ForeignKeyConstraint(["incident"], ["incident.id"], name=op.f("fk_decision_incident")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision")),
    )
    with op.batch_alter_table("decision", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_decision_incident"), ["incident"], unique=False)

    op.create_table(
        "happening",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("incident", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("value", server.db.Json(), nullable=True),
        sa.Column("unit", sa.String(length=20), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("occurred_at", server.db.Instant(), nullable=False),
        sa.Column("received_at", server.db.Instant(), nullable=False),
        sa.ForeignKeyConstraint(["incident"], ["incident.id"], name=op.f("fk_happening_incident")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_happening")),
    )
    with op.batch_alter_table("happening", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_happening_incident_key_occurred_at"), ["incident", "key", "occurred_at"], unique=False
        )

    op.create_table(
        "incident_team",
        sa.Column("incident", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("team", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("since", server.db.Instant(), nullable=False),
        sa.ForeignKeyConstraint(["incident"], ["incident.id"], name=op.f("fk_incident_team_incident")),
        sa.ForeignKeyConstraint(["team"], ["team.id"], name=op.f("fk_incident_team_team")),
        sa.PrimaryKeyConstraint("incident", "team", name=op.f("pk_incident_team")),
    )
    op.create_table(
        "limit",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("incident", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("title", server.db.Json(), nullable=False),
        sa.Column("clause", server.db.Json(), nullable=True),
        sa.Column("owner_team", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("rule", server.db.Json(), nullable=False),
        sa.Column("consequence", server.db.Json(), nullable=True),
        sa.Column("started_at", server.db.Instant(), nullable=False),
        sa.Column("due_at", server.db.Instant(), nullable=False),
        sa.Column("length_seconds", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("fired_at", server.db.Instant(), nullable=True),
        sa.Column("ended_at", server.db.Instant(), nullable=True),
        sa.Column("paused_at", server.db.Instant(), nullable=True),
        sa.ForeignKeyConstraint(["incident"], ["incident.id"], name=op.f("fk_limit_incident")),
        sa.ForeignKeyConstraint(["owner_team"], ["team.id"], name=op.f("fk_limit_owner_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_limit")),
    )
    with op.batch_alter_table("limit", schema=None) as batch_op:
        batch_op.create_index("ix_limit_due", ["status", "due_at"], unique=False)
        batch_op.create_index("uq_limit_once", ["incident", "key", "started_at"], unique=True)

    op.create_table(
        "mode",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("incident", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("tier", sa.String(length=80), nullable=False),
        sa.Column("title", server.db.Json(), nullable=False),
        sa.Column("to", sa.String(length=8), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("occurred_at", server.db.Instant(), nullable=False),
        sa.Column("received_at", server.db.Instant(), nullable=False),
        sa.ForeignKeyConstraint(["incident"], ["incident.id"], name=op.f("fk_mode_incident")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mode")),
    )
    with op.batch_alter_table("mode", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_mode_incident_tier"), ["incident", "tier"], unique=False)

    op.create_table(
        "notice",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("incident", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=True),
        sa.Column("channel", sa.String(length=12), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("wording", server.db.Json(), nullable=False),
        sa.Column("eta", server.db.Instant(), nullable=True),
        sa.Column("previous", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("occurred_at", server.db.Instant(), nullable=False),
        sa.Column("received_at", server.db.Instant(), nullable=False),
        sa.Column("approved_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("approved_at", server.db.Instant(), nullable=True),
        sa.Column("published_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("published_at", server.db.Instant(), nullable=True),
        sa.Column("clause", server.db.Json(), nullable=True),
        sa.ForeignKeyConstraint(["incident"], ["incident.id"], name=op.f("fk_notice_incident")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
    )
    with op.batch_alter_table("notice", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_notice_incident"), ["incident"], unique=False)

    op.create_table(
        "order",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("incident", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("team", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("key", sa.String(length=80), nullable=True),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("title", server.db.Json(), nullable=False),
        sa.Column("text", server.db.Json(), nullable=False),
        sa.Column("critical", sa.Boolean(), nullable=False),
        sa.Column("read_back", sa.Boolean(), nullable=False),
        sa.Column("clause", server.db.Json(), nullable=True),
        sa.Column("alert", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("checklist", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("issued_at", server.db.Instant(), nullable=False),
        sa.Column("due_at", server.db.Instant(), nullable=True),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.ForeignKeyConstraint(["incident"], ["incident.id"], name=op.f("fk_order_incident")),
        sa.ForeignKeyConstraint(["team"], ["team.id"], name=op.f("fk_order_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order")),
    )
    with op.batch_alter_table("order", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_order_incident_key"), ["incident", "key"], unique=False)

    op.create_table(
        "report",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("incident", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("chain", sa.String(length=10), nullable=False),
        sa.Column("previous", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("type", sa.String(length=20), nullable=False),
        sa.Column("place", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("lat", sa.Float(), nullable=True),
        sa.Column("lon", sa.Float(), nullable=True),
        sa.Column("accuracy", sa.Float(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("counts", server.db.Json(), nullable=False),
        sa.Column("fields", server.db.Json(), nullable=False),
        sa.Column("by", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("occurred_at", server.db.Instant(), nullable=False),
        sa.Column("received_at", server.db.Instant(), nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("struck_reason", sa.Text(), nullable=True),
        sa.Column("struck_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("struck_at", server.db.Instant(), nullable=True),
        sa.Column("seen_at", server.db.Instant(), nullable=True),
        sa.ForeignKeyConstraint(["by"], ["person.id"], name=op.f("fk_report_by")),
        sa.ForeignKeyConstraint(["incident"], ["incident.id"], name=op.f("fk_report_incident")),
        sa.ForeignKeyConstraint(["place"], ["place.id"], name=op.f("fk_report_place")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report")),
    )
    with op.batch_alter_table("report", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_report_incident_occurred_at"), ["incident", "occurred_at"], unique=False)

    op.create_table(
        "request",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("incident", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("supply", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("for_team", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("to_place", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("sent", sa.Integer(), nullable=False),
        sa.Column("received", sa.Integer(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("void", sa.Integer(), nullable=False),
        sa.Column("returned", sa.Integer(), nullable=False),
        sa.Column("contested", sa.Boolean(), nullable=False),
        sa.Column("by", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("occurred_at", server.db.Instant(), nullable=False),
        sa.Column("received_at", server.db.Instant(), nullable=False),
        sa.ForeignKeyConstraint(["for_team"], ["team.id"], name=op.f("fk_request_for_team")),
        sa.ForeignKeyConstraint(["incident"], ["incident.id"], name=op.f("fk_request_incident")),
        sa.ForeignKeyConstraint(["supply"], ["supply.id"], name=op.f("fk_request_supply")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_request")),
    )
    with op.batch_alter_table("request", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_request_incident"), ["incident"], unique=False)

    op.create_table(
        "review",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("incident", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("due_at", server.db.Instant(), nullable=True),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("sections", server.db.Json(), nullable=False),
        sa.Column("outcomes", server.db.Json(), nullable=False),
        sa.Column("figures", server.db.Json(), nullable=False),
        sa.Column("clause", server.db.Json(), nullable=True),
        sa.Column("made_at", server.db.Instant(), nullable=False),
        sa.Column("signed_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("signed_at", server.db.Instant(), nullable=True),
        sa.ForeignKeyConstraint(["incident"], ["incident.id"], name=op.f("fk_review_incident")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review")),
    )
    op.create_table(
        "tally",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("incident", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("place", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("count", sa.Float(), nullable=False),
        sa.Column("window_seconds", sa.Integer(), nullable=True),
        sa.Column("by", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("occurred_at", server.db.Instant(), nullable=False),
        sa.Column("received_at", server.db.Instant(), nullable=False),
        sa.ForeignKeyConstraint(["incident"], ["incident.id"], name=op.f("fk_tally_incident")),
        sa.ForeignKeyConstraint(["place"], ["place.id"], name=op.f("fk_tally_place")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tally")),
    )
    with op.batch_alter_table("tally", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_tally_incident_place_occurred_at"), ["incident", "place", "occurred_at"], unique=False
        )

    op.create_table(
        "action",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("review", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("title", sa.String(length=300), nullable=False),
        sa.Column("owner", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("due", server.db.Instant(), nullable=True),
        sa.Column("done_at", server.db.Instant(), nullable=True),
        sa.Column("by", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("occurred_at", server.db.Instant(), nullable=False),
        sa.ForeignKeyConstraint(["review"], ["review.id"], name=op.f("fk_action_review")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_action")),
    )
    with op.batch_alter_table("action", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_action_review"), ["review"], unique=False)

    op.create_table(
        "alert",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("incident", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("order", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("team", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("title", server.db.Json(), nullable=False),
        sa.Column("body", server.db.Json(), nullable=False),
        sa.Column("level", server.db.Json(), nullable=True),
        sa.Column("critical", sa.Boolean(), nullable=False),
        sa.Column("read_back", sa.Boolean(), nullable=False),
        sa.Column("drill", sa.Boolean(), nullable=False),
        sa.Column("answers", server.db.Json(), nullable=False),
        sa.Column("clause", server.db.Json(), nullable=True),
        sa.Column("place", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("issued_at", server.db.Instant(), nullable=False),
        sa.Column("expires_at", server.db.Instant(), nullable=False),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("remind_at", server.db.Instant(), nullable=True),
        sa.Column("reminders", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["incident"], ["incident.id"], name=op.f("fk_alert_incident")),
        sa.ForeignKeyConstraint(["order"], ["order.id"], name=op.f("fk_alert_order")),
        sa.ForeignKeyConstraint(["team"], ["team.id"], name=op.f("fk_alert_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert")),
    )
    with op.batch_alter_table("alert", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_alert_incident"), ["incident"], unique=False)
        batch_op.create_index(batch_op.f("ix_alert_remind_at"), ["remind_at"], unique=False)

    op.create_table(
        "item",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("checklist", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("incident", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("team", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("title", server.db.Json(), nullable=False),
        sa.Column("unit", sa.String(length=20), nullable=True),
        sa.Column("min", sa.Float(), nullable=True),
        sa.Column("max", sa.Float(), nullable=True),
        sa.Column("choices", server.db.Json(), nullable=True),
        sa.Column("safety_critical", sa.Boolean(), nullable=False),
        sa.Column("not_applicable", sa.Boolean(), nullable=False),
        sa.Column("requires", server.db.Json(), nullable=False),
        sa.Column("rule", server.db.Json(), nullable=False),
        sa.Column("locked", server.db.Json(), nullable=True),
        sa.Column("clause", server.db.Json(), nullable=True),
        sa.ForeignKeyConstraint(["checklist"], ["checklist.id"], name=op.f("fk_item_checklist")),
        sa.ForeignKeyConstraint(["incident"], ["incident.id"], name=op.f("fk_item_incident")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_item")),
    )
    with op.batch_alter_table("item", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_item_checklist_position"), ["checklist", "position"], unique=False)
        batch_op.create_index(batch_op.f("ix_item_incident"), ["incident"], unique=False)

    op.create_table(
        "movement",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("request", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("incident", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=True),
        sa.Column("serial_from", sa.Integer(), nullable=True),
        sa.Column("serial_to", sa.Integer(), nullable=True),
        sa.Column("carrier", sa.String(length=120), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("by", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("occurred_at", server.db.Instant(), nullable=False),
        sa.Column("received_at", server.db.Instant(), nullable=False),
        sa.ForeignKeyConstraint(["request"], ["request.id"], name=op.f("fk_movement_request")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_movement")),
    )
    with op.batch_alter_table("movement", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_movement_request"), ["request"], unique=False)

    op.create_table(
        "photo",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("report", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("incident", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("person", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("mime", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.String(length=60), nullable=True),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("stored", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["report"], ["report.id"], name=op.f("fk_photo_report")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_photo")),
    )
    with op.batch_alter_table("photo", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_photo_report"), ["report"], unique=False)

    op.create_table(
        "mark",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("item", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("incident", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("team", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("value", server.db.Json(), nullable=False),
        sa.Column("unit", sa.String(length=20), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("photo", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("based_on", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("by", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("occurred_at", server.db.Instant(), nullable=False),
        sa.Column("received_at", server.db.Instant(), nullable=False),
        sa.ForeignKeyConstraint(["item"], ["item.id"], name=op.f("fk_mark_item")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mark")),
    )
    with op.batch_alter_table("mark", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_mark_item_occurred_at"), ["item", "occurred_at"], unique=False)

    op.create_table(
        "recipient",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("alert", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("incident", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("person", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("team", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("told_at", server.db.Instant(), nullable=True),
        sa.Column("delivered_at", server.db.Instant(), nullable=True),
        sa.Column("opened_at", server.db.Instant(), nullable=True),
        sa.Column("answered_at", server.db.Instant(), nullable=True),
        sa.Column("answer", sa.String(length=12), nullable=True),
        sa.Column("answer_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("answer_received_at", server.db.Instant(), nullable=True),
        sa.Column("eta_minutes", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("answered_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("answer_seen_at", server.db.Instant(), nullable=True),
        sa.Column("channels", server.db.Json(), nullable=False),
        sa.ForeignKeyConstraint(["alert"], ["alert.id"], name=op.f("fk_recipient_alert")),
        sa.ForeignKeyConstraint(["incident"], ["incident.id"], name=op.f("fk_recipient_incident")),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_recipient_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recipient")),
    )
    with op.batch_alter_table("recipient", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_recipient_incident_person"), ["incident", "person"], unique=False)
        batch_op.create_index(batch_op.f("ix_recipient_person"), ["person"], unique=False)
        batch_op.create_index("uq_recipient_alert_person", ["alert", "person"], unique=True)

    op.create_table(
        "answer",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("alert", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("recipient", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("eta_minutes", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("read_back", sa.Text(), nullable=True),
        sa.Column("by", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("occurred_at", server.db.Instant(), nullable=False),
        sa.Column("received_at", server.db.Instant(), nullable=False),
        sa.ForeignKeyConstraint(["alert"], ["alert.id"], name=op.f("fk_answer_alert")),
        sa.ForeignKeyConstraint(["recipient"], ["recipient.id"], name=op.f("fk_answer_recipient")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_answer")),
    )
    with op.batch_alter_table("answer", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_answer_recipient"), ["recipient"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("answer", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_answer_recipient"))

    op.drop_table("answer")
    with op.batch_alter_table("recipient", schema=None) as batch_op:
        batch_op.drop_index("uq_recipient_alert_person")
        batch_op.drop_index(batch_op.f("ix_recipient_person"))
        batch_op.drop_index(batch_op.f("ix_recipient_incident_person"))

    op.drop_table("recipient")
    with op.batch_alter_table("mark", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_mark_item_occurred_at"))

    op.drop_table("mark")
    with op.batch_alter_table("photo", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_photo_report"))

    op.drop_table("photo")
    with op.batch_alter_table("movement", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_movement_request"))

    op.drop_table("movement")
    with op.batch_alter_table("item", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_item_incident"))
        batch_op.drop_index(batch_op.f("ix_item_checklist_position"))

    op.drop_table("item")
    with op.batch_alter_table("alert", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_alert_remind_at"))
        batch_op.drop_index(batch_op.f("ix_alert_incident"))

    op.drop_table("alert")
    with op.batch_alter_table("action", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_action_review"))

    op.drop_table("action")
    with op.batch_alter_table("tally", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_tally_incident_place_occurred_at"))

    op.drop_table("tally")
    op.drop_table("review")
    with op.batch_alter_table("request", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_request_incident"))

    op.drop_table("request")
    with op.batch_alter_table("report", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_report_incident_occurred_at"))

    op.drop_table("report")
    with op.batch_alter_table("order", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_order_incident_key"))

    op.drop_table("order")
    with op.batch_alter_table("notice", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_notice_incident"))

    op.drop_table("notice")
    with op.batch_alter_table("mode", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_mode_incident_tier"))

    op.drop_table("mode")
    with op.batch_alter_table("limit", schema=None) as batch_op:
        batch_op.drop_index("uq_limit_once")
        batch_op.drop_index("ix_limit_due")

    op.drop_table("limit")
    op.drop_table("incident_team")
    with op.batch_alter_table("happening", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_happening_incident_key_occurred_at"))

    op.drop_table("happening")
    with op.batch_alter_table("decision", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_decision_incident"))

    op.drop_table("decision")
    with op.batch_alter_table("checklist", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_checklist_incident_key"))

    op.drop_table("checklist")
    with op.batch_alter_table("back_entry", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_back_entry_incident"))

    op.drop_table("back_entry")
    with op.batch_alter_table("subscription", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_subscription_person_state"))

    op.drop_table("subscription")
    with op.batch_alter_table("sign_in", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sign_in_person"))
        batch_op.drop_index(batch_op.f("ix_sign_in_device"))

    op.drop_table("sign_in")
    with op.batch_alter_table("incident", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_incident_status_started_at"))

    op.drop_table("incident")
    op.drop_table("supply")
    with op.batch_alter_table("revision", schema=None) as batch_op:
        batch_op.drop_index("uq_revision_plan_version")

    op.drop_table("revision")
    with op.batch_alter_table("membership", schema=None) as batch_op:
        batch_op.drop_index("uq_membership_person_team")

    op.drop_table("membership")
    op.drop_table("enrolment")
    with op.batch_alter_table("duty", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_duty_team_starts_at"))

    op.drop_table("duty")
    with op.batch_alter_table("drill", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_drill_scheduled_at"))

    op.drop_table("drill")
    with op.batch_alter_table("device", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_device_person"))

    op.drop_table("device")
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_delivery_recipient_state"))
        batch_op.drop_index("ix_delivery_queue")
        batch_op.drop_index(batch_op.f("ix_delivery_owner_state"))

    op.drop_table("delivery")
    with op.batch_alter_table("upload", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_upload_state_created_at"))

    op.drop_table("upload")
    op.drop_table("team")
    with op.batch_alter_table("space", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_space_changed_at"))

    op.drop_table("space")
    with op.batch_alter_table("sign_in_try", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sign_in_try_name_at"))
        batch_op.drop_index(batch_op.f("ix_sign_in_try_at"))
        batch_op.drop_index(batch_op.f("ix_sign_in_try_address_at"))

    op.drop_table("sign_in_try")
    with op.batch_alter_table("proposal", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_proposal_incident_status"))

    op.drop_table("proposal")
    op.drop_table("plan")
    op.drop_table("place")
    op.drop_table("person")
    op.drop_table("organisation")
    with op.batch_alter_table("fact", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_fact_person_received_at"))
        batch_op.drop_index(batch_op.f("ix_fact_outcome_received_at"))

    op.drop_table("fact")
    op.drop_table("epoch")
    with op.batch_alter_table("entry", schema=None) as batch_op:
        batch_op.drop_index("uq_entry_incident_seq")

    op.drop_table("entry")
    with op.batch_alter_table("change", schema=None) as batch_op:
        batch_op.drop_index("uq_change_space_version")
        batch_op.drop_index(batch_op.f("ix_change_type_entity"))

    op.drop_table("change")
    op.drop_table("chain")
