"""What every frame source must do; subclass with a `make` fixture."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable

import numpy as np

from pipeline.seams import FrameSource
from pipeline.types import Frame

Make = Callable[[], FrameSource]
"""Makes a source that gives at least four frames, all of one size."""

COUNT = 4


def take(source: FrameSource, count: int = COUNT) -> list[Frame]:
    """The first `count` frames; the iteration is ended, the source is not closed."""
    return list(itertools.islice(source.frames(), count))


class FrameSourceContract:
    """Order, identity, ownership of the pixels, and ending."""

    def test_frames_come_in_order_and_count_from_the_first(self, make: Make) -> None:
        source = make()
        frames = take(source)
        source.close()
        assert len(frames) == COUNT
        keys = [(frame.stream_epoch, frame.pts_ns) for frame in frames]
        assert keys == sorted(set(keys))
        # The newest of a live source need not be its first.
        assert frames[0].pts_ns < 3_000_000_000 if source.live else frames[0].pts_ns == 0
        assert {frame.camera_id for frame in frames} == {source.camera_id}

    def test_the_pixels_belong_to_the_consumer(self, make: Make) -> None:
        source = make()
        frames = take(source)
        source.close()
        for frame in frames:
            assert frame.image_bgr.dtype == np.uint8
            assert frame.image_bgr.flags.c_contiguous
            assert frame.image_bgr.flags.writeable
        first = frames[0].image_bgr.copy()
        frames[1].image_bgr[:] = 7
        assert np.array_equal(frames[0].image_bgr, first)

    def test_capture_times_grow_with_the_frames_where_they_are_known(self, make: Make) -> None:
        source = make()
        times = [frame.captured_at_ns for frame in take(source)]
        source.close()
        known = [time_ns for time_ns in times if time_ns is not None]
        assert len(known) in (0, len(times))
        assert known == sorted(known)

    def test_what_it_says_about_itself(self, make: Make) -> None:
        source = make()
        assert source.camera_id
        assert source.rate_hz > 0
        assert source.dropped_by_cause == {}
        if source.live:
            assert source.frame_count is None
        source.close()

    def test_a_source_that_is_closed_gives_nothing(self, make: Make) -> None:
        source = make()
        source.close()
        source.close()
        assert list(source.frames()) == []

    def test_closing_from_another_thread_ends_the_frames_soon(self, make: Make) -> None:
        source = make()
        started_s: list[float] = []

        def close() -> None:
            started_s.append(time.monotonic())
            source.close()

        frames = source.frames()
        next(frames)
        closer = threading.Timer(0.1, close)
        closer.start()
        for _ in frames:
            closer.join()
        closer.join()
        assert time.monotonic() - started_s[0] < 2.0

    def test_leaving_the_loop_early_leaves_nothing_behind(self, make: Make) -> None:
        before = threading.active_count()
        source = make()
        for _ in source.frames():
            break
        source.close()
        deadline_s = time.monotonic() + 5
        while threading.active_count() > before and time.monotonic() < deadline_s:
            time.sleep(0.01)
        assert threading.active_count() <= before

    def test_counts_are_a_copy(self, make: Make) -> None:
        source = make()
        source.dropped_by_cause["mine"] = 1
        assert "mine" not in source.dropped_by_cause
        source.close()
