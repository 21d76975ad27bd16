"""Pictures of the faces behind decisions, searching by a face, and enrolling from a sighting."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from audit.scopes import scope_of
from gallery.database import Database
from pipeline.errors import StorageError
from pipeline.types import Outcome, Revision
from tests.gallery.fakes import draw_face, pattern, write_person
from tests.workers.console.seen import named, see
from tests.workers.console.world import Browser, World
from workers.console.access.roles import Role
from workers.console.sightings.pictures import blurred
from workers.sighting import key_of

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def root(world: World) -> Browser:
    return world.logged_in(Role.ADMINISTRATOR, "root")


def guard(world: World, role: Role = Role.OPERATOR, camera: str = "gate") -> Browser:
    """Somebody who sees one camera."""
    group = world.access.groups.add(f"{role} {camera}", [camera])
    return world.logged_in(role, f"{role} of {camera}", [group.id])


def image(data: bytes) -> np.ndarray:
    return np.asarray(PIL.Image.open(io.BytesIO(data)))


def test_the_best_crop_and_all_others_are_shown_as_they_were_kept(world: World, root: Browser) -> None:
    see(world, "d1", 2)
    listed = root.get("/api/v1/sightings/d1/crops").json()
    assert (listed["state"], listed["best"], listed["blurred"]) == ("kept", 2, False)
    assert [crop["sequence"] for crop in listed["crops"]] == [0, 1, 2]
    assert listed["crops"][1]["seen_s"] == 0.04
    kept = world.crops.read("run", key_of(see(world, "d1", 2)))
    for path in ("/sightings/d1/face", "/api/v1/sightings/d1/face", "/sightings/d1/crops/2"):
        answer = root.get(path)
        assert answer.headers["content-type"] == "image/png"
        assert (image(answer.content) == kept[2].image_rgb).all()
    assert root.get("/sightings/d1/crops/9").status_code == 404
    assert root.get("/sightings/d1/crops/-1").status_code == 422
    page = root.get("/sightings/d1").text
    assert page.count("/sightings/d1/crops/") == 3
    assert 'src="/sightings/d1/face"' in root.get("/sightings").text
    assert world.record.what().count("picture of decision d1 shown") == 4


def test_pictures_that_are_not_there_say_why(world: World, root: Browser) -> None:
    never = see(world, "d1", 2, crops=0)
    gone = see(world, "d2", 2)
    world.keys.destroy([scope_of(gone.run_id, key_of(gone))])
    bad = see(world, "d3", 2)
    (path,) = (world.database.folder / "crops").rglob(f"*-{bad.track_id}.crops")
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")
    states = {
        name: root.get(f"/api/v1/sightings/{name}/crops").json()["state"] for name in ("d1", "d2", "d3")
    }
    assert states == {"d1": "none", "d2": "erased", "d3": "unreadable"}
    assert never.crops == 0
    assert [root.get(f"/sightings/{name}/face").status_code for name in ("d1", "d2", "d3")] == [404, 410, 503]
    for name, says in (("d1", "no picture"), ("d2", "picture erased"), ("d3", "picture cannot be read")):
        page = root.get(f"/sightings/{name}").text
        assert says in page
        assert "Enroll from this sighting" not in page
    timeline = root.get("/sightings").text
    assert "picture erased" in timeline
    assert "/sightings/d2/face" not in timeline


def test_nobody_sees_faces_of_cameras_beside_their_groups(world: World) -> None:
    see(world, "d1", 2)
    see(world, "d2", 2, camera_id="vault")
    operator = guard(world)
    assert operator.get("/sightings/d1/face").status_code == 200
    for path in ("", "/face", "/crops/0"):
        assert operator.get(f"/sightings/d2{path}").status_code == 404
    for path in ("", "/face", "/crops", "/crops/0", "/alike", "/verdicts"):
        assert operator.get(f"/api/v1/sightings/d2{path}").status_code == 404
    for path in ("/verdicts", "/enroll"):
        body = {"name": "Bo"} if path == "/enroll" else {}
        assert operator.api("POST", f"/sightings/d2{path}", json=body).status_code == 404
    found = operator.get("/api/v1/sightings/d1/alike").json()
    assert [one["sighting"]["decision_id"] for one in found["matches"]] == ["d1"]
    vault = operator.get("/api/v1/sightings/d1/alike?camera=vault").json()
    assert (vault["matches"], vault["compared"]) == ([], 0)
    nothing = world.logged_in(Role.OPERATOR, "new")
    assert nothing.get("/sightings/d1/face").status_code == 404


@pytest.fixture
def blurring(database: Database) -> World:
    return World(database, blur_unknown=True)


def test_unknown_people_are_blurred_for_whoever_gives_no_verdicts(blurring: World, tmp_path: Path) -> None:
    ada = blurring.enroll(tmp_path, "Ada", 1)
    see(blurring, "d1", 2)
    see(blurring, "k1", 1, **named(ada))
    early = see(blurring, "e1", 3, crops=1, revision=Revision.NEW, revision_number=0, **named(ada))
    see(blurring, "e2", 3, crops=1, track_id=early.track_id)  # the last word: unknown after all
    viewer, operator = guard(blurring, Role.VIEWER), guard(blurring)
    for decision_id, hidden in (("d1", True), ("k1", False), ("e1", True), ("e2", True)):
        plain = operator.get(f"/sightings/{decision_id}/face").content
        assert (viewer.get(f"/sightings/{decision_id}/face").content != plain) == hidden
        listed = viewer.get(f"/api/v1/sightings/{decision_id}/crops").json()
        assert listed["blurred"] == hidden
    seen = image(viewer.get("/sightings/d1/crops/0").content)
    assert (seen != image(operator.get("/sightings/d1/crops/0").content)).any()
    assert "blurred: nobody was named" in viewer.get("/sightings/d1").text


def test_a_blurred_face_holds_no_detail() -> None:
    """Whatever differs from one pixel to the next is gone: here a checkerboard over a plain face."""
    plain = np.full((112, 112, 3), 120, np.uint8)
    checks = np.indices((112, 112)).sum(axis=0)[..., None] % 2 * 80
    marked = np.asarray(plain + checks - 40, np.uint8)
    assert np.abs(marked.astype(int) - plain).min() == 40
    assert np.abs(blurred(marked).astype(int) - plain).max() <= 1
    assert len(np.unique(blurred(draw_face(pattern(1)))[::16, ::16].reshape(-1, 3), axis=0)) <= 49


def test_more_like_this_face_finds_it_again_elsewhere(world: World, root: Browser, tmp_path: Path) -> None:
    ada = world.enroll(tmp_path, "Ada", 1)
    see(world, "d1", 2)
    see(world, "d2", 2, camera_id="hall")
    see(world, "k1", 1, **named(ada))
    found = root.get("/api/v1/sightings/d1/alike").json()
    order = [one["sighting"]["decision_id"] for one in found["matches"]]
    assert order[0] == "d1"
    assert order[1] == "d2"
    assert (found["compared"], found["left_out"]) == (3, 0)
    assert found["matches"][1]["similarity"] > 0.7 > found["matches"][2]["similarity"]
    page = root.get("/sightings?like=d1&camera=hall").text
    assert 'href="/sightings/d2"' in page
    assert 'href="/sightings/k1"' not in page
    assert 'href="/sightings?like=d2"' in page
    assert world.record.records[-1][1:] == ("sightings found by a face", ())
    root.get("/sightings?like=d1")
    assert world.record.records[-1][1:] == ("sightings found by a face", (ada,))
    assert root.get("/sightings?like=nothing").status_code == 404


def test_a_track_without_a_kept_face_cannot_be_searched_by(world: World, root: Browser) -> None:
    see(world, "d1", 2, crops=0)
    answer = root.get("/sightings?like=d1")
    assert answer.status_code == 422
    assert "no face of this track is kept" in answer.text


def test_a_photograph_finds_where_somebody_was_seen(world: World, root: Browser, tmp_path: Path) -> None:
    see(world, "d1", 2)
    see(world, "d2", 3)
    photo = write_person(tmp_path / "x.png", 2, 9).read_bytes()
    answer = root.api("POST", "/sightings/by-photo", files={"photo": ("x.png", photo, "image/png")})
    assert answer.json()["matches"][0]["sighting"]["decision_id"] == "d1"
    page = root.send("/sightings/by-photo", files={"photo": ("x.png", photo)}, camera="gate")
    assert page.text.index("/sightings/d1") < page.text.index("/sightings/d2")
    none = root.send("/sightings/by-photo", files={"photo": ("x.png", photo)}, camera="hall")
    assert "No face that is kept could be compared" in none.text
    empty = io.BytesIO()
    PIL.Image.new("RGB", (200, 200)).save(empty, "PNG")
    nobody = root.send("/sightings/by-photo", files={"photo": ("y.png", empty.getvalue())})
    assert nobody.status_code == 422
    assert "no face was found in y.png" in nobody.text
    assert guard(world, Role.VIEWER).send("/sightings/by-photo").status_code == 403
    assert not (world.database.folder / "photos").exists()


def test_somebody_is_enrolled_from_a_sighting_and_is_named_from_then_on(world: World, root: Browser) -> None:
    see(world, "d1", 2)
    see(world, "d2", 2)
    see(world, "d3", 4)
    operator = guard(world)
    before = world.gallery.epoch()
    page = operator.get("/sightings/d1").text
    assert "the 2 sightings of this unknown person" in page
    answer = operator.send("/sightings/d1/enroll", name="Bo", whole_group="true")
    (bo,) = world.gallery.subjects()
    assert (answer.status_code, answer.headers["location"]) == (303, f"/sightings/d1?enrolled={bo.id}")
    shown = operator.get(answer.headers["location"]).text
    assert f'Enrolled as <a href="/people/{bo.id}">Bo</a>' in shown
    assert world.gallery.epoch() > before
    assert bo.templates >= 1
    assert all(one.photo.original_name.startswith("gate_0_") for one in world.gallery.templates(bo.id))
    (group,) = root.get("/api/v1/unknowns?state=assigned").json()["groups"]
    assert (group["size"], group["subject_id"]) == (2, bo.id)
    assert world.ledger.entries[0][1]["by"] == "operator of gate (console)"
    alone = operator.api("POST", "/sightings/d3/enroll", json={"name": "Cy", "photos": 1}).json()
    assert alone["group_id"] is not None, "a track that is alone in its group brings it along"
    assert [one["status"] for one in alone["results"]] == ["enrolled"]


def test_a_larger_group_is_assigned_only_where_that_is_said(world: World, root: Browser) -> None:
    for name in ("d1", "d2"):
        see(world, name, 2)
    done = root.api("POST", "/sightings/d1/enroll", json={"name": "Bo"}).json()
    assert done["subject_id"]
    assert done["group_id"] is None
    assert root.get("/api/v1/unknowns").json()["groups"][0]["state"] == "open"


def test_a_lookalike_is_said_with_whom_and_can_be_overruled(
    world: World, root: Browser, tmp_path: Path
) -> None:
    see(world, "d1", 1)
    first = root.api("POST", "/sightings/d1/enroll", json={"name": "Ada"}).json()["subject_id"]
    see(world, "d2", 1)
    page = root.send("/sightings/d2/enroll", name="Not Ada")
    assert page.status_code == 200
    assert "looks like Ada" in page.text
    assert f'<a href="/people/{first}">Show who it looks like</a>' in page.text
    assert 'value="Not Ada"' in page.text
    refused = root.api("POST", "/sightings/d2/enroll", json={"name": "Not Ada"}).json()
    assert (refused["subject_id"], refused["results"][0]["resembles"]) == (None, first)
    assert [one.name for one in world.gallery.subjects()] == ["Ada"]
    done = root.api("POST", "/sightings/d2/enroll", json={"name": "Not Ada", "allow_lookalike": True}).json()
    assert done["subject_id"] not in (None, first)


def test_what_cannot_be_enrolled_is_refused(world: World, root: Browser) -> None:
    see(world, "d1", 2, crops=0)
    gone = see(world, "d2", 2)
    world.keys.destroy([scope_of(gone.run_id, key_of(gone))])
    see(world, "d3", 2)
    assert "no picture was kept" in root.send("/sightings/d1/enroll", name="Bo").text
    assert root.send("/sightings/d2/enroll", name="Bo").status_code == 410
    for name in ("", "..", "a/b", "x" * 201, "a\x00b"):
        assert root.api("POST", "/sightings/d3/enroll", json={"name": name}).status_code == 422
    assert root.api("POST", "/sightings/d3/enroll", json={"name": "x", "photos": 0}).status_code == 422
    assert world.gallery.subjects() == []


def test_what_cannot_be_recorded_is_not_shown_and_not_done(world: World, root: Browser) -> None:
    see(world, "d1", 2)
    token = root.form_token("/account")
    world.record.full = StorageError("full")
    for path in (
        "/sightings/d1",
        "/sightings/d1/face",
        "/sightings?like=d1",
        "/api/v1/sightings/d1/verdicts",
    ):
        assert root.get(path).status_code == 503
    answer = root.client.post("/sightings/d1/enroll", data={"name": "Bo", "form_token": token})
    assert answer.status_code == 503
    assert world.gallery.subjects() == []


def test_a_camera_that_is_called_like_code_or_a_path_is_harmless(world: World, root: Browser) -> None:
    for number, camera in enumerate((EVIL, "../../etc", "a/b", "..")):
        see(world, f"d{number}", 2, camera_id=camera)
        page = root.get(f"/sightings/d{number}")
        assert page.status_code == 200
        assert "<img src=x" not in page.text
        assert root.get(f"/sightings/d{number}/face").status_code == 200
        done = root.api(
            "POST", f"/sightings/d{number}/enroll", json={"name": f"p{number}", "allow_lookalike": True}
        )
        assert done.json()["subject_id"]
    assert {path.name for path in world.database.folder.parent.iterdir()} <= {"data"} | {
        path.name for path in world.database.folder.parent.glob("*.png")
    }


def test_the_face_in_a_photograph_is_shown_as_it_is_compared(
    world: World, root: Browser, tmp_path: Path
) -> None:
    ada = world.enroll(tmp_path, "Ada", 1)
    see(world, "k1", 1, **named(ada))
    sha = world.gallery.templates(ada)[0].photo.sha256
    address = f"/people/{ada}/photos/{sha}/face"
    assert address in root.get("/sightings/k1").text
    assert image(root.get(address).content).shape == (112, 112, 3)
    assert root.get(f"/people/{ada}/photos/{'0' * 64}/face").status_code == 404
    viewer = guard(world, Role.VIEWER)
    assert address not in viewer.get("/sightings/k1").text
    assert viewer.get(address).status_code == 403
    world.gallery.remove(ada)
    assert root.get("/sightings/k1").status_code == 200


@pytest.fixture
def without(database: Database) -> World:
    """A console that keeps no ledger, no crops and no footage."""
    return World(database, kept=False)


def test_without_a_ledger_there_are_no_pictures_and_all_else_works(without: World) -> None:
    browser = without.logged_in(Role.ADMINISTRATOR, "root")
    see(without, "d1", 2, crops=2, candidate_id=None, outcome=Outcome.UNKNOWN)
    page = browser.get("/sightings/d1")
    assert page.status_code == 200
    assert "no picture" in page.text
    assert "None is kept of this moment" in page.text
    assert browser.get("/sightings/d1/face").status_code == 404
    assert browser.get("/footage/gate/0?from=0&to=1").status_code == 404
    assert browser.get("/sightings?like=d1").status_code == 200
