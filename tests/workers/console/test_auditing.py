"""The auditor's desk over a real ledger: verifying, decisions, who looked at whom, cases, holds, erasures."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert

from audit.ledger.entries import Kind
from audit.ledger.progress import LedgerFollower
from audit.recording.holds import Holds
from gallery.tables import erasures
from pipeline.clock import SystemClock
from pipeline.types import Sighting
from tests.audit import recorded as recording
from tests.audit.recording.footage import record, write_clip
from tests.workers.console.world import START_NS, Browser, World
from workers.console.access.record import LedgerRecord, Who
from workers.console.access.roles import Role
from workers.console.auditing.verifying import Verifications

RED = (200, 0, 0)


@pytest.fixture
def recorded(world: World) -> Iterator[recording.World]:
    """The same data folder, in which something is decided."""
    made = recording.world(world.database.folder)
    yield made
    made.close()


@pytest.fixture
def auditor(world: World) -> Browser:
    group = world.access.groups.add("north", ["gate", "cam"])
    return world.logged_in(Role.AUDITOR, "ada", [group.id])


@pytest.fixture
def decided(world: World, recorded: recording.World) -> Sighting:
    made = recorded.decide(1, RED, camera="gate")
    world.sightings.write([made])
    return made


def verified(world: World, browser: Browser) -> dict[str, object]:
    """Verify to the end; what the API says then."""
    assert browser.api("POST", "/audit/verify", json={"footage": True}).status_code == 202
    for _ in range(600):
        found = browser.get("/api/v1/audit").json()
        if found["running"] is None:
            last: dict[str, object] = found["last"]
            return last
        SystemClock().sleep(0.1)
    raise AssertionError("verifying does not end")


def test_a_ledger_that_holds_and_one_that_does_not(
    world: World, recorded: recording.World, decided: Sighting, auditor: Browser
) -> None:
    assert "Nobody has verified it here yet" in auditor.get("/audit").text
    recorded.ledger.checkpoint()
    last = verified(world, auditor)
    assert last["report"]["holds"], last  # type: ignore[index]
    assert last["by"] == "ada (console)"
    page = auditor.get("/audit").text
    assert "✓</span> It holds" in page
    (crops,) = (world.database.folder / "crops").rglob("*.crops")
    crops.write_bytes(crops.read_bytes()[:-40])
    last = verified(world, auditor)
    assert not last["report"]["holds"]  # type: ignore[index]
    page = auditor.get("/audit").text
    assert "!</span> It does not hold: 1 problem<" in page
    assert "crops it tells of" in page
    assert "the ledger does not hold" in auditor.get("/health").text
    again = Verifications(world.database.folder, recorded.folder, world.clock.now_ns).last()
    assert again is not None
    assert again.by == "ada (console)"
    assert world.record.what().count("verification of the ledger begun with footage") == 2


def test_without_a_ledger_the_pages_say_so(auditor: Browser, world: World) -> None:
    assert "There is no ledger yet" in auditor.get("/audit").text
    assert auditor.send("/audit/verify", page="/audit").status_code == 422
    assert auditor.get("/audit/public.pem").status_code == 422
    assert auditor.get("/audit/checkpoint").status_code == 409
    assert auditor.get("/audit/decisions/0123456789").status_code == 404
    assert auditor.get("/api/v1/audit/accesses?user=ada").json()["accesses"] == []


def test_a_decision_is_opened_with_its_pictures_and_recorded(
    world: World, decided: Sighting, auditor: Browser
) -> None:
    prefix = decided.decision_id[:10]
    answer = auditor.get(f"/audit/decisions?decision={prefix}")
    assert answer.headers["location"] == f"/audit/decisions/{prefix}"
    page = auditor.get(f"/audit/decisions/{prefix}").text
    assert decided.reason in page
    assert world.record.records[-1][1:] == (
        f"decision {decided.decision_id} opened in the ledger",
        ("green", "red"),
    )
    crop = auditor.get(f"/audit/decisions/{decided.decision_id}/crops/0")
    assert crop.content.startswith(b"\x89PNG")
    assert auditor.get(f"/audit/decisions/{decided.decision_id}/crops/99").status_code == 404
    assert auditor.get("/audit/decisions/ffffffffff").status_code == 422
    assert auditor.get("/audit/decisions?decision=../users").status_code == 422
    api = auditor.get(f"/api/v1/audit/decisions/{prefix}").json()
    assert api["content"]["sighting"]["decision_id"] == decided.decision_id


def test_nobody_opens_decisions_of_other_cameras(
    world: World, recorded: recording.World, auditor: Browser
) -> None:
    hidden = recorded.decide(2, RED, camera="vault")
    world.sightings.write([hidden])
    path = f"/audit/decisions/{hidden.decision_id}"
    assert auditor.get(path).status_code == 404
    assert auditor.get(f"{path}/crops/0").status_code == 404
    assert hidden.decision_id not in auditor.get("/audit/cases").text
    case = {"case": "theft", "decisions": [hidden.decision_id]}
    assert auditor.api("POST", "/audit/cases", json=case).status_code == 422
    root = world.logged_in(Role.ADMINISTRATOR, "root")
    assert root.get(path).status_code == 200


def test_who_looked_at_whom(
    world: World, recorded: recording.World, auditor: Browser, tmp_path: Path
) -> None:
    ada = world.enroll(tmp_path, "Ada Lovelace", 1)
    told = LedgerRecord(recorded.ledger)
    told(Who("u1", None, "10.0.0.9", "grace"), "person shown", [ada])
    told(Who("u2", "t1", "10.0.0.8", "linus"), "sightings listed", [])
    recorded.ledger.append(Kind.GALLERY, {"what": "enrolled", "subjects": [ada], "by": "grace (console)"})
    recorded.ledger.append(Kind.VERDICT, {"what": "person shown", "by": "grace"})

    def found(query: str) -> list[str]:
        answer = auditor.get(f"/api/v1/audit/accesses?{query}")
        assert answer.status_code == 200, answer.text
        return [one["what"] for one in answer.json()["accesses"]]

    assert found(f"subject_id={ada}") == ["enrolled", "person shown"]
    assert found("user=u2") == ["sightings listed"]
    assert found("user=GRACE") == ["enrolled", "person shown"]
    assert found("text=LISTED") == ["sightings listed"]
    assert found("until=2001-01-01T00:00:00Z") == []
    assert found("since=2001-01-01T00:00:00Z&limit=1") == ["enrolled"]
    assert auditor.get("/api/v1/audit/accesses?since=2001-01-01T00:00:00").status_code == 422
    page = auditor.get("/audit/accesses?who=Ada+Lovelace").text
    assert page.index("enrolled") < page.index("person shown")
    assert "10.0.0.9" in page
    assert ">Ada Lovelace<" in page
    assert world.record.records[-1][1:] == ("record of accesses searched", (ada,))
    before = len(world.record.records)
    assert "That you search is recorded" in auditor.get("/audit/accesses").text
    assert "nobody is enrolled as" in auditor.get("/audit/accesses?who=Nobody").text
    assert len(world.record.records) == before


def test_a_case_is_downloaded_verifies_by_itself_and_leaves_nothing_behind(
    world: World, recorded: recording.World, decided: Sighting, auditor: Browser, tmp_path: Path
) -> None:
    recorded.ledger.checkpoint()
    assert decided.decision_id in auditor.get("/audit/cases?camera=gate&outcome=known").text
    form = {"case": "theft 12/ä", "decisions": [decided.decision_id], "footage": "true"}
    assert auditor.send("/audit/cases", page="/audit", **form).status_code == 422  # no folder is called so
    form["case"] = "theft 12 ä"
    answer = auditor.send("/audit/cases", page="/audit", **form)
    assert answer.headers["content-disposition"] == 'attachment; filename="theft_12.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        archive.extractall(tmp_path / "case")
    assert json.loads((tmp_path / "case" / "manifest.json").read_text())["case"] == "theft 12 ä"
    done = subprocess.run(
        [sys.executable, "verify.py"], cwd=tmp_path / "case", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout
    assert not list(world.database.folder.glob(".case-*"))
    what, subjects = world.record.records[-1][1:]
    assert what == f"case theft 12 ä exported with footage: {decided.decision_id}"
    assert subjects == ("red",)
    for wrong in ([], ["nothing"], [decided.decision_id, "nothing"]):
        case = {"case": "theft", "decisions": wrong}
        assert auditor.api("POST", "/audit/cases", json=case).status_code == 422


def test_footage_is_held_by_auditors_and_let_go_by_administrators(
    world: World, auditor: Browser, tmp_path: Path
) -> None:
    record(write_clip(tmp_path / "clip.mp4", 20), world.database.folder)
    root = world.logged_in(Role.ADMINISTRATOR, "root")
    world.sightings.write([])
    form = {"since": "2025-01-31T08:00", "until": "2025-01-31T09:00", "reason": "case 7", "camera": "gate"}
    assert auditor.send("/audit/holds", page="/audit", **form).status_code == 303
    holds = Holds(world.database.folder / "recordings", now_ns=world.clock.now_ns)
    (held,) = holds.list()
    assert (held.camera_id, held.reason, held.by, held.at_ns) == ("gate", "case 7", "ada (console)", START_NS)
    assert held.to_ns - held.from_ns == 3600 * 10**9
    assert "case 7" in auditor.get("/audit/holds").text
    wrongs = ({"camera": ""}, {"camera": "vault"}, {"until": ""}, {"until": "2024-01-01"}, {"reason": " "})
    for wrong in wrongs:
        answer = auditor.send("/audit/holds", page="/audit", **{**form, **wrong})
        assert answer.status_code == 422, wrong
    everything = {"since": "2025-01-31T08:00:00Z", "until": "2025-01-31T09:00:00Z", "reason": "audit"}
    assert root.api("POST", "/audit/holds", json=everything).status_code == 201
    assert len(auditor.get("/api/v1/audit/holds").json()) == 2
    assert auditor.send(f"/audit/holds/{held.id}/release", page="/audit").status_code == 403
    assert root.send(f"/audit/holds/{held.id}/release", page="/audit").status_code == 303
    assert root.api("DELETE", f"/audit/holds/{held.id}").status_code == 422
    assert [hold.reason for hold in holds.list()] == ["audit"]
    told = [what for what in world.record.what() if "hold" in what or "held" in what]
    assert f"hold {held.id} on footage to be released" in told


def test_holds_that_cannot_be_read_are_said_to_be_so(world: World, auditor: Browser) -> None:
    folder = world.database.folder / "recordings"
    folder.mkdir()
    (folder / "holds.json").write_text("{")
    assert "is damaged" in auditor.get("/audit/holds").text
    assert auditor.get("/api/v1/audit/holds").status_code == 503
    assert auditor.get("/health").status_code == 200


def test_erasures_are_listed_without_names(world: World, auditor: Browser) -> None:
    assert "Nobody was erased yet" in auditor.get("/audit/erasures").text
    with world.database.write() as connection:
        gone = {"subject_id": "s" * 32, "erased_at": "2025-01-31T08:00:00.000Z", "gallery_epoch": 4}
        connection.execute(insert(erasures).values(**gone))
    assert "s" * 32 in auditor.get("/audit/erasures").text
    assert [one["gallery_epoch"] for one in auditor.get("/api/v1/audit/erasures").json()] == [4]


def test_checkpoint_and_key_are_handed_out(
    world: World, recorded: recording.World, decided: Sighting, auditor: Browser
) -> None:
    recorded.ledger.checkpoint()
    assert json.loads(auditor.get("/audit/checkpoint").content)["ledger_id"] == recorded.folder.identity()
    assert auditor.get("/audit/public.pem").content == recorded.folder.public_key.read_bytes()


def test_progress_is_followed_as_the_ledger_grows(recorded: recording.World) -> None:
    follower = LedgerFollower(recorded.folder)
    for number in range(3):
        recorded.ledger.append(Kind.ACCESS, {"what": f"{number}"})
    found = follower.look()
    assert found is not None
    first = found.records
    recorded.ledger.checkpoint()
    recorded.ledger.append(Kind.ACCESS, {"what": "after"})
    found = follower.look()
    assert found is not None
    assert found.records >= first + 2  # and the record that tells of the checkpoint
    assert found.since_checkpoint == 1
    assert found.checkpoints >= 1
    assert found.broken == ()
    (writer,) = recorded.folder.writers()
    chain = recorded.folder.chain(writer)
    chain.write_bytes(chain.read_bytes()[:-7] + b"\xff" * 7)
    broken = LedgerFollower(recorded.folder).look()
    assert broken is not None
    assert broken.broken == (writer,)
