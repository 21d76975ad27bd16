"""Cameras on pages and in the API: a real one that speaks HTTP, and a password that nobody sees again."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from pipeline.clock import ManualClock, SystemClock
from pipeline.errors import SourceNotFound
from pipeline.sources.opening import open_camera
from pipeline.sources.options import LiveOptions
from pipeline.types import ByteArray, Face
from tests.workers.console.http_camera import PASSWORD, USER, HttpCamera, streamable
from tests.workers.console.world import Browser, World
from workers.build import Context
from workers.camera_probe import probe_camera
from workers.camera_settings import make_camera
from workers.cameras import CameraStore
from workers.console.access.roles import Role
from workers.console.cameras.pictures import KEEP_S, CameraPictures

SECRET = f"rtsp://{USER}:{PASSWORD}@10.0.0.7/main"
LIVE = LiveOptions(open_timeout_s=60.0, stall_s=60.0)
SHOWN = "rtsp://***@10.0.0.7/main"


@pytest.fixture(scope="module")
def footage(assets: Path) -> bytes:
    return streamable(assets / "clips" / "crowd.mp4")


@pytest.fixture
def camera(footage: bytes) -> Iterator[HttpCamera]:
    with HttpCamera(footage) as running:
        yield running


@pytest.fixture
def root(world: World) -> Browser:
    return world.logged_in(Role.ADMINISTRATOR, "root")


@pytest.fixture
def store(world: World) -> CameraStore:
    return CameraStore(world.database)


def add(browser: Browser, name: str = "gate", address: str = SECRET, **settings: Any) -> dict[str, Any]:
    answer = browser.api("POST", "/cameras", json={"name": name, "address": address, **settings})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_camera_is_added_changed_and_removed_on_pages(
    world: World, root: Browser, store: CameraStore
) -> None:
    form = {"name": "gate", "address": SECRET, "transport": "udp", "rate_limit_hz": "7,5", "enabled": "true"}
    answer = root.send("/cameras", **form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/cameras/gate")
    page = root.get("/cameras/gate").text
    assert SHOWN in page
    changed = {**form, "address": SHOWN, "clock_offset_s": "-0.5", "purpose": "Theft", "rate_limit_hz": ""}
    del changed["name"], changed["enabled"]
    assert root.send("/cameras/gate", **changed).status_code == 303
    saved = store.get("gate")
    assert saved.address.address.reveal() == SECRET  # type: ignore[union-attr]
    assert (saved.rate_limit_hz, saved.clock_offset_s, saved.purpose, saved.enabled) == (
        None,
        -0.5,
        "Theft",
        False,
    )
    assert root.send("/cameras/gate/enabled", enabled="true").status_code == 303
    assert store.get("gate").enabled
    assert "Purpose: Theft" in root.get("/cameras/gate").text
    assert root.send("/cameras/gate/remove").headers["location"] == "/cameras"
    with pytest.raises(SourceNotFound):
        store.get("gate")
    told = [what for what in world.record.what() if what.startswith("camera gate to be")]
    assert told == [
        f"camera gate to be added: address {SHOWN}; transport udp; rate_limit_hz 7.5",
        "camera gate to be changed: rate_limit_hz 7.5 → null; clock_offset_s 0.0 → -0.5; enabled true → "
        'false; purpose "" → Theft',
        "camera gate to be changed: enabled false → true",
        f"camera gate to be removed: address {SHOWN}; transport udp; clock_offset_s -0.5; purpose Theft",
    ]
    assert {who.name for who, _, _ in world.record.records[-1:]} == {"root"}


def test_what_does_not_fit_is_refused_and_changes_nothing(root: Browser, store: CameraStore) -> None:
    add(root)
    for settings in (
        {"address": "rtsp://***@10.0.0.8/main"},  # another host must not get the password
        {"address": "ftp://10.0.0.7"},
        {"rate_limit_hz": -1},
        {"clock_offset_s": 1e9},
        {"privacy_masks": [[[0, 0], [2, 0], [1, 1]]]},
        {"region_of_interest": [[0, 0]]},
        {"name": "other"},
        {"colour": "red"},
    ):
        answer = root.api("PATCH", "/cameras/gate", json=settings)
        assert answer.status_code == 422, settings
        assert PASSWORD not in answer.text
    assert store.get("gate").shown()["address"] == SHOWN
    assert root.api("POST", "/cameras", json={"name": "gate", "address": "0"}).status_code == 422
    assert root.send("/cameras", name="x y", address=SECRET, rate_limit_hz="often").status_code == 422
    assert root.api("POST", "/cameras", json={"name": "a\x00b", "address": "0"}).status_code == 422


def test_another_password_is_told_without_saying_it(world: World, root: Browser, store: CameraStore) -> None:
    add(root)
    other = SECRET.replace(PASSWORD, "another")
    assert root.api("PATCH", "/cameras/gate", json={"address": other}).status_code == 200
    assert store.get("gate").address.address.reveal() == other  # type: ignore[union-attr]
    assert world.record.what()[-1] == "camera gate to be changed: address: other credentials"
    assert root.api("PATCH", "/cameras/gate", json={"address": SHOWN}).status_code == 200
    assert world.record.what()[-1] == "camera gate to be changed: address: other credentials"


def test_what_cannot_be_recorded_is_not_done(world: World, root: Browser, store: CameraStore) -> None:
    add(root)
    world.record.full = OSError("no room")
    assert root.api("PATCH", "/cameras/gate", json={"enabled": False}).status_code == 500
    assert root.get("/cameras/gate/unmasked").status_code == 500
    world.record.full = None
    assert store.get("gate").enabled


def test_export_and_import_keep_what_was_not_touched(root: Browser, store: CameraStore) -> None:
    add(root, substream=SECRET + "2", privacy_masks=[[[0, 0], [0.5, 0], [0.5, 1]]])
    exported = root.get("/cameras.yaml")
    assert PASSWORD not in exported.text
    document = yaml.safe_load(exported.text)
    document["cameras"][0]["purpose"] = "Theft"
    document["cameras"].append({"name": "yard", "address": 0})
    files = {"file": ("cameras.yaml", yaml.safe_dump(document).encode(), "application/yaml")}
    page = root.send("/cameras.yaml", files=files).text
    assert "Added: yard. Changed: gate." in page
    assert store.get("gate").substream.address.reveal() == SECRET + "2"  # type: ignore[union-attr]
    assert store.get("gate").purpose == "Theft"
    for wrong in (b"\xff", b"{", b"- name: a", b"a: 2001-99-99", b"- {name: b, address: 'http://***@x/'}"):
        answer = root.api("POST", "/cameras.yaml", files={"file": ("c.yaml", wrong)})
        assert answer.status_code == 422, wrong
    again = root.api("POST", "/cameras.yaml", files={"file": ("c.yaml", root.get("/cameras.yaml").content)})
    assert again.json() == {"added": [], "changed": [], "unchanged": ["gate", "yard"]}


def test_a_test_says_what_the_camera_sends_and_its_picture_is_masked(
    world: World, root: Browser, camera: HttpCamera
) -> None:
    left_half = [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]
    add(root, address=camera.address, privacy_masks=[left_half])
    tried = root.api("POST", "/cameras/gate/test").json()
    assert tried["works"], tried["said"]
    main = tried["streams"]["main"]
    assert (main["codec"], main["width_px"], main["height_px"]) == ("h264", 1920, 1080)
    assert main["rate_hz"] == pytest.approx(25, abs=2)
    asked = camera.asked
    masked, bare = (picture(root, f"/cameras/gate/{which}") for which in ("picture", "unmasked"))
    assert camera.asked == asked  # what was seen a moment ago is kept for a while
    assert masked.shape == bare.shape == (720, 1280, 3)
    assert masked[:, :630].max() < 16
    assert bare[:, :630].max() > 200
    assert np.abs(masked[:, 660:].astype(int) - bare[:, 660:]).mean() < 3
    assert world.record.what()[-3:] == [
        "camera gate tested",
        "picture of camera gate shown",
        "picture of camera gate shown without its privacy masks",
    ]
    page = root.send("/cameras/gate/test").text
    assert "✓ The camera answers" in page
    assert "h264 1920x1080" in page


def picture(browser: Browser, path: str) -> ByteArray:
    answer = browser.get(path)
    assert answer.status_code == 200, answer.text
    image = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image.astype(np.uint8)


def test_a_camera_that_does_not_answer_says_so_without_its_password(
    root: Browser, camera: HttpCamera
) -> None:
    add(root, address=camera.address.replace(PASSWORD, "wrong-Pa55"))
    tried = root.api("POST", "/cameras/gate/test")
    assert tried.json()["works"] is False
    assert "wrong-Pa55" not in tried.text
    page = root.send("/cameras/gate/test")
    assert "! The camera does not answer" in page.text
    assert root.get("/cameras/gate/picture").status_code == 502
    assert camera.asked == 0


def test_masks_are_saved_as_drawn(root: Browser, store: CameraStore) -> None:
    add(root)
    drawn = "0,0 0.25,0 0.25,1 0,1\r\n0.5,0.5 0.75,0.5 0.6,0.9\r\n"
    answer = root.send("/cameras/gate/masks", masks=drawn, region="0.1,0.1 0.9,0.1 0.9,0.9 0.1,0.9")
    assert answer.status_code == 303, answer.text
    saved = store.get("gate")
    assert [len(area.points) for area in saved.privacy_masks] == [4, 3]
    assert saved.region is not None
    page = root.get("/cameras/gate/masks").text
    assert "0,0 0.25,0 0.25,1 0,1" in page
    for wrong in ("0,0 1,1", "here", "0,0 0.5,0 nan,1", "0;0 1;0 1;1", "0,0 1,0 2,1"):
        assert root.send("/cameras/gate/masks", masks=wrong).status_code == 422, wrong
    assert root.send("/cameras/gate/masks", region="0,0 1,0 1,1\n0,0 1,0 0,1").status_code == 422
    assert root.send("/cameras/gate/masks", masks="0,0 1,0 1,1\n" * 65).status_code == 422
    assert store.get("gate") == saved
    assert root.send("/cameras/gate/masks").status_code == 303
    assert store.get("gate").mask is None
    assert store.get("gate").region is None


def test_only_administrators_change_and_nobody_sees_other_cameras(
    world: World, root: Browser, camera: HttpCamera
) -> None:
    add(root, "gate")
    add(root, "vault", camera.address)
    group = world.access.groups.add("north", ["gate"])
    auditor = world.logged_in(Role.AUDITOR, "ada", [group.id])
    assert [one["name"] for one in auditor.get("/api/v1/cameras").json()] == ["gate"]
    assert auditor.get("/cameras/gate").status_code == 200
    assert "vault" not in auditor.get("/cameras").text + auditor.get("/cameras.yaml").text
    hidden, missing = auditor.get("/api/v1/cameras/vault"), auditor.get("/api/v1/cameras/none")
    assert (hidden.status_code, hidden.json()) == (404, missing.json())
    for path in ("/cameras/gate/unmasked", "/cameras/gate/picture", "/cameras/gate/masks"):
        assert auditor.get(path).status_code == 403, path
    assert auditor.api("PATCH", "/cameras/gate", json={"enabled": False}).status_code == 403


def test_credentials_are_in_no_answer_log_or_record(
    world: World, root: Browser, camera: HttpCamera, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every page and API operation about cameras and the installation, with a camera that has a password."""
    bodies = [json.dumps(add(root, "gate", camera.address, substream=camera.address))]
    for method, path in (
        *(("GET", path) for path in ("/cameras", "/cameras/gate", "/cameras/gate/masks", "/cameras.yaml")),
        *(("GET", path) for path in ("/health", "/audit", "/privacy", "/privacy/notice", "/users")),
        *(("GET", f"/api/v1{path}") for path in ("/cameras", "/cameras/gate", "/cameras.yaml", "/health")),
        ("POST", "/api/v1/cameras/gate/test"),
        ("PATCH", "/api/v1/cameras/gate"),
        ("DELETE", "/api/v1/cameras/gate"),
    ):
        body = {"transport": "udp"} if method == "PATCH" else None
        headers = {"x-form-token": root.form_token("/account")}
        answer = root.client.request(method, path, headers=headers, json=body)
        assert answer.status_code < 400, (path, answer.text)
        bodies.append(answer.text)
    bodies += [what for _, what, _ in world.record.records]
    bodies += capsys.readouterr()
    leaks = [body for body in bodies if PASSWORD in body or USER in body]
    assert not leaks


