"""What leans on locks, on PostgreSQL: many at once, and the tables themselves."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gallery.database import Database
from pipeline.errors import UsageError
from tests.conftest import Requirement, need
from tests.postgres.server import running
from tests.workers.console.world import PASSWORD, World
from workers.console.access.attempts import BY_USER, Attempts
from workers.console.access.roles import Role
from workers.console.access.users import UserChange


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    need(Requirement.POSTGRES)
    with running() as server:
        opened = Database.connect(server.address(), tmp_path_factory.mktemp("data"))
        yield opened
        opened.close()


def together(count: int, work: object) -> None:
    """Let `work` run in so many threads at once."""
    assert callable(work)
    gate = threading.Barrier(count)

    def wait_and_work(number: int) -> None:
        gate.wait()
        work(number)

    threads = [threading.Thread(target=wait_and_work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_the_way_in_and_round(shared: Database, tmp_path: Path) -> None:
    world = World(shared)
    group = world.access.groups.add("north", ["gate"])
    browser = world.logged_in(Role.OPERATOR, "op", [group.id])
    for path in ("/sightings", "/people", "/account", "/api/v1/me"):
        assert browser.get(path).status_code == 200
    world.access.groups.remove(group.id)
    assert browser.get("/api/v1/me").json()["cameras"] == []
    assert browser.send("/logout").status_code == 303


def test_many_guesses_at_once_are_all_counted(shared: Database) -> None:
    attempts = Attempts(shared, lambda: 1_700_000_000_000_000_000)
    waits: list[float] = []
    together(12, lambda number: waits.append(attempts.begin("victim", "10.0.0.1")))
    assert sum(wait == 0 for wait in waits) == BY_USER.free + 1


def test_of_two_administrators_who_remove_each_other_one_stays(shared: Database) -> None:
    world = World(shared)
    ids = [world.user(name, Role.ADMINISTRATOR) for name in ("one", "two")]
    refused: list[str] = []

    def disable(number: int) -> None:
        try:
            world.access.users.change(ids[number], UserChange(disabled=True))
        except UsageError as error:
            refused.append(str(error))

    together(2, disable)
    assert len(refused) == 1


def test_a_link_is_used_once_however_many_try(shared: Database) -> None:
    world = World(shared)
    secret = world.access.links.issue(world.access.users.add("new", Role.VIEWER).id)
    used: list[bool] = []
    together(4, lambda number: used.append(world.access.links.accept(secret, "", PASSWORD) is not None))
    assert sorted(used) == [False, False, False, True]
