"""Canary faces of the robustness gauge, and how the attacks on them went."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

TIME = sa.String(length=32)
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _people()
    _runs()
    op.create_table(
        "canary_alarms",
        sa.Column("id", ROW_ID, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.Column("until", TIME),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_canary_alarms"),
        sqlite_autoincrement=True,
    )


def _people() -> None:
    op.create_table(
        "canaries",
        sa.Column("canary_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("consent", sa.Text(), nullable=False),
        sa.Column("taken_by", sa.String(length=200), nullable=False),
        sa.Column("taken_at", TIME, nullable=False),
        sa.Column("until", TIME, nullable=False),
        sa.PrimaryKeyConstraint("canary_id", name="pk_canaries"),
        sa.UniqueConstraint("name", name="uq_canaries_name"),
    )
    op.create_table(
        "canary_photos",
        sa.Column("photo_id", sa.String(length=32), nullable=False),
        sa.Column("canary_id", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("enrolled", sa.Boolean(), nullable=False),
        sa.Column("crop", sa.LargeBinary(), nullable=False),
        sa.Column("quality", sa.Float(), nullable=False),
        sa.Column("detector_id", sa.String(length=200), nullable=False),
        sa.Column("align_version", sa.String(length=200), nullable=False),
        sa.Column("probed_at", TIME),
        sa.PrimaryKeyConstraint("photo_id", name="pk_canary_photos"),
        sa.ForeignKeyConstraint(
            ["canary_id"],
            ["canaries.canary_id"],
            name="fk_canary_photos_canary_id",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_canary_photos_canary_id", "canary_photos", ["canary_id"])


def _runs() -> None:
    op.create_table(
        "canary_runs",
        sa.Column("run_id", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("ended_at", TIME),
        sa.Column("asked_by", sa.String(length=200), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("circumstances", sa.Text()),
        sa.PrimaryKeyConstraint("run_id", name="pk_canary_runs"),
    )
    op.create_index("ix_canary_runs_started_at", "canary_runs", ["started_at"])
    op.create_table(
        "canary_results",
        sa.Column("id", ROW_ID, autoincrement=True, nullable=False),
        sa.Column("run_id", sa.String(length=32), nullable=False),
        sa.Column("photo_id", sa.String(length=32), nullable=False),
        sa.Column("threat_model", sa.String(length=16), nullable=False),
        sa.Column("attack", sa.String(length=100), nullable=False),
        sa.Column("eps_255", sa.Float(), nullable=False),
        sa.Column("goal", sa.String(length=16), nullable=False),
        sa.Column("purified", sa.Boolean(), nullable=False),
        sa.Column("correct", sa.Boolean(), nullable=False),
        sa.Column("false_name", sa.Boolean(), nullable=False),
        sa.Column("suspected", sa.Boolean()),
        sa.PrimaryKeyConstraint("id", name="pk_canary_results"),
        sa.ForeignKeyConstraint(["run_id"], ["canary_runs.run_id"], name="fk_canary_results_run_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_canary_results_run_id", "canary_results", ["run_id"])


def downgrade() -> None:
    for table in ("canary_alarms", "canary_results", "canary_runs", "canary_photos", "canaries"):
        op.drop_table(table)
