"""The tests of faces, searches, groups of unknowns and verdicts once more, on PostgreSQL."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from audit.search.faces import FaceStore
from audit.unknowns.grouper import Grouper
from audit.unknowns.groups import GroupStore
from audit.unknowns.linkage import Linkage
from gallery.database import Database
from tests.audit.search.test_by_face import *  # noqa: F403
from tests.audit.search.test_faces import *  # noqa: F403
from tests.audit.search.test_pages import *  # noqa: F403
from tests.audit.test_verdicts import *  # noqa: F403
from tests.audit.unknowns.conftest import another_subject, enrolled  # noqa: F401 - theirs
from tests.audit.unknowns.people import KEY, face, person
from tests.audit.unknowns.test_groups import *  # noqa: F403
from tests.postgres.conftest import database  # noqa: F401 - instead of theirs

pytestmark = pytest.mark.postgres


def test_groupers_that_share_a_database_place_every_track_once(
    database: Database,  # noqa: F811 - the fixture
    address: str,
    tmp_path: Path,
) -> None:
    """Four at once: each person is one group, whoever placed their tracks."""
    FaceStore(database).keep([face(number, person(number % 5)) for number in range(100)])
    others = [Database.connect(address, tmp_path / "data") for _ in range(4)]
    placed: list[str] = []

    def work(own: Database) -> None:
        grouper = Grouper(own, KEY, Linkage(0.5))
        while done := grouper.run(limit=7):
            placed.extend(one.decision_id for one in done)

    threads = [threading.Thread(target=work, args=(own,)) for own in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for own in others:
        own.close()
    assert sorted(placed) == [f"d{number:03d}" for number in range(100)]
    assert [group.size for group in GroupStore(database).groups()] == [20] * 5
