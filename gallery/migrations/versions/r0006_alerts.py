"""Alert rules, visits and alerts, and what is still to be delivered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

TIME = sa.String(length=32)
ROW_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    version = op.create_table(
        "alert_version",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.Column("rules", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_alert_version"),
    )
    op.bulk_insert(version, [{"id": 1, "value": 0, "rules": 0}])
    op.create_table(
        "alert_rules",
        sa.Column("rule_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("rule_id", name="pk_alert_rules"),
        sa.UniqueConstraint("name", name="uq_alert_rules_name"),
    )
    _alerts()
    _deliveries()


def _alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("alert_id", sa.String(length=32), nullable=False),
        sa.Column("rule_id", sa.String(length=32), nullable=False),
        sa.Column("rule_name", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("severity", sa.String(length=16), nullable=False),
        sa.Column("urgency", sa.Integer(), nullable=False),
        sa.Column("sound", sa.Boolean(), nullable=False),
        sa.Column("subject_id", sa.String(length=32)),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("standing", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("merged_into", sa.String(length=32)),
        sa.Column("suspected", sa.Boolean(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("first_at", TIME, nullable=False),
        sa.Column("last_at", TIME, nullable=False),
        sa.Column("assigned_to", sa.String(length=32)),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("alert_id", name="pk_alerts"),
        sa.ForeignKeyConstraint(["assigned_to"], ["console_users.user_id"], name="fk_alerts_assigned_to"),
    )
    op.create_index("ix_alerts_subject_id", "alerts", ["subject_id"])
    op.create_index("ix_alerts_version", "alerts", ["version"])
    op.create_index("ix_alerts_open", "alerts", ["state", "standing", "urgency", "last_at"])
    op.create_table(
        "alert_hits",
        sa.Column("hit_id", sa.String(length=32), nullable=False),
        sa.Column("alert_id", sa.String(length=32), nullable=False),
        sa.Column("rule_id", sa.String(length=32), nullable=False),
        sa.Column("who", sa.String(length=80), nullable=False),
        sa.Column("claim", sa.String(length=32), nullable=False),
        sa.Column("track", sa.String(length=32), nullable=False),
        sa.Column("camera_id", sa.String(length=200), nullable=False),
        sa.Column("first_at", TIME, nullable=False),
        sa.Column("last_at", TIME, nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("decision_id", sa.String(length=64), nullable=False),
        sa.Column("outcome", sa.String(length=32), nullable=False),
        sa.Column("similarity", sa.Float()),
        sa.PrimaryKeyConstraint("hit_id", name="pk_alert_hits"),
        _of_alert("alert_hits"),
    )
    op.create_index("ix_alert_hits_alert_id", "alert_hits", ["alert_id"])
    op.create_index("ix_alert_hits_track", "alert_hits", ["track"])
    op.create_index("ix_alert_hits_visit", "alert_hits", ["rule_id", "who", "last_at"])
    op.create_table(
        "alert_events",
        sa.Column("id", ROW_ID, autoincrement=True, nullable=False),
        sa.Column("alert_id", sa.String(length=32), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("user_id", sa.String(length=32)),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("camera_id", sa.String(length=200)),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_alert_events"),
        _of_alert("alert_events"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_alert_events_alert_id", "alert_events", ["alert_id"])


def _deliveries() -> None:
    op.create_table(
        "alert_deliveries",
        sa.Column("delivery_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("retry_ns", sa.BigInteger(), nullable=False),
        sa.Column("claimed_by", sa.String(length=64)),
        sa.Column("claimed_until_ns", sa.BigInteger(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.Column("last_sent_at", TIME),
        sa.PrimaryKeyConstraint("delivery_id", name="pk_alert_deliveries"),
        sa.UniqueConstraint("name", name="uq_alert_deliveries_name"),
    )
    op.create_table(
        "alert_outbox",
        sa.Column("id", ROW_ID, autoincrement=True, nullable=False),
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("delivery_id", sa.String(length=32), nullable=False),
        sa.Column("alert_id", sa.String(length=32)),
        sa.Column("event", sa.String(length=16), nullable=False),
        sa.Column("created_ns", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_alert_outbox"),
        sa.UniqueConstraint("key", name="uq_alert_outbox_key"),
        sa.ForeignKeyConstraint(
            ["delivery_id"],
            ["alert_deliveries.delivery_id"],
            name="fk_alert_outbox_delivery_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alerts.alert_id"], name="fk_alert_outbox_alert_id", ondelete="CASCADE"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_alert_outbox_alert_id", "alert_outbox", ["alert_id"])
    op.create_index("ix_alert_outbox_waiting", "alert_outbox", ["delivery_id", "state", "id"])


def _of_alert(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["alert_id"], ["alerts.alert_id"], name=f"fk_{table}_alert_id", ondelete="CASCADE"
    )


def downgrade() -> None:
    for table in ("outbox", "deliveries", "events", "hits"):
        op.drop_table(f"alert_{table}")
    op.drop_table("alerts")
    for table in ("rules", "version"):
        op.drop_table(f"alert_{table}")
