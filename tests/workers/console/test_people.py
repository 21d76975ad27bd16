"""People through pages and API: enrolling, limits, and names that would like to be code."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.ledger.entries import Kind
from pipeline.errors import StorageError
from tests.gallery.fakes import write_person
from tests.workers.console.world import Browser, World
from workers.console.access.roles import Role
from workers.console.people.uploads import plain_name

EVIL = '<script>alert("x")<&'


def photo(folder: Path, person: int, variation: int = 0) -> tuple[str, tuple[str, bytes, str]]:
    path = write_person(folder / f"{person}-{variation}.png", person, variation)
    return "photos", (path.name, path.read_bytes(), "image/png")


def picture(width: int, height: int, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    PIL.Image.new("RGB", (width, height)).save(buffer, kind)
    return buffer.getvalue()


def bomb() -> bytes:
    """A few bytes that say they are a picture of 60,000 x 60,000 px."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + header
        + struct.pack(">II", zlib.crc32(header), 9)
        + b"IDAT"
    )


def enroll(browser: Browser, name: str, *files: object, **fields: str) -> list[dict[str, object]]:
    answer = browser.api("POST", "/people/enroll", data={"name": name, **fields}, files=list(files))
    assert answer.status_code == 200, answer.text
    found: list[dict[str, object]] = answer.json()
    return found


@pytest.fixture
def operator(world: World) -> Browser:
    return world.logged_in(Role.OPERATOR, "op")


def test_enroll_show_rename_remove_by_pages(world: World, operator: Browser, tmp_path: Path) -> None:
    shown = operator.send(
        "/people/enroll",
        page="/people/enroll",
        name="Ada L",
        files=[photo(tmp_path, 1), photo(tmp_path, 1, 2)],
    )
    assert shown.text.count('class="enrolled"') == 2
    (ada,) = world.gallery.subjects()
    assert "Ada L" in operator.get("/people").text
    assert "Ada L" in operator.get("/people?search=ada").text
    assert "Ada L" not in operator.get("/people?search=bo").text
    page = operator.get(f"/people/{ada.id}").text
    assert page.count("<img") == 2
    assert operator.send(f"/people/{ada.id}/rename", name="Ada Lovelace").status_code == 303
    assert "Ada Lovelace" in operator.get(f"/people/{ada.id}").text
    sha = world.gallery.templates(ada.id)[0].photo.sha256
    assert operator.send(f"/people/{ada.id}/photos/{sha}/remove").status_code == 303
    assert len(world.gallery.templates(ada.id)) == 1
    assert operator.send(f"/people/{ada.id}/remove").status_code == 303
    assert world.gallery.subjects() == []
    assert operator.get(f"/people/{ada.id}").status_code == 404


def test_the_same_by_the_api(world: World, operator: Browser, tmp_path: Path) -> None:
    (made,) = enroll(operator, "Bo", photo(tmp_path, 2))
    assert (made["status"], made["photo"]) == ("enrolled", "2-0.png")
    assert isinstance(made["quality"], float)
    subject = made["subject_id"]
    person = operator.get(f"/api/v1/people/{subject}").json()
    assert person["photos"][0]["embedder"] == "fake@1"
    assert operator.api("PATCH", f"/people/{subject}", json={"name": "Bob"}).json()["name"] == "Bob"
    enroll(operator, "Cy", photo(tmp_path, 3))
    taken = operator.api("PATCH", f"/people/{subject}", json={"name": "Cy"})
    assert (taken.status_code, taken.json()["title"]) == (409, "Conflict")
    first = operator.get("/api/v1/people?limit=1").json()
    assert ([one["name"] for one in first["people"]], first["total"], first["next"]) == (["Bob"], 2, 1)
    rest = operator.get("/api/v1/people?limit=1&start=1").json()
    assert ([one["name"] for one in rest["people"]], rest["next"]) == (["Cy"], None)
    assert operator.api("DELETE", f"/people/{subject}").status_code == 204
    assert operator.api("DELETE", f"/people/{subject}").status_code == 404


def test_a_lookalike_is_refused_until_somebody_says_otherwise(
    world: World, operator: Browser, tmp_path: Path
) -> None:
    enroll(operator, "Ada", photo(tmp_path, 1))
    (refused,) = enroll(operator, "Not Ada", photo(tmp_path, 1, 3))
    assert (refused["status"], refused["reason"]) == ("refused", "lookalike")
    assert "looks like Ada" in str(refused["detail"])
    assert "--" not in str(refused["detail"])
    assert refused["advice"]
    (ada,) = world.gallery.subjects()
    assert world.record.records[-1][1:] == ("1 photographs looked at for enrollment", (ada.id,))
    (taken,) = enroll(operator, "Not Ada", photo(tmp_path, 1, 3), allow_lookalike="true")
    assert taken["status"] == "enrolled"


