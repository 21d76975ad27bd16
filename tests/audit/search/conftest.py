"""The same database as the tests of groups have."""

from __future__ import annotations

from tests.audit.unknowns.conftest import enrolled

__all__ = ["enrolled"]
