"""Who was erased, and the tracks whose keys go with them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "erasures",
        sa.Column("subject_id", sa.String(length=32), nullable=False),
        sa.Column("erased_at", sa.String(length=32), nullable=False),
        sa.Column("gallery_epoch", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject_id", name="pk_erasures"),
    )
    op.create_table(
        "erased_tracks",
        sa.Column("scope", sa.String(length=700), nullable=False),
        sa.Column("erased_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("scope", name="pk_erased_tracks"),
    )


def downgrade() -> None:
    op.drop_table("erased_tracks")
    op.drop_table("erasures")
