"""The tests of `tests/gallery/test_store.py` once more, on PostgreSQL."""

from __future__ import annotations

import pytest

from tests.gallery.conftest import enroller, people, store, thresholds  # noqa: F401 - theirs
from tests.gallery.test_store import *  # noqa: F403
from tests.postgres.conftest import database  # noqa: F401 - instead of theirs

pytestmark = pytest.mark.postgres

del test_a_second_process_sees_what_the_first_wrote  # noqa: F821 - about files
