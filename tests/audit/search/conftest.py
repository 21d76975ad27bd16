"""The same database as the tests of groups have."""

from __future__ import annotations

from tests.audit.unknowns.conftest import database, enrolled, schema_only

__all__ = ["database", "enrolled", "schema_only"]
