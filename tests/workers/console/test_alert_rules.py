"""Rules and deliveries: made, changed and removed by administrators, and recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gallery.lists import WatchLists
from tests.workers.console.world import Browser, World
from workers.alerts.rule_store import RuleStore
from workers.alerts.rules import Kind
from workers.console.access.roles import Role


@pytest.fixture
def root(world: World) -> Browser:
    return world.logged_in(Role.ADMINISTRATOR, "root")


def test_a_rule_is_made_changed_and_removed_on_pages(world: World, root: Browser, tmp_path: Path) -> None:
    ada = world.enroll(tmp_path, "Ada", 1)
    world.access.groups.add("all", ["gate"])
    banned = WatchLists(world.database).add("banned")
    made = root.send(
        "/rules/new",
        name="night watch",
        kind="list",
        watch_list=banned.id,
        cameras="gate",
        schedule="Mon-Fri 22:00-06:00\r\nSat,Sun 00:00-24:00",
        severity="critical",
        sound="true",
        gap_min="2.5",
        enabled="true",
    )
    assert made.status_code == 303, made.text
    (rule,) = RuleStore(world.database).all()
    assert (rule.when.list_id, rule.cameras, rule.cooldown_s) == (banned.id, ("gate",), 150)
    assert rule.schedule.text() == "Mon-Fri 22:00-06:00\nSat-Sun 00:00-24:00"
    page = root.get("/rules").text
    assert "on the list banned" in page
    form = root.get(f"/rules/{rule.id}").text
    assert "Mon-Fri 22:00-06:00" in form
    assert root.send(f"/rules/{rule.id}", name="ada", kind="person", person="Ada").status_code == 303
    (rule,) = RuleStore(world.database).all()
    assert (rule.when.kind, rule.when.subject_id, rule.enabled) == (Kind.PERSON, ada, False)
    assert 'value="Ada"' in root.get(f"/rules/{rule.id}").text
    assert root.send(f"/rules/{rule.id}/remove").status_code == 303
    assert RuleStore(world.database).all() == []
    changes = [what for what in world.record.what() if "alert rule" in what and "to be" in what]
    assert len(changes) == 3
    assert f"from list {banned.id}; cameras gate; hours Mon-Fri 22:00-06:00; Sat-Sun" in changes[1]
    assert f"to person {ada}; cameras all; hours always" in changes[1]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"kind": "list", "watch_list": "none such"}, "no watch list"),
        ({"kind": "person", "person": "Nobody"}, "nobody is enrolled"),
        ({"schedule": "sometimes"}, "is no window of a schedule"),
        ({"gap_min": "-1"}, "a visit is over after"),
        ({"gap_min": "nan"}, "gap_min"),
        ({"deliveries": "nobody"}, "not, or no longer, there"),
        ({"name": "  "}, "cannot be the name"),
        ({"severity": "mild"}, "severity"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_in_words(
    root: Browser, changed: dict[str, Any], said: str
) -> None:
    answer = root.send("/rules/new", **{"name": "x", "kind": "known", **changed})
    assert answer.status_code in (404, 422)
    assert said in answer.text


def test_a_name_is_taken_once(root: Browser) -> None:
    assert root.send("/rules/new", name="one", kind="known").status_code == 303
    assert root.send("/rules/new", name="ONE", kind="unknown").status_code == 422


def test_rules_by_the_api(world: World, root: Browser) -> None:
    body = {"name": "night", "kind": "unknown", "schedule": ["22:00-06:00"], "cooldown_s": 60}
    made = root.api("POST", "/alert-rules", json=body)
    assert made.status_code == 201, made.text
    rule = made.json()
    assert rule["schedule"] == ["daily 22:00-06:00"]
    changed = root.api("PUT", f"/alert-rules/{rule['id']}", json={**body, "sound": True})
    assert changed.json()["sound"] is True
    assert [one["name"] for one in root.get("/api/v1/alert-rules").json()] == ["night"]
    for wrong in (
        {"kind": "list"},
        {"kind": "known", "subject_id": "x"},
        {"cooldown_s": 1e12},
        {"kind": "x"},
    ):
        assert root.api("POST", "/alert-rules", json={**body, "name": "n", **wrong}).status_code == 422
    assert root.api("DELETE", f"/alert-rules/{rule['id']}").status_code == 204
    assert root.api("DELETE", f"/alert-rules/{rule['id']}").status_code == 404
    assert root.api("PUT", f"/alert-rules/{rule['id']}", json=body).status_code == 404


def test_the_secret_of_a_webhook_is_shown_once_and_never_recorded(world: World, root: Browser) -> None:
    made = root.api(
        "POST",
        "/alert-deliveries",
        json={"name": "hook", "way": "webhook", "url": "https://hooks.example.org/T0/topsecret"},
    )
    assert made.status_code == 201
    secret = made.json()["secret"]
    assert len(secret) > 40
    path = f"/alert-deliveries/{made.json()['id']}"
    assert secret not in root.get("/api/v1/alert-deliveries").text
    assert secret not in root.get("/deliveries").text
    another = root.send(f"/deliveries/{made.json()['id']}/secret")
    assert 'class="secret"' in another.text
    assert secret not in another.text
    assert root.api("POST", f"{path}/test").status_code == 202
    (state,) = root.get("/api/v1/alert-deliveries").json()
    assert (state["waiting"], state["last_error"]) == (1, "")
    recorded = " ".join(world.record.what())
    assert "hooks.example.org" in recorded
    assert "topsecret" not in recorded
    assert secret not in recorded
    assert root.api("DELETE", path).status_code == 204
    assert root.api("DELETE", path).status_code == 404


def test_deliveries_are_made_changed_tested_and_removed_on_pages(world: World, root: Browser) -> None:
    form = {
        "name": "guards",
        "way": "mail",
        "addresses": "ann@example.org, ben@example.org",
        "enabled": "true",
    }
    assert root.send("/deliveries", **form).status_code == 303
    (one,) = root.get("/api/v1/alert-deliveries").json()
    assert one["addresses"] == ["ann@example.org", "ben@example.org"]
    path = f"/deliveries/{one['id']}"
    assert root.send(path, **{**form, "names": "true", "addresses": "cy@example.org"}).status_code == 303
    page = root.get("/deliveries").text
    assert "cy@example.org" in page
    assert root.send(f"{path}/secret").status_code == 422
    tested = root.send(f"{path}/test")
    assert tested.status_code == 303
    assert "A test is on its way" in root.get(tested.headers["location"]).text
    hook = root.send("/deliveries", name="hook", way="webhook", url="https://example.org/", enabled="true")
    assert 'class="secret"' in hook.text
    assert root.send("/deliveries", name="bad", way="webhook", url="file:///etc/passwd").status_code == 422
    assert root.send("/deliveries", name="bad", way="mqtt", topic="a/#").status_code == 422
    rule = {"name": "r", "kind": "known", "deliveries": one["id"]}
    assert root.send("/rules/new", **rule).status_code == 303
    assert "guards" in root.get("/rules").text
    assert root.send(f"{path}/remove").status_code == 303
    assert RuleStore(world.database).all()[0].deliveries == ()


def test_only_administrators_see_rules_and_deliveries(world: World) -> None:
    for role in (Role.VIEWER, Role.OPERATOR, Role.AUDITOR):
        browser = world.logged_in(role)
        for path in (
            "/rules",
            "/rules/new",
            "/deliveries",
            "/api/v1/alert-rules",
            "/api/v1/alert-deliveries",
        ):
            assert browser.get(path).status_code == 403
        assert "/rules" not in browser.get("/alerts").text


def test_prometheus_is_told_what_waits(world: World, root: Browser) -> None:
    form = {"name": "guards", "way": "mail", "addresses": "ann@example.org", "enabled": "true"}
    assert root.send("/deliveries", **form).status_code == 303
    (one,) = root.get("/api/v1/alert-deliveries").json()
    assert root.send(f"/deliveries/{one['id']}/test").status_code == 303
    told = root.get("/metrics").text
    assert "pinwatch_alerts_open 0.0" in told
    assert 'pinwatch_alert_deliveries_waiting{delivery="guards"} 1.0' in told
