"""A console for every test."""

from __future__ import annotations

import pytest

from gallery.database import Database
from tests.workers.console.world import World


@pytest.fixture
def world(database: Database) -> World:
    return World(database)
