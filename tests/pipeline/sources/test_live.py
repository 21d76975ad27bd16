"""Live sources on cameras made of Python; the real ones are in tests/rtsp."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from pipeline.clock import ManualClock, SystemClock
from pipeline.errors import GalleryBusy, GalleryCorrupt, SourceLost, SourceNotFound, SourceUnreadable
from pipeline.sources.capture import Backoff
from pipeline.sources.live import LiveSource, NextEpoch
from pipeline.sources.options import LiveOptions
from tests.contracts.frame_source import FrameSourceContract, Make, take
from tests.pipeline.sources.fakes import FakeCamera


def live(
    camera: FakeCamera, fast: LiveOptions, next_epoch: NextEpoch | None = None, **how: float
) -> LiveSource:
    epochs = next_epoch or itertools.count(7).__next__
    return LiveSource("gate", camera.connect, epochs, options=fast, clock=SystemClock(), **how)  # type: ignore[arg-type]


class TestContract(FrameSourceContract):
    @pytest.fixture
    def make(self, fast: LiveOptions) -> Make:
        return lambda: live(FakeCamera(), fast)


class TestContractReconnecting(FrameSourceContract):
    @pytest.fixture
    def make(self, fast: LiveOptions) -> Make:
        return lambda: live(FakeCamera(per_session=2), fast)


class TestReconnecting:
    def test_each_connection_is_an_epoch_from_the_counter(self, fast: LiveOptions) -> None:
        camera = FakeCamera(per_session=3)
        source = live(camera, fast)
        frames = take(source, 9)
        source.close()
        assert [frame.stream_epoch for frame in frames] == [7, 7, 7, 8, 8, 8, 9, 9, 9]
        assert [frame.pts_ns == 0 for frame in frames] == [True, False, False] * 3

    def test_failed_tries_cost_no_epoch(self, fast: LiveOptions) -> None:
        camera = FakeCamera(per_session=1, refuse=[SourceLost("off"), SourceLost("off"), SourceLost("off")])
        source = live(camera, fast)
        assert [frame.stream_epoch for frame in take(source, 2)] == [7, 8]
        source.close()

    def test_what_only_a_person_can_mend_ends_the_first_try(self, fast: LiveOptions) -> None:
        for error in (SourceNotFound("no such path"), SourceUnreadable("wrong password")):
            source = live(FakeCamera(refuse=[error]), fast)
            with pytest.raises(type(error), match=str(error)):
                next(source.frames())

    def test_but_a_camera_that_worked_once_is_tried_for_ever(self, fast: LiveOptions) -> None:
        camera = FakeCamera(per_session=1)
        source = live(camera, fast)
        frames = source.frames()
        next(frames)
        camera.refuse += [SourceUnreadable("restarting"), SourceNotFound("not yet there")]
        assert next(frames).stream_epoch == 8
        source.close()

    def test_a_busy_database_is_waited_for_and_a_broken_one_ends_the_source(self, fast: LiveOptions) -> None:
        answers = iter([GalleryBusy("held"), None, GalleryCorrupt("damaged")])

        def next_epoch() -> int:
            answer = next(answers)
            if answer:
                raise answer
            return 1

        source = live(FakeCamera(per_session=1), fast, next_epoch=next_epoch)
        frames = source.frames()
        assert next(frames).stream_epoch == 1
        with pytest.raises(GalleryCorrupt, match="damaged"):
            next(frames)

    def test_a_lost_camera_does_not_touch_another(self, fast: LiveOptions) -> None:
        dead, alive = FakeCamera(refuse=[SourceLost("off")] * 10**4), FakeCamera()
        sources = [live(dead, fast), live(alive, fast)]
        waiting = threading.Thread(target=lambda: list(sources[0].frames()))
        waiting.start()
        assert {frame.stream_epoch for frame in take(sources[1], 20)} == {7}
        for source in sources:
            source.close()
        waiting.join(2)
        assert not waiting.is_alive()

    def test_every_connection_is_hung_up(self, fast: LiveOptions) -> None:
        camera = FakeCamera(per_session=2)
        source = live(camera, fast)
        take(source, 8)
        source.close()
        _eventually(lambda: camera.open_connections == 0)
        assert camera.connects >= 4


class TestDropping:
    def test_a_slow_consumer_gets_the_newest_and_the_rest_is_counted(self, fast: LiveOptions) -> None:
        camera = FakeCamera(period_s=0.002)
        source = live(camera, replace(fast, buffer_frames=2))
        values = []
        for frame in source.frames():
            values.append(int(frame.image_bgr[0, 0, 0]))
            time.sleep(0.03)
            if len(values) == 5:
                break
        source.close()
        assert values == sorted(values)
        gaps = [later - earlier for earlier, later in itertools.pairwise(values[1:])]
        assert all(gap > 2 for gap in gaps), "frames in between were skipped"
        dropped = source.dropped_by_cause
        assert set(dropped) == {"stale"}
        assert dropped["stale"] >= sum(gaps) - len(gaps)

    def test_the_rate_limit_thins_out_and_counts(self, fast: LiveOptions) -> None:
        source = live(FakeCamera(period_s=0.005), fast, rate_limit_hz=20.0)
        assert source.rate_hz == 20
        frames = take(source, 8)
        source.close()
        lasted_s = (frames[-1].pts_ns - frames[0].pts_ns) / 1e9
        assert 7 / lasted_s == pytest.approx(20, rel=0.25)
        assert source.dropped_by_cause["rate_limit"] > 10

    def test_the_nominal_rate_is_the_cameras_own_once_it_is_known(self, fast: LiveOptions) -> None:
        source = live(FakeCamera(period_s=0.02), fast)
        assert source.rate_hz == 25
        take(source, 1)
        assert source.rate_hz == pytest.approx(50)
        source.close()

    def test_the_clock_offset_is_added(self, fast: LiveOptions) -> None:
        source = live(FakeCamera(), fast, clock_offset_s=-3600.0)
        frame = take(source, 1)[0]
        source.close()
        assert frame.captured_at_ns is not None
        assert time.time() - frame.captured_at_ns / 1e9 == pytest.approx(3600, abs=5)


class TestEnding:
    def test_closing_is_quick_even_when_the_camera_is_silent(self, fast: LiveOptions) -> None:
        camera = FakeCamera()
        source = live(camera, fast)
        frames = source.frames()
        next(frames)
        camera.silent.set()
        started_s = time.monotonic()
        threading.Timer(0.1, source.close).start()
        list(frames)
        assert time.monotonic() - started_s < 2.5
        camera.silent.clear()

    def test_closing_interrupts_the_wait_before_the_next_try(self) -> None:
        slow = LiveOptions(retry_first_s=60, retry_max_s=60)
        source = live(FakeCamera(refuse=[SourceLost("off")]), slow)
        threading.Timer(0.1, source.close).start()
        started_s = time.monotonic()
        assert list(source.frames()) == []
        assert time.monotonic() - started_s < 2


class TestBackoff:
    def test_waits_grow_with_jitter_up_to_the_limit(self) -> None:
        rounds = []
        for _ in range(200):
            backoff = Backoff(first_s=1, max_s=30)
            rounds.append([backoff.next_s() for _ in range(8)])
        for failure, waits in enumerate(zip(*rounds, strict=True)):
            highest = min(30, 2**failure)
            assert min(waits) >= 0.5
            assert max(waits) <= highest
            assert max(waits) > highest * 0.9
            assert len(set(waits)) > 100, "cameras lost together must not come back together"

    def test_starts_over_after_a_reset_and_never_overflows(self) -> None:
        backoff = Backoff(first_s=1, max_s=30)
        assert max(backoff.next_s() for _ in range(5000)) <= 30
        backoff.reset()
        assert backoff.next_s() <= 1

    def test_a_connection_that_lasted_starts_over(self, fast: LiveOptions) -> None:
        camera, clock = FakeCamera(per_session=3), ManualClock()
        epochs = itertools.count(1)

        def next_epoch() -> int:
            clock.advance(fast.stable_s + 1)
            return next(epochs)

        source = LiveSource("gate", camera.connect, next_epoch, options=fast, clock=clock)
        started_s = time.monotonic()
        take(source, 60)
        source.close()
        assert time.monotonic() - started_s < 20 * (fast.retry_first_s + 3 * camera.period_s) + 2


@pytest.mark.parametrize("name", ["stall_s", "retry_first_s", "buffer_frames", "pair_tolerance_s"])
def test_options_must_be_positive(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        LiveOptions(**{name: 0})


def _eventually(holds: Callable[[], bool], within_s: float = 3.0) -> None:
    deadline_s = time.monotonic() + within_s
    while not holds() and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert holds()
