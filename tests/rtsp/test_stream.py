"""Network cameras against a real RTSP server: it plays, dies, stalls and asks for a password."""

from __future__ import annotations

import itertools
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from pipeline.clock import SystemClock
from pipeline.errors import SourceError, SourceLost, SourceNotFound, SourceUnreadable
from pipeline.redact import Address
from pipeline.seams import FrameSource
from pipeline.sources.channel import DropCounter
from pipeline.sources.opening import CameraPlan, connector, open_camera
from pipeline.sources.options import LiveOptions, Transport
from pipeline.sources.probe import probe
from pipeline.sources.select import StreamSpec
from pipeline.types import Frame
from tests.contracts.frame_source import FrameSourceContract, Make
from tests.rtsp.camera import FRAMES, Guard, RtspServer, first
from tests.rtsp.counting import read_number, write_numbered_video

pytestmark = pytest.mark.rtsp

PASSWORD = "p@ss/w%rd:?#"


def camera(address: str, options: LiveOptions, transport: Transport = Transport.TCP) -> FrameSource:
    plan = CameraPlan("gate", StreamSpec(Address.parse(address)), transport=transport)
    return open_camera(plan, itertools.count(1).__next__, options, SystemClock())


def take(source: FrameSource, count: int) -> list[Frame]:
    frames = list(itertools.islice(source.frames(), count))
    source.close()
    return frames


class TestContract(FrameSourceContract):
    @pytest.fixture
    def make(self, server: RtspServer, options: LiveOptions) -> Make:
        return lambda: camera(server.url(), options)


class TestPlaying:
    @pytest.mark.parametrize("transport", list(Transport))
    def test_frames_come_as_they_are_shown(
        self, server: RtspServer, options: LiveOptions, guard: Guard, transport: Transport
    ) -> None:
        source = guard(camera(server.url(), options, transport))
        frames = take(source, 50)
        numbers = [read_number(frame.image_bgr) for frame in frames]
        steps = [(later - earlier) % FRAMES for earlier, later in itertools.pairwise(numbers)]
        assert steps.count(1) >= 45
        assert sum(source.dropped_by_cause.values()) <= sum(steps) - len(steps) + 8
        assert {frame.image_bgr.shape for frame in frames} == {(360, 640, 3)}
        assert {frame.stream_epoch for frame in frames} == {1}
        lasted_s = (frames[-1].pts_ns - frames[0].pts_ns) / 1e9
        assert lasted_s == pytest.approx(sum(steps) / 25, abs=0.1)

    @pytest.mark.parametrize("transport", list(Transport))
    def test_a_slow_stream_is_read_whole(
        self, tmp_path: Path, options: LiveOptions, guard: Guard, transport: Transport
    ) -> None:
        """One frame a second: reading times out between them, and is taken up again."""
        slow = write_numbered_video(tmp_path / "slow.mkv", 40, rate_hz=1)
        with RtspServer(slow) as server:
            source = guard(camera(server.url(), replace(options, stall_s=2.5), transport))
            frames = take(source, 5)
        numbers = [read_number(frame.image_bgr) for frame in frames]
        lost = numbers[-1] - numbers[0] - 4
        assert numbers == sorted(set(numbers))
        assert {frame.stream_epoch for frame in frames} == {1}
        assert lost <= source.dropped_by_cause.get("corrupt", 0) <= 1

    def test_frames_are_stamped_when_they_are_taken(
        self, server: RtspServer, options: LiveOptions, guard: Guard
    ) -> None:
        source = guard(camera(server.url(), options))
        ages_s = []
        for frame in itertools.islice(source.frames(), 40):
            assert frame.captured_at_ns is not None
            ages_s.append(time.time() - frame.captured_at_ns / 1e9)
        source.close()
        assert min(ages_s) > -0.01
        assert sorted(ages_s)[30] < 0.5

    def test_a_slow_consumer_sees_what_is_new_and_the_rest_is_counted(
        self, server: RtspServer, options: LiveOptions, guard: Guard
    ) -> None:
        source = guard(camera(server.url(), options))
        numbers = []
        for frame in itertools.islice(source.frames(), 12):
            numbers.append(read_number(frame.image_bgr))
            time.sleep(0.2)
        lag_s = time.time() - (frame.captured_at_ns or 0) / 1e9
        source.close()
        assert source.dropped_by_cause["stale"] > 20
        assert lag_s < 0.2 + options.buffer_frames * 0.2

    def test_what_a_camera_says_when_it_is_tried(self, server: RtspServer, options: LiveOptions) -> None:
        spec, clock = StreamSpec(Address.parse(server.url("sub"))), SystemClock()
        found = probe(connector(spec, Transport.TCP, options, clock, DropCounter()), 3.0, clock)
        assert (found.info.codec, found.info.width_px, found.info.height_px) == ("h264", 320, 180)
        assert found.rate_hz == pytest.approx(25, rel=0.1)
        assert found.pictures > 50
        assert 0 < found.connect_s <= found.first_picture_s < 3
        assert 0 <= read_number(found.picture) < FRAMES
        assert found.delay_s is not None
        assert abs(found.delay_s) < 1


