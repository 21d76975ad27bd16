"""A database and a desk for every test."""

from __future__ import annotations

import pytest

from gallery.database import Database
from tests.workers.alerts.world import Desk


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)
