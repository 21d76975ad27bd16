"""The desk: who sees which alerts, who saw to them first, and what is put down about it."""

from __future__ import annotations

import threading
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import StorageError
from pipeline.types import Outcome
from tests.workers.alerts.world import Track
from tests.workers.console.world import Browser, World
from workers.alerts.engine import AlertEngine
from workers.alerts.rule_store import RuleStore
from workers.alerts.rules import Kind, Rule, Severity, When
from workers.console.access.roles import Permission, Role

EVIL = "<img src=x onerror=alert(1)>"


class Scene:
    """A console in which alerts are raised."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.ada = world.enroll(folder, "Ada", 1)
        self.rules = RuleStore(world.database, now_ns=world.clock.now_ns)
        self.engine = AlertEngine(world.database, UTC, now_ns=world.clock.now_ns)
        self.groups = {name: world.access.groups.add(name, [name]).id for name in ("gate", "yard")}

    def rule(self, name: str = "known people", **changed: Any) -> Rule:
        return self.rules.add(Rule("", name, changed.pop("when", When(Kind.KNOWN)), **changed))

    def see(self, camera: str = "gate", number: int = 1, start_s: float = 0.0, **changed: Any) -> None:
        sighting = Track(camera, number, start_s).says(0, changed.pop("who", self.ada), end=True, **changed)
        self.world.sightings.write([sighting])
        self.engine.write([sighting])

    def log_in(self, role: Role, name: str, *groups: str) -> Browser:
        return self.world.logged_in(role, name, [self.groups[group] for group in groups])


@pytest.fixture
def scene(world: World, tmp_path: Path) -> Scene:
    return Scene(world, tmp_path)


def listed(browser: Browser, query: str = "") -> list[dict[str, Any]]:
    answer = browser.get(f"/api/v1/alerts{query}")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["alerts"])


def test_an_alert_is_listed_and_shown_with_its_evidence(scene: Scene) -> None:
    scene.rule(severity=Severity.CRITICAL)
    scene.see()
    operator = scene.log_in(Role.OPERATOR, "op", "gate")
    (alert,) = listed(operator)
    assert (alert["rule"], alert["name"], alert["camera"], alert["state"]) == (
        "known people", "Ada", "gate", "open",
    )  # fmt: skip
    page = operator.get("/alerts").text
    assert "Ada" in page
    assert f'href="/alerts/{alert["id"]}"' in page
    shown = operator.get(f"/alerts/{alert['id']}").text
    decision = operator.get(f"/api/v1/alerts/{alert['id']}").json()["evidence"][0]["decision_id"]
    assert f'href="/sightings/{decision}"' in shown
    assert "0.800" in shown
    assert operator.get(f"/sightings/{decision}").status_code == 200
    assert scene.world.record.records[-3][1:] == (f"alert {alert['id']} shown", (scene.ada,))


def test_open_alerts_come_first_by_severity_and_then_by_time(scene: Scene) -> None:
    root = scene.world.logged_in(Role.ADMINISTRATOR, "root")
    for name, severity in (("i", Severity.INFO), ("c", Severity.CRITICAL)):
        scene.rule(name, severity=severity, cooldown_s=1)
    scene.see(number=1)
    scene.see(number=2, start_s=100)
    order = [(alert["rule"], alert["last_at"][14:19]) for alert in listed(root)]
    assert order == [("c", "01:41"), ("c", "00:01"), ("i", "01:41"), ("i", "00:01")]
    first = listed(root)[0]["id"]
    assert root.api("POST", f"/alerts/{first}/acknowledge").status_code == 200
    assert listed(root)[-1]["state"] in ("open", "acknowledged")
    assert [alert["state"] for alert in listed(root)] == ["open", "open", "open", "acknowledged"]
    assert len(listed(root, "?severity=critical&state=open")) == 1
    assert len(listed(root, "?since=2025-01-31T08:01:00Z")) == 2
    pages = root.get("/api/v1/alerts?limit=3").json()
    assert (len(pages["alerts"]), pages["next"], pages["open"]) == (3, 3, 3)
    assert len(listed(root, "?limit=3&start=3")) == 1


def test_an_alert_is_seen_by_whoever_sees_one_of_its_cameras_and_nothing_of_the_others(scene: Scene) -> None:
    scene.rule()
    scene.see("gate")
    scene.see("yard", start_s=60)
    scene.rule("vault", cameras=("vault",))
    scene.see("vault", start_s=120)
    yard = scene.log_in(Role.OPERATOR, "yard", "yard")
    blind = scene.log_in(Role.OPERATOR, "blind")
    (alert,) = listed(yard)
    assert (alert["cameras"], alert["camera"], alert["sightings"]) == (["yard"], "yard", 1)
    page = yard.get(f"/alerts/{alert['id']}").text
    assert "gate" not in page.replace("navigate", "")
    assert "vault" not in page
    assert listed(yard, "?camera=gate") == []
    assert listed(blind) == []
    missing, hidden = blind.get("/api/v1/alerts/none"), blind.get(f"/api/v1/alerts/{alert['id']}")
    assert (hidden.status_code, hidden.json()) == (404, missing.json())
    assert blind.send(f"/alerts/{alert['id']}/acknowledge").status_code == 404


def test_of_two_who_acknowledge_the_first_wins_and_the_second_is_told(scene: Scene) -> None:
    scene.rule()
    scene.see()
    one, two = (scene.log_in(Role.OPERATOR, name, "gate") for name in ("ann", "ben"))
    (alert,) = listed(one)
    path = f"/alerts/{alert['id']}/acknowledge"
    assert one.send(path, note="went there").status_code == 303
    late = two.send(path, note="me too")
    assert late.status_code == 409
    assert "ann was faster" in late.text
    history = two.get(f"/api/v1/alerts/{alert['id']}").json()["history"]
    assert [(event["kind"], event["by"], event["text"]) for event in history[1:]] == [
        ("acknowledged", "ann", "went there")
    ]
    assert any(what == f"alert {alert['id']} to be acknowledged" for what in scene.world.record.what())


def test_at_the_same_moment_exactly_one_of_many_wins(scene: Scene) -> None:
    scene.rule()
    scene.see()
    root = scene.world.logged_in(Role.ADMINISTRATOR, "root")
    (alert,) = listed(root)
    programs = [
        scene.world.token(scene.world.user(f"user {n}", Role.ADMINISTRATOR), Permission.WRITE_ALERTS,
                          Permission.READ_ALERTS)
        for n in range(4)
    ]  # fmt: skip
    codes: list[int] = []
    gate = threading.Barrier(len(programs))

    def acknowledge(number: int) -> None:
        gate.wait()
        codes.append(programs[number].post(f"/api/v1/alerts/{alert['id']}/acknowledge").status_code)

    threads = [threading.Thread(target=acknowledge, args=(number,)) for number in range(len(programs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [200, 409, 409, 409]


def test_reopening_assigning_and_notes(scene: Scene) -> None:
    scene.rule()
    scene.see()
    operator = scene.log_in(Role.OPERATOR, "op", "gate")
    other = scene.world.user("other", Role.OPERATOR)
    viewer = scene.world.user("viewer", Role.VIEWER)
    (alert,) = listed(operator)
    path = f"/alerts/{alert['id']}"
    assert operator.send(f"{path}/reopen").status_code == 409
    assert operator.send(f"{path}/acknowledge").status_code == 303
    assert operator.send(f"{path}/reopen", note="they are back").status_code == 303
    assert operator.send(f"{path}/assign", user_id=other).status_code == 303
    assert operator.send(f"{path}/assign", user_id="nobody we know").status_code == 422
    assert operator.send(f"{path}/notes", text="looked twice").status_code == 303
    assert operator.send(f"{path}/notes", text=" ").status_code == 422
    page = operator.get(path).text
    assert "In charge: <strong>other</strong>" in page
    assert "looked twice" in page
    assert f'value="{other}"' in page
    assert f'value="{viewer}"' not in page  # who cannot acknowledge is not put in charge
    assert listed(operator, f"?assigned_to={other}")
    assert "other" in operator.get("/alerts").text
    assert operator.get("/alerts?mine=true").text.count("data-row") == 0


def test_a_withdrawn_alert_says_why_and_is_not_acknowledged(scene: Scene) -> None:
    scene.rule()
    scene.engine.write([Track().says(0, scene.ada)])
    scene.engine.write([Track().says(1, None, reason="nobody is near")])
    root = scene.world.logged_in(Role.ADMINISTRATOR, "root")
    (alert,) = listed(root)
    assert alert["state"] == "withdrawn"
    assert "nobody is near" in root.get(f"/alerts/{alert['id']}").text
    late = root.api("POST", f"/alerts/{alert['id']}/acknowledge")
    assert (late.status_code, "withdrawn" in late.json()["detail"]) == (409, True)


def test_the_bar_counts_open_alerts_that_the_user_sees(scene: Scene) -> None:
    scene.rule()
    scene.see("gate")
    scene.see("yard", start_s=9000)
    root = scene.world.logged_in(Role.ADMINISTRATOR, "root")
    gate, blind = (scene.log_in(Role.VIEWER, name, *groups) for name, groups in (("g", ["gate"]), ("b", [])))
    count = '<span class="count"><span class="unseen">open: </span>{}</span>'.format
    assert count(2) in root.get("/account").text
    assert count(1) in gate.get("/account").text
    assert 'class="count"' not in blind.get("/account").text


def test_a_suspected_attack_is_told_on_the_alert_of_its_candidate(scene: Scene) -> None:
    scene.rule(when=When(Kind.PERSON, subject_id=scene.ada))
    scene.see(outcome=Outcome.SUSPECTED_ATTACK)
    root = scene.world.logged_in(Role.ADMINISTRATOR, "root")
    (alert,) = listed(root)
    assert alert["attack_suspected"]
    page = root.get("/alerts").text
    assert "suspected attack" in page
    assert "Ada" in page


def test_viewers_and_auditors_look_and_change_nothing(scene: Scene) -> None:
    scene.rule()
    scene.see()
    for role in (Role.VIEWER, Role.AUDITOR):
        browser = scene.log_in(role, str(role), "gate")
        (alert,) = listed(browser)
        page = browser.get(f"/alerts/{alert['id']}").text
        assert "Acknowledge" not in page
        assert browser.send(f"/alerts/{alert['id']}/acknowledge").status_code == 403
        assert browser.get("/rules").status_code == 403


def test_what_people_wrote_is_never_code(scene: Scene) -> None:
    scene.world.gallery.rename(scene.ada, "<img src=x onerror=alert(1)>".replace("/", ""))
    scene.rule("<img src=x>")
    scene.see(EVIL)
    root = scene.world.logged_in(Role.ADMINISTRATOR, "root")
    (alert,) = listed(root)
    assert root.send(f"/alerts/{alert['id']}/notes", text=EVIL).status_code == 303
    rule = scene.rules.all()[0].id
    for path in ("/alerts", f"/alerts/{alert['id']}", "/rules", f"/rules/{rule}"):
        page = root.get(path).text
        assert "&lt;img src=x" in page
        assert "<img src=x" not in page


def test_what_cannot_be_recorded_is_neither_shown_nor_done(scene: Scene) -> None:
    scene.rule()
    scene.see()
    root = scene.world.logged_in(Role.ADMINISTRATOR, "root")
    (alert,) = listed(root)
    root.form_token("/account")
    scene.world.record.full = StorageError("no space left")
    assert root.get("/alerts").status_code == 503
    assert root.send(f"/alerts/{alert['id']}/acknowledge").status_code == 503
    scene.world.record.full = None
    assert listed(root)[0]["state"] == "open"


def test_strange_requests_are_answered(scene: Scene) -> None:
    root = scene.world.logged_in(Role.ADMINISTRATOR, "root")
    for path in (
        "/alerts?since=yesterday",
        "/alerts?state=nonsense",
        "/alerts?start=-1",
        "/api/v1/alerts?limit=0",
        "/api/v1/alerts?since=2025-01-31T08:00:00",
    ):
        assert root.get(path).status_code == 422, path
    assert root.get("/alerts/nothing").status_code == 404