class TestLosing:
    def test_a_killed_camera_comes_back_in_a_new_epoch_and_another_never_notices(
        self, numbered_video: Path, options: LiveOptions, guard: Guard
    ) -> None:
        with RtspServer(numbered_video) as dying, RtspServer(numbered_video) as living:
            lost, kept = guard(camera(dying.url(), options)), guard(camera(living.url(), options))
            with _watching(kept) as others:
                frames = lost.frames()
                assert next(frames).stream_epoch == 1
                dying.kill()
                time.sleep(1.0)
                dying.start()
                again = first(frames, lambda frame: frame.stream_epoch > 1)
                lost.close()
                time.sleep(0.3)
                kept.close()
        assert again.stream_epoch == 2, "failed tries cost no epoch"
        assert again.pts_ns < 1_000_000_000
        assert {frame.stream_epoch for frame in others} == {1}
        gaps_s = [(b.pts_ns - a.pts_ns) / 1e9 for a, b in itertools.pairwise(others)]
        assert max(gaps_s) < 0.5

    @pytest.mark.parametrize("transport", list(Transport))
    def test_a_camera_that_hangs_is_connected_again(
        self, server: RtspServer, options: LiveOptions, guard: Guard, transport: Transport
    ) -> None:
        source = guard(camera(server.url(), options, transport))
        frames = source.frames()
        before = next(frames)
        server.freeze()
        started_s = time.monotonic()
        threading.Timer(options.stall_s + 1.5, server.thaw).start()
        again = first(frames, lambda frame: frame.stream_epoch > 1)
        source.close()
        assert time.monotonic() - started_s > options.stall_s * 0.9
        assert (before.stream_epoch, again.stream_epoch) == (1, 2)

    def test_a_camera_that_stays_connected_and_sends_nothing(
        self, server: RtspServer, options: LiveOptions, guard: Guard
    ) -> None:
        source = guard(camera(server.url(), options))
        frames = source.frames()
        next(frames)
        server.pause("main")
        with capture_logs() as logs:
            threading.Timer(options.stall_s + 1.5, server.resume, ["main"]).start()
            assert first(frames, lambda frame: frame.stream_epoch > 1).stream_epoch == 2
        source.close()
        assert any(entry["event"] == "camera lost" for entry in logs)

    def test_a_camera_that_is_off_at_first_is_waited_for(
        self, numbered_video: Path, options: LiveOptions, guard: Guard
    ) -> None:
        server = RtspServer(numbered_video)
        with server:
            pass  # now it has a port, and nobody listens
        source = guard(camera(server.url(), options))
        threading.Timer(0.7, server.start).start()
        try:
            assert next(source.frames()).stream_epoch == 1
        finally:
            source.close()
            server.kill()


