"""Run by Alembic: migrates on the connection, and inside the transaction, that the caller gives.

DDL is transactional on both databases that we aim at, so an upgrade is done whole or not at all.
"""

from __future__ import annotations

from alembic import context

from gallery.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
