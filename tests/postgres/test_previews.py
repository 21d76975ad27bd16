"""The tests of `tests/workers/test_preview_places.py` once more, on PostgreSQL."""

from __future__ import annotations

import pytest

from tests.postgres.conftest import database  # noqa: F401 - instead of theirs
from tests.workers.test_preview_places import *  # noqa: F403

pytestmark = pytest.mark.postgres
