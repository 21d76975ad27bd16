"""Where readers show their pictures."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "reader_previews",
        sa.Column("reader_id", sa.String(length=64), nullable=False),
        sa.Column("url", sa.String(length=500), nullable=False),
        sa.PrimaryKeyConstraint("reader_id", name="pk_reader_previews"),
    )


def downgrade() -> None:
    op.drop_table("reader_previews")
