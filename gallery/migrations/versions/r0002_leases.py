"""Readers share the cameras: who is there, and who holds which."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "readers",
        sa.Column("reader_id", sa.String(length=64), nullable=False),
        sa.Column("beat", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("reader_id", name="pk_readers"),
    )
    op.create_table(
        "camera_leases",
        sa.Column("camera_id", sa.String(length=200), nullable=False),
        sa.Column("reader_id", sa.String(length=64), nullable=False),
        sa.Column("beat", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("camera_id", name="pk_camera_leases"),
    )


def downgrade() -> None:
    op.drop_table("camera_leases")
    op.drop_table("readers")
