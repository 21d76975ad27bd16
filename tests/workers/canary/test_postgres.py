"""The stores once more, on PostgreSQL; and two consoles that ask at once."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from gallery.database import Database
from tests.postgres.conftest import address, database, server  # noqa: F401 - instead of ours
from tests.workers.canary.test_runs import *  # noqa: F403
from tests.workers.canary.test_store import *  # noqa: F403
from workers.canary.alarm import AlarmKind, AlarmStore
from workers.canary.records import Run
from workers.canary.runs import RunStore

pytestmark = pytest.mark.postgres


def together(count: int, work: Callable[[], None]) -> None:
    gate = threading.Barrier(count)

    def wait_and_work() -> None:
        gate.wait()
        work()

    threads = [threading.Thread(target=wait_and_work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_an_alarm_that_several_find_is_one(database: Database) -> None:  # noqa: F811
    together(6, lambda: AlarmStore(database).settle({AlarmKind.CLEAN: "too few"}))
    assert len(AlarmStore(database).history(10)) == 1


def test_of_many_who_ask_at_once_one_measures(database: Database) -> None:  # noqa: F811
    claimed: list[Run | None] = []
    together(6, lambda: claimed.append(RunStore(database).claim("a test", every_s=60, limit_s=60)))
    assert [run is not None for run in claimed].count(True) == 1
