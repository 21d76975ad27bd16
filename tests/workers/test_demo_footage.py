"""The demonstration's footage: reproducible, alive, and with faces that a detector finds."""

from __future__ import annotations

import itertools
import socket

import cv2
import numpy as np
import pytest

from pipeline.types import ByteArray
from workers.demo import portraits
from workers.demo.footage import FRAMES, Studio
from workers.demo.portraits import Cutout
from workers.demo.scene import (
    OPENING_M,
    RATE_HZ,
    WALKS,
    WALL_M,
    WIDTH_PX,
    Lens,
    Person,
    daylight,
)

BOTH_FRAME = 104
"""Collins walks out to the right, and Hopper has come into the corridor."""
DARK_FRAME = 270


@pytest.fixture(scope="module")
def studio() -> Studio:
    return Studio()


def eyes_px(number: int) -> dict[Person, tuple[float, float]]:
    """Where the faces of those are who can be seen in a frame, by the geometry of the scene."""
    poses = {walk.person: pose for walk in WALKS if (pose := walk.pose(number / RATE_HZ))}
    seen = {}
    for person, pose in poses.items():
        x, y = Lens().project(*pose.eyes_m)
        behind_wall = pose.eyes_m[2] > WALL_M and not OPENING_M[0] < pose.eyes_m[0] < OPENING_M[1]
        if 0 <= x < WIDTH_PX and not behind_wall:
            seen[person] = (x, y)
    return seen


def faces(models: object, image_bgr: ByteArray) -> list[tuple[float, float]]:
    """Points between the eyes of the faces that YuNet finds."""
    detector = cv2.FaceDetectorYN.create(f"{models}/yunet_n_dynamic.onnx", "", (WIDTH_PX, 736), 0.7)
    _, found = detector.detect(cv2.copyMakeBorder(image_bgr, 0, 16, 0, 0, cv2.BORDER_CONSTANT))
    return [] if found is None else [((f[4] + f[6]) / 2, (f[5] + f[7]) / 2) for f in found]


@pytest.mark.parametrize("cutout", [portraits.grace_hopper, portraits.eileen_collins])
def test_a_cutout_is_the_person_without_the_background(
    cutout: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*_: object) -> None:
        raise AssertionError("the portraits must come from the installed packages")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    assert callable(cutout)
    person = cutout()
    assert isinstance(person, Cutout)
    alpha = person.bgra[:, :, 3]
    assert alpha[round(person.eyes[1]), round(person.eyes[0])] > 0.999
    assert alpha[: round(person.eyes[1]), :100].max() < 1e-6
    assert (person.bgra[:, :, :3] <= 255.0 * alpha[:, :, None] + 1e-3).all()


def test_frames_depend_on_their_number_only(studio: Studio) -> None:
    other = Studio()
    other.frame(3)
    assert np.array_equal(studio.frame(BOTH_FRAME), other.frame(BOTH_FRAME))


def test_frames_are_noisy_even_where_nothing_moves(studio: Studio) -> None:
    first, second = (studio.frame(number)[:200, :100].astype(np.int32) for number in (0, 1))
    assert 1.0 < (first - second).std() < 10.0


def test_the_light_changes(studio: Studio) -> None:
    bright, dark = studio.frame(BOTH_FRAME).mean(), studio.frame(DARK_FRAME).mean()
    assert dark < 0.7 * bright
    assert daylight(FRAMES / RATE_HZ) == pytest.approx(1.0, abs=0.1)


def test_everybody_comes_and_goes_twice_and_both_are_in_the_picture_at_once() -> None:
    present = [frozenset(eyes_px(number)) for number in range(FRAMES)]
    changes = [people for people, _ in itertools.groupby(present)]
    assert frozenset(Person) in changes
    assert changes[0] == changes[-1] == frozenset()
    assert [walk.person for walk in WALKS].count(Person.HOPPER) == 2


def test_walkers_come_nearer_and_leave_the_picture() -> None:
    for walk in WALKS:
        poses = [walk.pose(walk.start_s + walk.duration_s * share) for share in (0.01, 0.5, 0.99)]
        depths = [pose.eyes_m[2] for pose in poses if pose]
        assert depths == sorted(depths, reverse=True)
        last = poses[-1]
        assert last is not None
        x, _ = Lens().project(*last.eyes_m)
        assert not 0 <= x < WIDTH_PX


@pytest.mark.assets
@pytest.mark.parametrize("number", [50, 70, BOTH_FRAME, 140, 175, 260, DARK_FRAME, 310, 350])
def test_a_detector_finds_everybody(studio: Studio, models: object, number: int) -> None:
    found = faces(models, studio.frame(number))
    expected = eyes_px(number)
    assert len(found) == len(expected)
    for x, y in expected.values():
        assert min(abs(x - fx) + abs(y - fy) for fx, fy in found) < 12


@pytest.mark.assets
def test_an_empty_lobby_has_no_faces(studio: Studio, models: object) -> None:
    assert faces(models, studio.frame(0)) == []