def test_pictures_are_forgotten_and_taken_a_few_at_a_time(camera: HttpCamera) -> None:
    time, real = ManualClock(0), SystemClock()
    pictures = CameraPictures(lambda one, watch_s: probe_camera(one, watch_s, LIVE, real), time)
    one = make_camera({"name": "gate", "address": camera.address})
    for _ in range(2):
        pictures.picture(one, masked=True)
    first = camera.asked
    time.advance(KEEP_S + 1)
    pictures.picture(one, masked=True)
    assert camera.asked == first * 2


def test_saved_masks_blacken_the_frames_of_the_camera_and_no_face_is_found_there(
    root: Browser, store: CameraStore, camera: HttpCamera, tmp_path: Path
) -> None:
    add(root, address=camera.address)
    detector = Context({"PINWATCH_DATA": str(tmp_path)}).detector()
    bare = first_frame(store)
    (seen,) = detector.detect([bare])
    centres = sorted(centre_x(face) / bare.shape[1] for face in seen)
    assert len(centres) >= 2
    _, split = max((b - a, (a + b) / 2) for a, b in itertools.pairwise(centres))
    drawn = f"0,0 {split:.4f},0 {split:.4f},1 0,1"
    assert root.send("/cameras/gate/masks", masks=drawn).status_code == 303
    masked, edge = first_frame(store), round(split * bare.shape[1])
    assert masked[:, : edge - 3].max() == 0
    assert masked[:, edge + 3 :].max() > 200
    (found,) = detector.detect([masked])
    assert found
    assert not [face for face in found if centre_x(face) < edge]


def first_frame(store: CameraStore) -> ByteArray:
    """As the pipeline gets it."""
    source = open_camera(store.get("gate").plan(), lambda: 1, LIVE, SystemClock())
    try:
        return next(iter(source.frames())).image_bgr
    finally:
        source.close()


def centre_x(face: Face) -> float:
    return float(face.bbox[0] + face.bbox[2]) / 2
