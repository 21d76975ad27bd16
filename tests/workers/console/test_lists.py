"""Watch lists from the console, and from the page of a person."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.ledger.entries import Kind
from tests.workers.console.world import Browser, World
from workers.console.access.roles import Role

EVIL = "<script>alert(1)</script>"


@pytest.fixture
def operator(world: World) -> Browser:
    return world.logged_in(Role.OPERATOR, "op")


def make(browser: Browser, name: str = "Banned", **fields: object) -> str:
    answer = browser.api("POST", "/lists", json={"name": name, **fields})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_lists_are_made_changed_and_removed_by_pages(world: World, operator: Browser) -> None:
    assert "There is none yet" in operator.get("/lists").text
    place = operator.send(
        "/lists",
        name="Banned",
        purpose="thefts",
        owner="desk",
        priority="5",
        threshold="0,35",
        until="2033-05-17T10:00",
    ).headers["location"]
    page = operator.get(place).text
    for says in (
        "Banned",
        "thefts",
        "owner desk",
        "priority 5",
        "threshold 0.350",
        "until 2033-05-17 10:00:00",
    ):
        assert says in page
    assert 'value="2033-05-17T10:00"' in page
    operator.send(f"{place}/change", name="Barred", purpose="thefts of May")
    assert "Barred" in operator.get("/lists").text
    (found,) = operator.get("/api/v1/lists").json()
    assert (found["name"], found["purpose"], found["threshold"]) == ("Barred", "thefts of May", None)
    assert f"/lists/{found['id']}" == place
    assert operator.send(f"{place}/remove").headers["location"] == "/lists"
    assert operator.get(place).status_code == 404
    changes = [(kind, fields["what"], fields["by"]) for kind, fields in world.ledger.entries]
    assert set(changes) == {
        (Kind.GALLERY, "change-list", "op (console)"),
        (Kind.GALLERY, "rename-list", "op (console)"),
        (Kind.GALLERY, "remove-list", "op (console)"),
    }


def test_people_are_put_on_a_list_with_a_note_and_an_end(
    world: World, operator: Browser, tmp_path: Path
) -> None:
    ada = world.enroll(tmp_path, "Ada", 1)
    banned = make(operator)
    operator.send(f"/lists/{banned}/members", who="Ada", until="2033-05-17T10:00", note=EVIL)
    page = operator.get(f"/lists/{banned}").text
    assert "2033-05-17 10:00:00" in page
    assert EVIL not in page
    (member,) = operator.get(f"/api/v1/lists/{banned}").json()["members"]
    assert (member["subject_id"], member["note"]) == (ada, EVIL)
    assert world.record.records[-1][1:] == (f"watch list {banned} shown", (ada,))
    person = operator.get(f"/people/{ada}").text
    assert f'href="/lists/{banned}"' in person
    assert EVIL not in person
    api = operator.api("PUT", f"/lists/{banned}/members/{ada}", json={"note": "bicycle"}).json()
    assert (api["members"][0]["note"], api["members"][0]["expires_at"]) == ("bicycle", None)
    assert operator.api("DELETE", f"/lists/{banned}/members/{ada}").status_code == 204
    assert operator.api("DELETE", f"/lists/{banned}/members/{ada}").status_code == 422
    assert operator.api("PUT", f"/lists/{banned}/members/nobody", json={}).status_code == 404


def test_from_the_page_of_a_person_one_comes_back_to_it(
    world: World, operator: Browser, tmp_path: Path
) -> None:
    ada = world.enroll(tmp_path, "Ada", 1)
    assert "Put on a watch list" not in operator.get(f"/people/{ada}").text
    banned = make(operator)
    assert "Put on a watch list" in operator.get(f"/people/{ada}").text
    back = operator.send("/lists/members", list_id=banned, who=ada, note="x", next=f"/people/{ada}")
    assert back.headers["location"] == f"/people/{ada}"
    off = operator.send(f"/lists/{banned}/members/{ada}/remove", next="//evil.example")
    assert off.headers["location"] == f"/lists/{banned}"
    assert world.gallery.subject(ada).name == "Ada"


REFUSED: list[tuple[dict[str, object], str]] = [
    ({"name": "Banned"}, "a watch list 'Banned' already"),
    ({"name": ""}, "it is empty"),
    ({"name": "a/b"}, "slash"),
    ({"name": "x", "threshold": 2}, "less than 1"),
    ({"name": "x", "expires_at": "2030-01-01T00:00"}, "has no zone"),
    ({"name": "x", "purpose": "p" * 2001}, "2000 characters"),
    ({"name": "x", "priority": 10**12}, "less than or equal"),
]


def test_what_cannot_be_a_list_is_refused(operator: Browser) -> None:
    banned, guests = make(operator), make(operator, "Guests")
    for body, says in REFUSED:
        answer = operator.api("POST", "/lists", json=body)
        assert answer.status_code == 422, body
        assert says in answer.json()["detail"]
    assert operator.api("PUT", f"/lists/{guests}", json={"name": "Banned"}).status_code == 422
    assert operator.send("/lists", name="x", threshold="high").status_code == 422
    assert operator.send("/lists", name="x", threshold="nan").status_code == 422
    assert operator.send(f"/lists/{banned}/members", who="nobody").status_code == 404
    assert operator.send(f"/lists/{banned}/members", who="x", until="soon").status_code in (404, 422)
    assert len(operator.get("/api/v1/lists").json()) == 2


def test_a_list_that_is_over_takes_nobody(world: World, operator: Browser, tmp_path: Path) -> None:
    world.enroll(tmp_path, "Ada", 1)
    old = make(operator, "Old", expires_at="2020-01-01T00:00:00Z")
    answer = operator.send(f"/lists/{old}/members", who="Ada")
    assert answer.status_code == 422
    assert "expired" in answer.text


def test_an_auditor_only_reads(world: World, operator: Browser) -> None:
    banned = make(operator, EVIL.replace("/", ""))
    auditor = world.logged_in(Role.AUDITOR, "auditor")
    page = auditor.get(f"/lists/{banned}")
    assert page.status_code == 200
    assert "<script>alert" not in page.text
    assert "Put somebody on it" not in page.text
    assert auditor.send(f"/lists/{banned}/remove").status_code == 403
    assert world.logged_in(Role.VIEWER, "viewer").get("/lists").status_code == 403
