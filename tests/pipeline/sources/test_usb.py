"""USB cameras: OpenCV's part is played by a fake of its VideoCapture, since no camera is plugged in."""

from __future__ import annotations

import itertools
import time
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline.clock import SystemClock
from pipeline.errors import SourceLost, SourceNotFound
from pipeline.sources.live import LiveSource
from pipeline.sources.options import LiveOptions
from pipeline.sources.usb import UsbConnection, open_capture
from tests.contracts.frame_source import FrameSourceContract, Make, take


class FakeCapture:
    """As OpenCV's VideoCapture: `count` pictures, then none."""

    def __init__(self, index: int, count: int = 10**6, channels: int = 3, rate_hz: float = 30.0) -> None:
        self.index, self.left, self.channels, self.rate_hz = index, count, channels, rate_hz
        self.open, self.settings = True, dict[int, float]()

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return self.open

    def read(self) -> tuple[bool, Any]:
        if not self.left:
            return False, None
        self.left -= 1
        time.sleep(0.005)
        shape = (24, 32) if self.channels == 1 else (24, 32, self.channels)
        return True, np.full(shape, self.left % 256, np.uint8)

    def get(self, key: int) -> float:
        known = {
            cv2.CAP_PROP_FRAME_WIDTH: 32.0,
            cv2.CAP_PROP_FRAME_HEIGHT: 24.0,
            cv2.CAP_PROP_FPS: self.rate_hz,
        }
        return known.get(key, 0.0)

    def set(self, key: int, value: float) -> bool:
        self.settings[key] = value
        return True

    def release(self) -> None:
        self.open = False


def connection(device: FakeCapture) -> UsbConnection:
    return UsbConnection(2, clock=SystemClock(), open_device=lambda _: device)  # type: ignore[arg-type, return-value]


def source(fast: LiveOptions, **how: int) -> LiveSource:
    def connect() -> UsbConnection:
        return connection(FakeCapture(2, **how))

    return LiveSource("usb2", connect, itertools.count(1).__next__, options=fast, clock=SystemClock())


class TestContract(FrameSourceContract):
    @pytest.fixture
    def make(self, fast: LiveOptions) -> Make:
        return lambda: source(fast)


def test_an_unplugged_camera_is_connected_again(fast: LiveOptions) -> None:
    camera = source(fast, count=3)
    assert [frame.stream_epoch for frame in take(camera, 6)] == [1, 1, 1, 2, 2, 2]
    camera.close()


def test_infrared_cameras_give_grey_which_becomes_bgr(fast: LiveOptions) -> None:
    camera = source(fast, channels=1)
    assert take(camera, 1)[0].image_bgr.shape == (24, 32, 3)
    camera.close()


def test_what_the_device_says_and_what_it_is_told() -> None:
    device = FakeCapture(2)
    usb = connection(device)
    assert (usb.info.width_px, usb.info.height_px, usb.info.rate_hz) == (32, 24, 30.0)
    assert device.settings[cv2.CAP_PROP_BUFFERSIZE] == 1
    usb.close()
    assert not device.open
    assert connection(FakeCapture(2, rate_hz=0.0)).info.rate_hz == 30.0


def test_no_more_pictures_is_a_loss() -> None:
    with pytest.raises(SourceLost, match="camera 2"):
        list(connection(FakeCapture(2, count=1)).shots())


def test_a_device_that_cannot_be_opened_is_let_go_and_may_be_tried_again() -> None:
    device = FakeCapture(2)
    device.open = False
    with pytest.raises(SourceLost, match="no other program"):
        connection(device)


def test_a_number_without_a_camera() -> None:
    with pytest.raises(SourceNotFound, match="no camera 987"):
        open_capture(987)
