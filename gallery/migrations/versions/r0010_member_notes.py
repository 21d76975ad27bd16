"""Why somebody is on a watch list."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("list_members", sa.Column("note", sa.Text()))


def downgrade() -> None:
    op.drop_column("list_members", "note")
