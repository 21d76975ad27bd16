"""What people say of decisions, from the console."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from audit.ledger.entries import Kind
from audit.verdicts import Opinion, VerdictStore
from tests.workers.console.seen import named, see
from tests.workers.console.world import World
from workers.console.access.roles import Role
from workers.console.sightings.notes import clean_label, clean_note

EVIL = "<script>alert(1)</script>\x00"


def test_a_verdict_is_kept_shown_and_in_the_ledger(world: World, tmp_path: Path) -> None:
    ada = world.enroll(tmp_path, "Ada", 1)
    see(world, "k1", 1, **named(ada))
    root = world.logged_in(Role.ADMINISTRATOR, "root")
    answer = root.send("/sightings/k1/verdict", opinion="confirm", note="knows her")
    assert answer.headers["location"] == "/sightings/k1?judged=true"
    shown = root.get("/sightings/k1?judged=true").text
    for says in (
        "Your verdict is noted",
        "<strong>right</strong>",
        "root (console)",
        "knows her",
        "Is this Ada?",
    ):
        assert says in shown
    (given,) = VerdictStore(world.database).for_decision("k1")
    assert (given.opinion, given.person, given.note) == (Opinion.CONFIRM, "root (console)", "knows her")
    kind, fields = world.ledger.entries[-1]
    assert (kind, fields["decision_id"], fields["opinion"]) == (Kind.VERDICT, "k1", "confirm")
    assert ("verdict on decision k1: confirm", (ada,)) in [one[1:] for one in world.record.records]


def test_who_it_was_is_kept_by_id_and_shown_by_name(world: World, tmp_path: Path) -> None:
    ada, bo = world.enroll(tmp_path, "Ada", 1), world.enroll(tmp_path, "Bo", 2)
    see(world, "k1", 1, **named(ada))
    root = world.logged_in(Role.ADMINISTRATOR, "root")
    root.api("POST", "/sightings/k1/verdicts", json={"opinion": "confirm", "was": "Bo", "note": "his coat"})
    root.api("POST", "/sightings/k1/verdicts", json={"was": ada})
    found = root.get("/api/v1/sightings/k1/verdicts").json()
    assert [(one["opinion"], one["subject_id"], one["name"], one["note"]) for one in found] == [
        ("not_this_person", bo, "Bo", "his coat"),
        ("confirm", None, None, ""),
    ]
    assert "Bo" not in VerdictStore(world.database).for_decision("k1")[0].note
    assert f'<a href="/people/{bo}">Bo</a>' in root.get("/sightings/k1").text
    world.gallery.rename(bo, "Bob")
    assert root.get("/api/v1/sightings/k1/verdicts").json()[0]["name"] == "Bob"
    assert root.send("/sightings/k1/verdict", was="nobody at all").status_code == 404


def test_what_is_typed_is_only_text(world: World, tmp_path: Path) -> None:
    ada = world.enroll(tmp_path, "Ada", 1)
    see(world, "k1", 1, **named(ada))
    root = world.logged_in(Role.ADMINISTRATOR, "root")
    for note in (EVIL, f"was:{ada} it was her"):
        assert root.api("POST", "/sightings/k1/verdicts", json={"note": note}).status_code == 201
    first, second = root.get("/api/v1/sightings/k1/verdicts").json()
    assert first["note"] == "<script>alert(1)</script>"
    assert (second["subject_id"], second["note"]) == (None, f"“was:{ada} it was her”")
    assert "<script>alert" not in root.get("/sightings/k1").text
    assert root.api("POST", "/sightings/k1/verdicts", json={"note": "x" * 2001}).status_code == 422
    assert root.api("POST", "/sightings/k1/verdicts", json={"opinion": "perhaps"}).status_code == 422


@given(st.text(st.characters(exclude_categories=[]), max_size=100))
def test_notes_can_be_kept_and_shown_whatever_was_typed(text: str) -> None:
    note = clean_note(text)
    assert note.encode() == note.strip().encode()
    assert not any(ord(one) < 0x20 and one not in "\n\t" for one in note)
    assert clean_note(note) == note
    assert "\n" not in clean_label(text)


def test_where_there_is_no_candidate_there_is_nothing_to_judge(world: World) -> None:
    see(world, "d1", 2)
    root = world.logged_in(Role.ADMINISTRATOR, "root")
    page = root.get("/sightings/d1").text
    assert "compared with nobody" in page
    assert "/verdict" not in page
    assert root.send("/sightings/d1/verdict", opinion="confirm").status_code == 422


def test_an_auditor_judges_and_a_viewer_only_reads(world: World, tmp_path: Path) -> None:
    ada = world.enroll(tmp_path, "Ada", 1)
    see(world, "k1", 1, **named(ada))
    group = world.access.groups.add("gate", ["gate"])
    auditor = world.logged_in(Role.AUDITOR, "auditor", [group.id])
    viewer = world.logged_in(Role.VIEWER, "viewer", [group.id])
    assert auditor.send("/sightings/k1/verdict", opinion="unsure").status_code == 303
    assert viewer.send("/sightings/k1/verdict", opinion="unsure").status_code == 403
    page = viewer.get("/sightings/k1").text
    assert "cannot be told" in page
    assert "Yes, it is" not in page
    assert "Yes, it is" in auditor.get("/sightings/k1").text
    assert "Enroll from this sighting" not in auditor.get("/sightings/k1").text