class TestEnding:
    @pytest.mark.parametrize("transport", list(Transport))
    def test_closing_is_quick(
        self, server: RtspServer, options: LiveOptions, guard: Guard, transport: Transport
    ) -> None:
        source = guard(camera(server.url(), options, transport))
        for _ in itertools.islice(source.frames(), 5):
            pass
        started_s = time.monotonic()
        source.close()
        assert time.monotonic() - started_s < 0.2
        _eventually(lambda: not _captures())

    def test_closing_is_quick_while_the_camera_hangs(
        self, server: RtspServer, options: LiveOptions, guard: Guard
    ) -> None:
        source = guard(camera(server.url(), options))
        frames = source.frames()
        next(frames)
        server.freeze()
        started_s: list[float] = []

        def close() -> None:
            started_s.append(time.monotonic())
            source.close()

        threading.Timer(0.5, close).start()
        list(frames)
        assert time.monotonic() - started_s[0] < 1.5
        server.thaw()
        _eventually(lambda: not _captures())

    @pytest.mark.parametrize("last", ["source.close()", "pass"])
    def test_a_hanging_camera_does_not_hold_the_program_up(
        self, server: RtspServer, tmp_path: Path, last: str
    ) -> None:
        script = tmp_path / "hang.py"
        script.write_text(
            "import itertools, sys\n"
            "from pipeline.sources.opening import CameraPlan, open_camera\n"
            "from pipeline.clock import SystemClock\n"
            "from pipeline.redact import Address\n"
            "from pipeline.sources.options import LiveOptions\n"
            "from pipeline.sources.select import StreamSpec\n"
            "plan = CameraPlan('gate', StreamSpec(Address.parse(sys.argv[1])))\n"
            "source = open_camera(plan, itertools.count().__next__, LiveOptions(stall_s=60), SystemClock())\n"
            "frames = source.frames()\n"
            "next(frames)\n"
            "print('playing', flush=True)\n"
            "sys.stdin.readline()\n"
            f"{last}\n"
        )
        program = subprocess.Popen(
            [sys.executable, str(script), server.url()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        assert program.stdout is not None
        while "playing" not in program.stdout.readline():
            pass
        server.freeze()
        time.sleep(0.3)
        started_s = time.monotonic()
        _, errors = program.communicate("\n", timeout=30)
        server.thaw()
        assert program.returncode == 0, errors
        assert time.monotonic() - started_s < 5


class TestCredentials:
    @pytest.fixture
    def private(self, numbered_video: Path) -> Iterator[RtspServer]:
        with RtspServer(numbered_video, user="ad min", password=PASSWORD) as running:
            yield running

    def test_the_right_password_opens(self, private: RtspServer, options: LiveOptions) -> None:
        assert len(take(camera(private.url(), options), 3)) == 3

    @pytest.mark.parametrize(
        ("change", "error", "words"),
        [
            ({"password": "hunter2"}, SourceUnreadable, "refuses the user name or password"),
            ({"user": "mallory", "password": "hunter2"}, SourceUnreadable, "refuses the user name"),
            ({"mount": "nothing-here"}, SourceNotFound, "no stream of that path"),
        ],
    )
    def test_no_error_shows_them(
        self,
        private: RtspServer,
        options: LiveOptions,
        change: dict[str, str],
        error: type[SourceError],
        words: str,
    ) -> None:
        with capture_logs() as logs, pytest.raises(error, match=words) as caught:
            take(camera(private.url(**change), options), 1)
        _hold_no_secret(caught.value, str(logs), private.url(**change))

    def test_nor_does_what_happens_when_nobody_answers(self, options: LiveOptions) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()  # accepts, and never says a word
            address = f"rtsp://admin:hunter2@127.0.0.1:{taken.getsockname()[1]}/x"
            failure = _connect_error(address, options)
        assert isinstance(failure, SourceLost)
        assert "in time" in str(failure)
        _hold_no_secret(failure, "", address)

    @pytest.mark.parametrize(
        "host", ["127.0.0.1:1", "no-such-host.invalid", "[::1]:1", "256.256.256.256", "127.0.0.1:99999"]
    )
    def test_nor_do_unreachable_addresses(self, options: LiveOptions, host: str) -> None:
        address = f"rtsp://admin:hunter2@{host}/x?token=hunter2"
        failure = _connect_error(address, options)
        assert host in str(failure)
        _hold_no_secret(failure, "", address)

    def test_nor_does_anything_that_ffmpeg_prints(self, private: RtspServer, tmp_path: Path) -> None:
        """A whole program with a wrong password, an unreachable host and a lost camera: nothing shows."""
        script = tmp_path / "say.py"
        script.write_text(
            "import itertools, sys, threading, traceback\n"
            "from pipeline.sources.opening import CameraPlan, open_camera\n"
            "from pipeline.clock import SystemClock\n"
            "from pipeline.redact import Address\n"
            "from pipeline.sources.options import LiveOptions\n"
            "from pipeline.sources.select import StreamSpec\n"
            "for text in sys.argv[1:]:\n"
            "    plan = CameraPlan('gate', StreamSpec(Address.parse(text)))\n"
            "    source = open_camera(plan, itertools.count().__next__, LiveOptions(), SystemClock())\n"
            "    print(plan, source)\n"
            "    threading.Timer(1, source.close).start()\n"
            "    try:\n"
            "        print(next(source.frames(), 'closed') is not None)\n"
            "    except Exception:\n"
            "        traceback.print_exc()\n"
        )
        urls = [
            private.url(password="hunter2"),
            "rtsp://admin:hunter2@127.0.0.1:1/x",
            private.url(),
        ]
        done = subprocess.run(
            [sys.executable, str(script), *urls],
            capture_output=True,
            text=True,
            check=False,
            cwd=Path(__file__).parents[2],
            timeout=60,
        )
        screen = done.stdout + done.stderr
        assert done.returncode == 0, screen
        assert "refuses the user name" in screen
        assert "camera lost" in screen
        for secret in ("hunter2", PASSWORD, "p%40ss"):
            assert secret not in screen


def _connect_error(address: str, options: LiveOptions) -> SourceError:
    connect = connector(
        StreamSpec(Address.parse(address)), Transport.TCP, options, SystemClock(), DropCounter()
    )
    with pytest.raises(SourceError) as caught:
        connect()
    return caught.value


def _hold_no_secret(error: BaseException, logs: str, address: str) -> None:
    """Not in the error, not in anything that it refers to, not in the log."""
    login = address.partition("://")[2].rpartition("@")[0]
    secrets = {"hunter2", PASSWORD, login, login.partition(":")[2]} - {""}
    chain, texts = [error], [logs, "".join(traceback.format_exception(error))]
    while chain:
        each = chain.pop()
        texts += [str(each), repr(each), repr(each.args)]
        chain += [other for other in (each.__cause__, each.__context__) if other is not None]
    for text in texts:
        for secret in secrets:
            assert secret not in text


class _watching:  # noqa: N801 - reads as a statement
    """Collects a source's frames in a thread."""

    def __init__(self, source: FrameSource) -> None:
        self._frames: list[Frame] = []
        self._source = source
        self._thread = threading.Thread(target=lambda: self._frames.extend(source.frames()))

    def __enter__(self) -> list[Frame]:
        self._thread.start()
        return self._frames

    def __exit__(self, *_: object) -> None:
        self._source.close()
        self._thread.join(10)


def _captures() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("capture-")]


def _eventually(holds: Callable[[], bool], within_s: float = 5.0) -> None:
    deadline_s = time.monotonic() + within_s
    while not holds() and time.monotonic() < deadline_s:
        time.sleep(0.02)
    assert holds()
