"""The tests of `tests/audit/test_sightings.py` once more, on PostgreSQL."""

from __future__ import annotations

import pytest

from tests.audit.test_sightings import *  # noqa: F403
from tests.postgres.conftest import database  # noqa: F401 - instead of theirs

pytestmark = pytest.mark.postgres

del test_a_full_disk_keeps_none_of_a_batch, test_the_first_durable_write_wins  # noqa: F821 - about files
