"""Groups of unknown people: shown, assigned, merged, split, ignored, and only as far as a user sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from audit.unknowns.records import GroupState
from tests.workers.console.seen import named, see
from tests.workers.console.world import Browser, World
from workers.console.access.roles import Role

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def root(world: World) -> Browser:
    return world.logged_in(Role.ADMINISTRATOR, "root")


@pytest.fixture
def seen(world: World) -> World:
    """Two people: one by two cameras, three times; the other once."""
    see(world, "d1", 2, last_seen_at="2025-01-31T08:00:01.000Z")
    see(world, "d2", 2, last_seen_at="2025-01-31T09:00:01.000Z")
    see(world, "d3", 2, camera_id="hall", last_seen_at="2025-01-31T10:00:01.000Z")
    see(world, "d4", 4, last_seen_at="2025-01-31T11:00:01.000Z")
    return world


def groups(browser: Browser, query: str = "") -> list[dict[str, Any]]:
    answer = browser.get(f"/api/v1/unknowns{query}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["groups"]
    return found


def of(world: World, browser: Browser, size: int) -> str:
    """The group of so many sightings."""
    return next(str(group["id"]) for group in groups(browser) if group["size"] == size)


def guard(world: World, camera: str, role: Role = Role.OPERATOR) -> Browser:
    group = world.access.groups.add(f"{role} {camera}", [camera])
    return world.logged_in(role, f"{role} of {camera}", [group.id])


def test_groups_are_listed_with_what_their_tracks_add_up_to(seen: World, root: Browser) -> None:
    one, three = groups(root)
    assert (one["size"], one["cover"], one["cameras"], one["state"]) == (1, "d4", ["gate"], "open")
    assert (three["size"], three["cameras"]) == (3, ["gate", "hall"])
    assert three["first_seen_at"] < three["last_seen_at"] < one["last_seen_at"]
    page = root.get("/unknowns").text
    for group in (one, three):
        assert f'href="/unknowns/{group["id"]}"' in page
        assert f'src="/sightings/{group["cover"]}/face"' in page
    assert [group["id"] for group in groups(root, "?camera=hall")] == [three["id"]]
    first = root.get("/api/v1/unknowns?limit=1").json()
    assert (len(first["groups"]), first["next"]) == (1, 1)
    rest = root.get("/api/v1/unknowns?limit=1&start=1").json()
    assert ([group["id"] for group in rest["groups"]], rest["next"]) == ([three["id"]], None)


def test_users_see_only_tracks_and_faces_of_their_cameras(seen: World, root: Browser) -> None:
    three = of(seen, root, 3)
    hall, cellar = guard(seen, "hall"), guard(seen, "cellar")
    (own,) = groups(hall)
    assert (own["id"], own["size"], own["cover"], own["cameras"]) == (three, 1, "d3", ["hall"])
    shown = hall.get(f"/api/v1/unknowns/{three}").json()
    assert [member["decision_id"] for member in shown["members"]] == ["d3"]
    assert shown["hidden"] == 2
    page = hall.get(f"/unknowns/{three}").text
    assert "2 more by cameras that you do not see" in page
    assert "/sightings/d1" not in page
    assert hall.get(f"/unknowns/{of(seen, root, 1)}").status_code == 404
    assert groups(hall, "?camera=gate") == []
    assert groups(cellar) == []
    assert cellar.get(f"/unknowns/{three}").status_code == 404
    for action in ("ignore", "merge", "assign"):
        assert cellar.send("/unknowns", action=action, group=three, name="x").status_code == 404
    split = hall.api("POST", f"/unknowns/{three}/split", json={"decisions": ["d1"]})
    assert split.status_code == 422
    assert len(groups(root)) == 2


def test_a_group_is_assigned_and_enrolled(seen: World, root: Browser) -> None:
    three = of(seen, root, 3)
    answer = root.send(f"/unknowns/{three}/assign", name="Eileen")
    (eileen,) = seen.gallery.subjects()
    assert answer.headers["location"] == f"/people/{eileen.id}"
    (group,) = groups(root, "?state=assigned")
    assert (group["id"], group["subject_id"]) == (three, eileen.id)
    page = root.get("/unknowns?show=assigned").text
    assert f'<a href="/people/{eileen.id}">Eileen</a>' in page
    assert [group["size"] for group in groups(root)] == [1]
    again = root.api(
        "POST", "/unknowns/assign", json={"groups": [of(seen, root, 1)], "name": "Eileen", "photos": 0}
    )
    assert (again.json()["subject_id"], again.json()["results"]) == (eileen.id, [])
    nobody = root.api("POST", "/unknowns/assign", json={"groups": [three], "name": "Nobody", "photos": 0})
    assert nobody.status_code == 404


def test_several_groups_become_one_person_at_once(seen: World, root: Browser) -> None:
    ids = [group["id"] for group in groups(root)]
    answer = root.send("/unknowns", action="assign", group=ids, name="Eileen", allow_lookalike="true")
    (eileen,) = seen.gallery.subjects()
    assert answer.headers["location"] == f"/people/{eileen.id}"
    assert {group["subject_id"] for group in groups(root, "?state=assigned")} == {eileen.id}
    assert groups(root) == []


def test_what_nobody_can_be_enrolled_from_is_not_assigned(seen: World, root: Browser) -> None:
    see(seen, "d5", 4)
    ada = root.api("POST", "/sightings/d4/enroll", json={"name": "Ada"}).json()["subject_id"]
    one = of(seen, root, 2)
    for path, fields in ((f"/unknowns/{one}/assign", {}), ("/unknowns", {"action": "assign", "group": one})):
        page = root.send(path, name="Not Ada", **fields)
        assert page.status_code == 200
        assert "Nobody was enrolled" in page.text
        assert f'href="/people/{ada}"' in page.text
        assert 'value="Not Ada"' in page.text
    assert len(groups(root)) == 2
    assert root.send(f"/unknowns/{one}/assign", name="../x").status_code == 422


def test_groups_are_merged_and_split_again(seen: World, root: Browser) -> None:
    ids = [group["id"] for group in groups(root)]
    merged = root.send("/unknowns", action="merge", group=ids).headers["location"]
    (one,) = groups(root)
    assert (merged, one["size"]) == (f"/unknowns/{one['id']}", 4)
    gone = next(name for name in ids if name != one["id"])
    assert root.get(f"/api/v1/unknowns/{gone}").json()["group"]["id"] == one["id"], "its id leads there"
    away = root.send(f"/unknowns/{one['id']}/split", track=["d4", "d3"]).headers["location"]
    assert sorted(group["size"] for group in groups(root)) == [2, 2]
    assert 'href="/sightings/d4"' in root.get(away).text
    assert root.send(f"/unknowns/{one['id']}/split").status_code == 422
    assert root.send("/unknowns", action="merge", group=one["id"]).status_code == 422
    assert root.send("/unknowns", action="merge").status_code == 422
    both = root.api("POST", "/unknowns/merge", json={"groups": [group["id"] for group in groups(root)]})
    assert both.json()["group_id"] in {one["id"], away.removeprefix("/unknowns/")}


def test_groups_are_ignored_and_reopened(seen: World, root: Browser) -> None:
    one, three = of(seen, root, 1), of(seen, root, 3)
    assert root.send("/unknowns", action="ignore", group=[one]).headers["location"] == "/unknowns?show=open"
    assert [group["id"] for group in groups(root)] == [three]
    assert [group["id"] for group in groups(root, "?state=ignored")] == [one]
    assert 'value="open"' in root.get(f"/unknowns/{one}").text
    root.send(f"/unknowns/{one}/state", state="open")
    root.send(f"/unknowns/{three}/state", state="ignored")
    changed = root.api("PATCH", f"/unknowns/{three}", json={"state": "open", "label": EVIL}).json()
    assert (changed["group"]["state"], changed["group"]["label"]) == (GroupState.OPEN, EVIL)
    assert root.api("PATCH", f"/unknowns/{three}", json={"state": "assigned"}).status_code == 422
    assert root.send(f"/unknowns/{three}/label", label="x" * 201).status_code == 422
    for path in ("/unknowns", f"/unknowns/{three}", f"/unknowns/{one}?alike=true"):
        assert "<img src=x" not in root.get(path).text
    root.send(f"/unknowns/{three}/label", label="")
    assert f"Unknown {three[:6]}" in root.get(f"/unknowns/{three}").text


def test_groups_that_may_be_one_person_are_found(world: World, root: Browser) -> None:
    see(world, "d1", 2)
    see(world, "d2", 2)
    (group,) = groups(root)
    away = root.api("POST", f"/unknowns/{group['id']}/split", json={"decisions": ["d2"]}).json()["group_id"]
    assert root.get(f"/api/v1/unknowns/{away}/alike").json() == [], "held to be two by a person"
    root.api("POST", "/unknowns/merge", json={"groups": [group["id"], away]})
    see(world, "d3", 5)
    other = next(one["id"] for one in groups(root) if one["size"] == 1)
    page = root.get(f"/unknowns/{other}?alike=true").text
    assert "No other group is alike" in page
    assert "Look for groups that are alike" in root.get(f"/unknowns/{other}").text


def test_every_look_and_change_is_recorded(seen: World, root: Browser, tmp_path: Path) -> None:
    ada = seen.enroll(tmp_path, "Ada", 1)
    see(seen, "k1", 1, **named(ada))
    one = of(seen, root, 1)
    root.api("POST", "/unknowns/assign", json={"groups": [one], "name": "Ada", "photos": 0})
    seen.record.records.clear()
    root.get("/unknowns?show=all")
    root.get(f"/unknowns/{one}")
    root.send(f"/unknowns/{one}/state", state="open")
    assert [(what, subjects) for _, what, subjects in seen.record.records] == [
        ("unknown people listed", (ada,)),
        (f"group of unknown people {one} shown", (ada,)),
        (f"group of unknown people {one} reopened", (ada,)),
    ]


def test_a_viewer_sees_no_groups_and_an_auditor_changes_none(seen: World) -> None:
    viewer, auditor = guard(seen, "gate", Role.VIEWER), guard(seen, "gate", Role.AUDITOR)
    assert viewer.get("/unknowns").status_code == 403
    page = auditor.get("/unknowns")
    assert page.status_code == 200
    assert "Assign" not in page.text
    (one, _) = groups(auditor)
    assert "Who is it?" not in auditor.get(f"/unknowns/{one['id']}").text
    assert auditor.send("/unknowns", action="ignore", group=one["id"]).status_code == 403
    assert 'href="/unknowns/' in auditor.get("/sightings/d1").text
