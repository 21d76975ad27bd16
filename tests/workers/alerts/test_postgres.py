"""The same on PostgreSQL, where several really write at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gallery.database import Database
from tests.conftest import Requirement, need
from tests.postgres.server import running
from tests.workers.alerts.test_order import cleared, dump, write_at_once
from tests.workers.alerts.world import Track
from workers.alerts.deliveries.outbox import Outbox
from workers.alerts.handling import AlertConflict, By, Handling
from workers.alerts.records import State

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    need(Requirement.POSTGRES)
    with running() as server:
        opened = Database.connect(server.address(), tmp_path_factory.mktemp("data"))
        yield opened
        opened.close()


def test_many_that_write_at_once_make_one_visit(shared: Database) -> None:
    with cleared(shared) as desk:
        write_at_once(desk)
        (visit,) = desk.alerts(State.OPEN)
        assert visit.sightings == 4 * 5


def test_writing_again_changes_nothing(shared: Database) -> None:
    with cleared(shared) as desk:
        batch = [Track(number=n, start_s=n * 50.0).says(0, "a" * 16, end=True) for n in range(4)]
        desk.take(*batch, Track(number=9).says(0, "b" * 16), Track(number=9).says(1, None))
        before = dump(shared)
        desk.take(*batch, Track(number=9).says(0, "b" * 16), Track(number=9).says(1, None))
        assert dump(shared) == before


def test_a_receiver_is_claimed_by_one_process_and_an_alert_by_one_person(shared: Database) -> None:
    with cleared(shared) as desk:
        desk.take(Track().says(0, "a" * 16))
        one, two = (Outbox(shared, lambda: 10**18, me) for me in ("one", "two"))
        assert one.claim() is not None
        assert two.claim() is None
        handling = Handling(shared, lambda: 10**18, lambda changed: None)
        handling.acknowledge(desk.only().id, By("u1", "ann"))
        with pytest.raises(AlertConflict, match="ann was faster"):
            handling.acknowledge(desk.only().id, By("u2", "ben"))
