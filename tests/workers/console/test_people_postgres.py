"""Faces, unknown people, watch lists and erasing on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gallery.database import Database
from tests.conftest import Requirement, need
from tests.postgres.server import running
from tests.workers.console.seen import named, see
from tests.workers.console.world import World
from workers.console.access.roles import Role


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Database]:
    need(Requirement.POSTGRES)
    with running() as server:
        opened = Database.connect(server.address(), tmp_path / "data")
        yield opened
        opened.close()


def test_from_a_face_to_a_person_on_a_list_to_nobody(shared: Database, tmp_path: Path) -> None:
    world = World(shared)
    root = world.logged_in(Role.ADMINISTRATOR, "root")
    ada = world.enroll(tmp_path, "Ada", 1)
    see(world, "k1", 1, **named(ada))
    for name in ("d1", "d2"):
        see(world, name, 2)
    see(world, "d3", 4)
    assert [one["size"] for one in root.get("/api/v1/unknowns?limit=1").json()["groups"]] == [2]
    assert root.get("/api/v1/sightings/d1/alike").json()["compared"] == 4
    done = root.api("POST", "/sightings/d1/enroll", json={"name": "Bo", "whole_group": True}).json()
    bo = done["subject_id"]
    assert done["group_id"]
    assert root.send("/sightings/k1/verdict", was="Bo", note="a\x00b").status_code == 303
    assert [one["name"] for one in root.get("/api/v1/sightings/k1/verdicts").json()] == ["Bo"]
    made = root.api("POST", "/lists", json={"name": "Guests"}).json()["id"]
    put = root.api("PUT", f"/lists/{made}/members/{bo}", json={"note": "a friend"})
    assert put.json()["members"][0]["note"] == "a friend"
    assert root.api("PUT", f"/lists/{made}", json={"name": "Friends"}).json()["members"] == 1
    for path in ("/sightings", "/sightings/k1", "/unknowns?show=all", f"/people/{bo}", f"/people/{bo}/erase"):
        assert root.get(path).status_code == 200
    assert root.send(f"/people/{bo}/erase", name="Bo").status_code == 303
    assert root.get("/sightings/d1").status_code == 404
    assert root.get(f"/api/v1/lists/{made}").json()["members"] == []
    assert root.api("DELETE", f"/lists/{made}").status_code == 204