def test_looking_at_a_photograph_keeps_nothing(world: World, operator: Browser, tmp_path: Path) -> None:
    _, file = photo(tmp_path, 1)
    good = operator.api("POST", "/people/check", files=[("photo", file)]).json()
    assert good["status"] == "good"
    assert 0 < good["quality"] <= 1
    nobody = operator.api("POST", "/people/check", files=[("photo", ("x.png", picture(200, 200)))]).json()
    assert (nobody["reason"], nobody["detail"]) == ("no_face", "no face was found")
    assert world.gallery.subjects() == []
    assert not (world.database.folder / "photos").exists()


def test_networks_are_loaded_once_and_only_when_somebody_is_enrolled(
    world: World, operator: Browser, tmp_path: Path
) -> None:
    operator.get("/people")
    assert world.enrollers == 0
    for person in (1, 2):
        enroll(operator, f"p{person}", photo(tmp_path, person))
    assert world.enrollers == 1


def test_a_photograph_is_shown_as_a_picture_that_we_made(
    world: World, operator: Browser, tmp_path: Path
) -> None:
    subject = world.enroll(tmp_path, "Ada", 1)
    sha = world.gallery.templates(subject)[0].photo.sha256
    answer = operator.get(f"/people/{subject}/photos/{sha}")
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["cache-control"] == "no-store"
    assert PIL.Image.open(io.BytesIO(answer.content)).format == "JPEG"
    for wrong in ("0" * 64, "..%2f..%2fpinwatch.db", "%2e%2e"):
        assert operator.get(f"/people/{subject}/photos/{wrong}").status_code == 404


NOT_TAKEN = [
    ("a.txt", b"not a photograph", "not a photograph of the kinds JPEG, PNG, WEBP"),
    ("a.gif", picture(100, 100, "GIF"), "not a photograph of the kinds"),
    ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a photograph of the kinds"),
    ("a.png", picture(1001, 1000), "more than 1 megapixels"),
    ("a.png", picture(100, 100)[:40], "not a photograph of the kinds"),
    ("a.png", bomb(), "is damaged, or far too large"),
    ("a.png", b"\x89PNG" + bytes(2**20), "larger than 1 MiB"),
]


def test_what_is_no_photograph_or_too_large_is_refused(operator: Browser, world: World) -> None:
    for name, data, says in NOT_TAKEN:
        files = [("photos", (name, data))]
        answer = operator.api("POST", "/people/enroll", data={"name": "x"}, files=files)
        assert answer.status_code == 422
        assert says in answer.json()["detail"]
    assert world.enrollers == 0


def test_too_many_and_none_are_refused(operator: Browser) -> None:
    many = [("photos", (f"{number}.png", picture(64, 64))) for number in range(4)]
    answer = operator.api("POST", "/people/enroll", data={"name": "x"}, files=many)
    assert "choose up to 3" in answer.json()["detail"]
    none = operator.api("POST", "/people/enroll", data={"name": "x"}, files=[("photos", ("", b""))])
    assert none.status_code == 422


def test_a_body_without_end_is_cut_off(operator: Browser) -> None:
    body = [("photos", ("a.png", bytes(5 * 2**20)))]
    answer = operator.api("POST", "/people/enroll", data={"name": "x"}, files=body)
    assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")
    assert "smaller files" in answer.json()["detail"]
    page = operator.send("/people/enroll", page="/people/enroll", name="x", files=body)
    assert page.status_code == 413
    assert "smaller files" in page.text
    assert "<h1>" in page.text
    assert "content-security-policy" in page.headers
    assert operator.send("/people/x/rename", name="y" * 300_000).status_code == 413


def test_what_cannot_be_a_name_is_refused(operator: Browser, tmp_path: Path) -> None:
    for name in ("", "..", "a/b", "x" * 201, "a\nb", "\x00"):
        answer = operator.api("POST", "/people/enroll", data={"name": name}, files=[photo(tmp_path, 1)])
        assert answer.status_code == 422, name


