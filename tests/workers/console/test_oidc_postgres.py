"""What leans on locks and constraints, on PostgreSQL: the same person many times at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from gallery.database import Database
from tests.conftest import Requirement, need
from tests.postgres.server import running
from workers.console.access.identities import Arrival, Granted, Identities, Identity
from workers.console.access.links import Links
from workers.console.access.passwords import Passwords
from workers.console.access.roles import Role
from workers.console.access.secret import digest
from workers.console.access.users import User, Users
from workers.console.oidc.pending import Pending, PendingLogins

NOW_NS = 1_700_000_000_000_000_000


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    need(Requirement.POSTGRES)
    with running() as server:
        opened = Database.connect(server.address(), tmp_path_factory.mktemp("data"))
        yield opened
        opened.close()


def together(database: Database, arrivals: list[Arrival]) -> list[User | None]:
    """Let all of them in at once."""
    gate, came = threading.Barrier(len(arrivals)), list[User | None]()
    identities = Identities(database, lambda: NOW_NS)

    def come_in(arrival: Arrival) -> None:
        gate.wait()
        came.append(identities.admit(arrival))

    threads = [threading.Thread(target=come_in, args=(arrival,)) for arrival in arrivals]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(came) == len(arrivals)
    return came


def test_one_person_who_comes_in_many_times_at_once_is_one_user(shared: Database) -> None:
    identity = Identity("https://login.example.org", "one")
    came = together(shared, [Arrival(identity, "ada", Granted(Role.VIEWER))] * 6)
    assert len({user.id for user in came if user is not None}) == 1
    assert None not in came


def test_of_two_who_share_an_invitation_one_has_it(shared: Database) -> None:
    users = Users(shared, lambda: NOW_NS)
    invited = users.add("bo", Role.OPERATOR)
    link = digest(Links(shared, Passwords(), lambda: NOW_NS).issue(invited.id))
    arrivals = [
        Arrival(Identity("https://login.example.org", subject), subject, Granted(), link)
        for subject in ("bo-1", "bo-2")
    ]
    came = together(shared, arrivals)
    assert sorted(user is None for user in came) == [False, True]
    assert {user.id for user in came if user is not None} == {invited.id}


def test_a_login_is_finished_once_however_many_try(shared: Database) -> None:
    pending = PendingLogins(shared, lambda: NOW_NS)
    pending.begin("secret", Pending("/", None))
    gate, taken = threading.Barrier(4), list[bool]()

    def take() -> None:
        gate.wait()
        taken.append(pending.take("secret") is not None)

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == [False, False, False, True]
