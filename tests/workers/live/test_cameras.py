"""How cameras are, told from what they show."""

from __future__ import annotations

import numpy as np

from pipeline.clock import ManualClock
from pipeline.types import Frame
from workers.live.cameras import ANSWERS_WITHIN_S, CameraStates
from workers.live.state import CameraState


class Wall:
    def __init__(self) -> None:
        self.told: list[tuple[str, str, int, str]] = []
        self.forgotten: list[str] = []

    def camera_state(self, camera_id: str, state: str, since_ns: int, detail: str = "") -> None:
        self.told.append((camera_id, str(state), since_ns, detail))

    def forget_camera(self, camera_id: str) -> None:
        self.forgotten.append(camera_id)

    @property
    def last(self) -> tuple[str, int]:
        return self.told[-1][1:3]


def frame(camera_id: str = "gate") -> Frame:
    return Frame(camera_id, 1, 0, None, np.zeros((2, 2, 3), np.uint8))


class Watched:
    """A camera that is watched, by a clock that the test turns."""

    def __init__(self) -> None:
        self.clock, self.wall = ManualClock(1_000_000_000), Wall()
        self.states = CameraStates(self.wall, self.clock)
        self.states.camera("gate", CameraState.STARTING)

    def films(self, seconds: float, rate_hz: float) -> None:
        for _ in range(round(seconds * rate_hz)):
            self.clock.advance(1 / rate_hz)
            self.states.on_frame(frame(), ())
            self.states.look()

    def waits(self, seconds: float) -> None:
        for _ in range(round(seconds)):
            self.clock.advance(1)
            self.states.look()


def test_a_camera_is_live_with_its_first_picture_and_lost_without_some() -> None:
    watched = Watched()
    watched.films(2, 25)
    assert watched.wall.last == ("live", 1_040_000_000)
    assert abs(watched.states.views()["gate"].rate_hz - 25) < 1
    last_ns = watched.clock.now_ns()
    watched.waits(3)
    assert watched.wall.last[0] == "live"
    watched.waits(1)
    assert watched.wall.last == ("lost", last_ns)
    watched.films(0.04, 25)
    assert watched.wall.last[0] == "live"
    assert [state for _, state, _, _ in watched.wall.told] == ["starting", "live", "lost", "live"]


def test_a_camera_that_shows_little_is_waited_for_longer() -> None:
    watched = Watched()
    watched.films(60, 0.2)
    watched.waits(14)
    assert watched.wall.last[0] == "live"
    watched.waits(2)
    assert watched.wall.last[0] == "lost"


def test_a_camera_that_never_answers_is_said_to_fail() -> None:
    watched = Watched()
    watched.waits(ANSWERS_WITHIN_S)
    assert watched.wall.last[0] == "starting"
    watched.waits(1)
    assert watched.wall.last == ("failed", 1_000_000_000)


def test_the_same_is_said_once_and_a_camera_that_is_gone_shows_nothing_any_more() -> None:
    watched = Watched()
    for _ in range(3):
        watched.states.camera("gate", CameraState.FAILED, "no such host")
    assert watched.wall.told[1:] == [("gate", "failed", 1_000_000_000, "no such host")]
    watched.states.gone("gate")
    watched.states.on_frame(frame(), ())
    watched.states.look()
    assert watched.wall.forgotten == ["gate"]
    assert len(watched.wall.told) == 2
    assert not watched.states.views()
