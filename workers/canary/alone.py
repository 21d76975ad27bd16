"""Several consoles on one database: who looks and then writes has to be alone meanwhile."""

from __future__ import annotations

from sqlalchemy import Connection, Table, text


def alone(connection: Connection, table: Table) -> None:
    """Until the transaction ends nobody else writes `table`; others read it. SQLite has one writer anyhow."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"LOCK TABLE {table.name} IN SHARE ROW EXCLUSIVE MODE"))
