"""Erasing people from the console, and the receipt."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.types import Outcome
from tests.workers.console.seen import named, see
from tests.workers.console.world import Browser, World
from workers.console.access.roles import Role


@pytest.fixture
def root(world: World) -> Browser:
    return world.logged_in(Role.ADMINISTRATOR, "root")


@pytest.fixture
def ada(world: World, tmp_path: Path) -> str:
    """Somebody who is enrolled and was seen twice; once only somebody said so."""
    subject = world.enroll(tmp_path, "Ada", 1)
    see(world, "k1", 1, **named(subject))
    see(world, "d1", 2, outcome=Outcome.UNKNOWN)
    return subject


def test_what_will_be_gone_is_said_first(world: World, root: Browser, ada: str) -> None:
    page = root.get(f"/people/{ada}/erase").text
    for says in (
        "Erase Ada",
        "1 photograph with",
        "1 decision named them",
        "1 track is kept as theirs",
        "cannot be undone",
    ):
        assert says in page
    preview = root.get(f"/api/v1/people/{ada}/erasure").json()
    assert (preview["templates"], preview["sightings"], preview["faces"]) == (1, 1, 1)
    assert f'href="/people/{ada}/erase"' in root.get(f"/people/{ada}").text
    assert world.gallery.subjects(), "asking erases nobody"


def test_erased_means_that_nothing_can_be_read_any_more(world: World, root: Browser, ada: str) -> None:
    sha = world.gallery.templates(ada)[0].photo.sha256
    wrong = root.send(f"/people/{ada}/erase", name="ada")
    assert wrong.status_code == 422
    assert "nobody was erased" in wrong.text
    answer = root.send(f"/people/{ada}/erase", name=" Ada ")
    assert answer.headers["location"] == f"/people/erased/{ada}"
    page = root.get(answer.headers["location"]).text
    assert "Ada" not in page
    assert ada in page
    for path in (
        f"/people/{ada}",
        f"/people/{ada}/photos/{sha}",
        f"/people/{ada}/photos/{sha}/face",
        "/sightings/k1",
        "/sightings/k1/face",
        f"/people/{ada}/erase",
    ):
        assert root.get(path).status_code == 404, path
    assert root.send(f"/people/{ada}/erase", name="Ada").status_code == 404
    assert root.get("/sightings/d1/face").status_code == 200
    assert "Ada" not in root.get("/people").text
    everything = b"".join(path.read_bytes() for path in world.database.folder.glob("pinwatch.db*"))
    assert b"Ada" not in everything.replace(b"Adam", b"")


def test_the_receipt_can_be_downloaded_and_names_nobody(world: World, root: Browser, ada: str) -> None:
    made = root.api("POST", f"/people/{ada}/erasure", json={"name": "Ada"}).json()
    assert (made["subject_id"], made["templates"], made["sightings"], made["tracks"]) == (ada, 1, 1, 1)
    text = root.get(f"/people/erased/{ada}/receipt")
    assert text.headers["content-type"].startswith("text/plain")
    assert f'filename="erased-{ada}.txt"' in text.headers["content-disposition"]
    assert "Photographs:               1" in text.text
    as_json = root.get(f"/people/erased/{ada}/receipt?form=json")
    assert json.loads(as_json.text) == made == root.get(f"/api/v1/people/{ada}/receipt").json()
    assert "Ada" not in text.text + as_json.text
    for wrong in ("..%2f..%2fpinwatch", "%2e%2e", "nobody", "x" * 100):
        assert root.get(f"/people/erased/{wrong}").status_code == 404
        assert root.get(f"/people/erased/{wrong}/receipt").status_code == 404


def test_who_was_removed_can_be_erased(world: World, root: Browser, ada: str) -> None:
    world.gallery.remove(ada)
    assert f'href="/people/{ada}/erase"' in root.get("/people/removed").text
    assert root.send(f"/people/{ada}/erase", name="Ada").status_code == 303
    assert "Nobody was removed" in root.get("/people/removed").text


def test_tracks_that_people_said_were_them_go_too(world: World, root: Browser, ada: str) -> None:
    (group,) = root.get("/api/v1/unknowns").json()["groups"]
    root.api("POST", "/unknowns/assign", json={"groups": [group["id"]], "name": "Ada", "photos": 0})
    assert root.get(f"/api/v1/people/{ada}/erasure").json()["faces"] == 2
    root.send(f"/people/{ada}/erase", name="Ada")
    assert root.get("/sightings/d1").status_code == 404
    assert root.get("/api/v1/unknowns?state=assigned").json()["groups"] == []


def test_only_administrators_erase_and_all_of_it_is_recorded(world: World, root: Browser, ada: str) -> None:
    operator = world.logged_in(Role.OPERATOR, "op")
    assert operator.send(f"/people/{ada}/erase", name="Ada").status_code == 403
    assert operator.get("/people/removed").status_code == 403
    page = operator.get(f"/people/{ada}").text
    assert "/erase" not in page
    assert "Remove Ada" in page
    world.record.records.clear()
    root.send(f"/people/{ada}/erase", name="Ada")
    assert [(what, subjects) for _, what, subjects in world.record.records] == [
        ("erasure considered", (ada,)),
        ("erasure begun", (ada,)),
    ]


def test_somebody_called_like_code_is_harmless(world: World, root: Browser, tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>"
    subject = world.enroll(tmp_path, evil, 3)
    for path in (f"/people/{subject}/erase", "/people"):
        assert "<img src=x" not in root.get(path).text
    world.gallery.remove(subject)
    assert "<img src=x" not in root.get("/people/removed").text
    assert root.send(f"/people/{subject}/erase", name=evil).status_code == 303
