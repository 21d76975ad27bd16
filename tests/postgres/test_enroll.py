"""The tests of `tests/gallery/test_enroll.py` once more, on PostgreSQL."""

from __future__ import annotations

import pytest

from tests.gallery.conftest import enroller, people, store, thresholds  # noqa: F401 - theirs
from tests.gallery.test_enroll import *  # noqa: F403
from tests.postgres.conftest import database  # noqa: F401 - instead of theirs

pytestmark = pytest.mark.postgres
