"""The preview: only what somebody watches is encoded, once for all, and capture never waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import cv2
import numpy as np

from pipeline.clock import ManualClock, SystemClock
from pipeline.types import ByteArray, Face, Frame, Outcome, Sighting, TrackedFace, TrackKey
from tests.workers.console.world import make_sighting
from workers.live.blur import LINGER_NS, FaceBlur
from workers.live.preview import Preview, tiles_of
from workers.live.tiles import Tile

BOX = (200, 100, 280, 200)
INSIDE = (slice(120, 180), slice(220, 260))


@dataclass
class Screen:
    """Wants what the test says, and keeps what it gets."""

    widths: frozenset[int] = frozenset()
    tiles: list[Tile] = field(default_factory=list)
    slow: threading.Event | None = None
    got: threading.Condition = field(default_factory=threading.Condition)

    def wanted(self, camera_id: str) -> frozenset[int]:
        return self.widths

    def publish_tile(self, tile: Tile) -> None:
        if self.slow is not None:
            self.slow.wait(10)
        with self.got:
            self.tiles.append(tile)
            self.got.notify_all()

    def until(self, count: int) -> None:
        with self.got:
            assert self.got.wait_for(lambda: len(self.tiles) >= count, 10), len(self.tiles)


def make_frame(pts_ns: int = 0, camera_id: str = "gate", epoch: int = 0) -> Frame:
    """Stripes, so that what was made coarse can be told from what was not."""
    image = np.zeros((360, 640, 3), np.uint8)
    image[:, ::4] = image[:, 1::4] = 255
    return Frame(camera_id, epoch, pts_ns, 5_000 + pts_ns, image)


def faces(*track_ids: int) -> tuple[TrackedFace, ...]:
    face = Face(np.array(BOX, np.float32), np.zeros((5, 2), np.float32), 0.9)
    return tuple(TrackedFace(track_id, face) for track_id in track_ids)


@contextmanager
def preview(screen: Screen, rate_hz: float = 1000.0, blur: FaceBlur | None = None) -> Iterator[Preview]:
    with Preview(screen, SystemClock(), rate_hz, blur) as made:
        yield made


def decode(tile: Tile) -> ByteArray:
    image = cv2.imdecode(np.frombuffer(tile.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return np.asarray(image, np.uint8)


def contrast(image: ByteArray) -> float:
    return float(np.abs(np.diff(image[INSIDE].astype(float), axis=1)).mean())


def test_nothing_is_encoded_while_nobody_watches() -> None:
    screen = Screen()
    with preview(screen) as tap:
        for number in range(50):
            tap(make_frame(number), faces(1))
        time.sleep(0.1)
        assert not screen.tiles
        assert not tap._cameras


def test_each_width_is_encoded_once_with_its_boxes() -> None:
    screen = Screen(frozenset({320, 1280}))
    with preview(screen) as tap:
        tap(make_frame(7, epoch=3), faces(1, 2))
        screen.until(2)
        time.sleep(0.05)
    assert [(tile.width_px, tile.height_px) for tile in screen.tiles] == [(1280, 720), (320, 180)]
    for tile in screen.tiles:
        assert decode(tile).shape == (tile.height_px, tile.width_px, 3)
        assert (tile.camera_id, tile.stream_epoch, tile.pts_ns, tile.captured_at_ns) == ("gate", 3, 7, 5007)
        assert [(box.track_id, box.x0, box.y1) for box in tile.boxes] == [
            (1, 200 / 640, 200 / 360),
            (2, 200 / 640, 200 / 360),
        ]


def test_capture_does_not_wait_and_only_the_newest_frame_is_shown() -> None:
    screen = Screen(frozenset({320}), slow=threading.Event())
    with preview(screen) as tap:
        begun_s = time.monotonic()
        for number in range(200):
            tap(make_frame(number), ())
            time.sleep(0.001)
        assert time.monotonic() - begun_s < 5
        assert screen.slow is not None
        screen.slow.set()
        screen.until(2)
        time.sleep(0.1)
    assert len(screen.tiles) == 2
    assert screen.tiles[-1].pts_ns == 199


def test_no_more_pictures_than_the_rate_allows() -> None:
    clock, screen = ManualClock(), Screen(frozenset({320}))
    with Preview(screen, clock, rate_hz=10) as tap:
        shown = 0
        for number in range(50):  # two seconds of 25 a second
            tap(make_frame(number), ())
            if (camera := tap._cameras.get("gate")) and camera.due_s > clock.monotonic_s():
                screen.until(shown + 1) if len(screen.tiles) > shown else time.sleep(0.01)
            shown = len(screen.tiles)
            clock.advance(0.04)
    assert 18 <= len(screen.tiles) <= 21


def test_a_picture_that_cannot_be_shown_does_not_end_the_others() -> None:
    screen = Screen(frozenset({320}))
    broken = Frame("gate", 0, 0, None, np.zeros((400, 1, 3), np.uint8))  # as JPEG too high
    with preview(screen) as tap:
        tap(broken, ())
        time.sleep(0.2)
        tap(make_frame(1), ())
        screen.until(1)
    assert [tile.pts_ns for tile in screen.tiles] == [1]


class Decided:
    """What was decided of each track."""

    def __init__(self, **outcomes: Outcome) -> None:
        self._outcomes = {int(name[1:]): outcome for name, outcome in outcomes.items()}

    def __call__(self, key: TrackKey) -> Sighting | None:
        outcome = self._outcomes.get(key.track_id)
        return None if outcome is None else make_sighting(outcome=outcome, subject_id="ada")


def shown(frame: Frame, tracked: Sequence[TrackedFace], blur: FaceBlur | None) -> ByteArray:
    (tile,) = tiles_of(frame, tracked, frozenset({640}), blur)
    return decode(tile)


def test_faces_of_whoever_is_not_named_are_hidden_in_the_picture_itself() -> None:
    plain = contrast(shown(make_frame(), faces(1), None))
    decided = Decided(t1=Outcome.KNOWN, t2=Outcome.UNKNOWN, t3=Outcome.AMBIGUOUS, t4=Outcome.SUSPECTED_ATTACK)
    for track_id in (1, 2, 3, 4, 5):
        blur, frame = FaceBlur(decided), make_frame()
        blur.see(frame, faces(track_id))
        image = shown(frame, faces(track_id), blur)
        if track_id == 1:
            assert contrast(image) == plain
        else:
            assert contrast(image) < plain / 10
            assert abs(float(image[300:].astype(float).mean()) - 127) < 10, "the rest is as it was"
        assert make_frame().image_bgr.tobytes() == frame.image_bgr.tobytes(), "nobody else's picture changes"


def test_a_face_that_is_lost_for_a_moment_stays_hidden_where_it_was() -> None:
    blur = FaceBlur(Decided())
    blur.see(make_frame(0), faces(1))
    for pts_ns, hidden in ((LINGER_NS // 2, True), (LINGER_NS + 1, False)):
        frame = make_frame(pts_ns)
        blur.see(frame, ())
        assert (contrast(shown(frame, (), blur)) < 20) == hidden
    other = make_frame(0, epoch=1)
    blur.see(other, ())
    assert contrast(shown(other, (), blur)) > 20


def test_the_face_at_the_border_is_hidden_too() -> None:
    blur, frame = FaceBlur(Decided()), make_frame()
    outside = Face(np.array([-50, -20, 60, 90], np.float32), np.zeros((5, 2), np.float32), 0.9)
    gone = Face(np.array([700, 400, 760, 480], np.float32), np.zeros((5, 2), np.float32), 0.9)
    tracked = (TrackedFace(1, outside), TrackedFace(2, gone))
    blur.see(frame, tracked)
    image = shown(frame, tracked, blur)
    assert float(np.abs(np.diff(image[5:80, 5:50].astype(float), axis=1)).mean()) < 20
