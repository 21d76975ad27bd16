"""Motion JPEG over HTTP, as older cameras send it, from a real server in a thread."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import pytest

from pipeline.clock import SystemClock
from pipeline.errors import SourceNotFound
from pipeline.redact import Address
from pipeline.seams import FrameSource
from pipeline.sources.opening import CameraPlan, open_camera
from pipeline.sources.options import LiveOptions
from pipeline.sources.select import StreamSpec
from tests.contracts.frame_source import FrameSourceContract, Make, take
from tests.rtsp.counting import numbered_picture, read_number

RATE_HZ = 20
PER_CONNECTION = 40


class MotionJpeg(BaseHTTPRequestHandler):
    """Sends :data:`PER_CONNECTION` numbered pictures at :data:`RATE_HZ`, then hangs up."""

    def do_GET(self) -> None:
        if self.path != "/video.mjpg?token=hunter2":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for number in range(PER_CONNECTION):
            data = cv2.imencode(".jpg", numbered_picture(number, 320, 180))[1].tobytes()
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
            try:
                self.wfile.write(head.encode() + data + b"\r\n")
            except OSError:
                return
            time.sleep(1 / RATE_HZ)

    def log_message(self, *_: object) -> None:
        """Nothing on the screen."""


@pytest.fixture
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), MotionJpeg)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


def camera(port: int, fast: LiveOptions, path: str = "video.mjpg?token=hunter2") -> FrameSource:
    address = Address.parse(f"http://127.0.0.1:{port}/{path}")
    plan = CameraPlan("gate", StreamSpec(address))
    return open_camera(plan, itertools.count(1).__next__, fast, SystemClock())


def test_pictures_come_with_the_time_at_which_they_came(port: int, fast: LiveOptions) -> None:
    source = camera(port, fast)
    frames = take(source, 30)
    source.close()
    numbers = [read_number(frame.image_bgr) for frame in frames]
    assert numbers == list(range(numbers[0], numbers[0] + 30))
    lasted_s = (frames[-1].pts_ns - frames[9].pts_ns) / 1e9
    assert lasted_s == pytest.approx(20 / RATE_HZ, rel=0.3), "not FFmpeg's made-up 25 frames a second"


def test_the_end_of_the_stream_is_a_reconnect(port: int, fast: LiveOptions) -> None:
    source = camera(port, fast)
    epochs = [frame.stream_epoch for frame in take(source, PER_CONNECTION + 5)]
    source.close()
    assert sorted(set(epochs)) == [1, 2]


def test_a_wrong_path_is_named_without_the_token(port: int, fast: LiveOptions) -> None:
    with pytest.raises(SourceNotFound, match="no stream of that path") as caught:
        next(camera(port, fast, "nothing?token=hunter2").frames())
    assert "hunter2" not in str(caught.value)


class TestContract(FrameSourceContract):
    @pytest.fixture
    def make(self, port: int, fast: LiveOptions) -> Make:
        return lambda: camera(port, fast)