def test_a_person_called_script_is_harmless_everywhere(
    world: World, operator: Browser, tmp_path: Path
) -> None:
    file = photo(tmp_path, 1)[1]
    shown = operator.send(
        "/people/enroll", page="/people/enroll", name=EVIL, files=[("photos", (f"{EVIL}.png", *file[1:]))]
    )
    subject = world.gallery.subjects()[0]
    assert subject.name == EVIL
    pages = [
        shown,
        *(operator.get(path) for path in ("/people", f"/people/{subject.id}", f"/sightings?who={EVIL}")),
    ]
    for page in pages:
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "&lt;script&gt;" in page.text


def test_file_names_lead_nowhere(world: World, operator: Browser, tmp_path: Path) -> None:
    file = photo(tmp_path, 1)[1]
    for name in ("../../../../evil.png", "..\\..\\evil.png", "/etc/evil.png"):
        (result,) = enroll(operator, "Ada", ("photos", (name, *file[1:])))
        assert result["photo"] == "evil.png"
    assert [template.photo.original_name for template in world.gallery.templates()] == ["evil.png"]


@given(st.text(max_size=200))
def test_plain_names_are_bare_and_never_empty(name: str) -> None:
    plain = plain_name(name)
    assert plain
    assert len(plain) <= 100
    assert Path(plain).name == plain
    assert not set(plain) & set('/\\<>"&\x00')


def test_every_look_at_somebody_is_recorded(world: World, operator: Browser, tmp_path: Path) -> None:
    subject = world.enroll(tmp_path, "Ada", 1)
    other = world.enroll(tmp_path, "Bo", 2)
    sha = world.gallery.templates(subject)[0].photo.sha256
    world.record.records.clear()
    for path in (
        "/people",
        f"/people/{subject}",
        f"/people/{subject}/photos/{sha}",
        f"/api/v1/people/{other}",
    ):
        assert operator.get(path).status_code == 200
    operator.send(f"/people/{subject}/remove")
    assert [(what, subjects) for _, what, subjects in world.record.records] == [
        ("people listed", tuple(sorted((subject, other)))),
        ("person shown", (subject,)),
        ("photograph shown", (subject,)),
        ("person shown", (other,)),
        ("person removed", (subject,)),
    ]


def test_changes_of_the_gallery_are_recorded_with_the_user_who_made_them(
    world: World, operator: Browser, tmp_path: Path
) -> None:
    (made,) = enroll(operator, "Ada", photo(tmp_path, 1))
    operator.send(f"/people/{made['subject_id']}/rename", name="Ada L")
    operator.send(f"/people/{made['subject_id']}/remove")
    world.enroll(tmp_path, "Bo", 2)  # past the console
    told = [(kind, fields["what"], fields["by"]) for kind, fields in world.ledger.entries]
    assert told == [
        (Kind.GALLERY, "enroll", "op (console)"),
        (Kind.GALLERY, "rename", "op (console)"),
        (Kind.GALLERY, "remove", "op (console)"),
        (Kind.GALLERY, "enroll", "console"),
    ]


def test_what_cannot_be_recorded_is_not_shown_and_not_done(
    world: World, operator: Browser, tmp_path: Path
) -> None:
    subject = world.enroll(tmp_path, "Ada", 1)
    world.record.full = StorageError("the disk behind /secret/path is full")
    page = operator.get(f"/people/{subject}")
    assert page.status_code == 503
    assert "Ada" not in page.text
    assert "/secret/path" not in page.text
    assert operator.send(f"/people/{subject}/remove").status_code == 503
    assert world.gallery.subjects()


def test_a_name_that_is_somebody_elses_id_misleads_nobody(
    world: World, operator: Browser, tmp_path: Path
) -> None:
    victim = world.enroll(tmp_path, "Ada", 1)
    world.enroll(tmp_path, victim, 2)
    assert operator.send(f"/people/{victim}/remove").status_code == 404
    assert len(world.gallery.subjects()) == 2


def test_a_program_enrolls_with_a_token(world: World, tmp_path: Path) -> None:
    from workers.console.access.roles import Permission

    program = world.token(world.user("op", Role.OPERATOR), Permission.WRITE_PEOPLE)
    answer = program.post("/api/v1/people/enroll", data={"name": "Ada"}, files=[photo(tmp_path, 1)])
    assert answer.json()[0]["status"] == "enrolled"
    assert world.record.records[-1][0].token_id is not None
    assert np.isclose(answer.json()[0]["quality"], world.gallery.templates()[0].quality, atol=1e-4)
