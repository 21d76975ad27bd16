"""Recorded footage as a source of frames, so that it can be watched again."""

from __future__ import annotations

import functools
from collections.abc import Iterator

from audit.recording.index import read_index
from audit.recording.library import Recordings
from pipeline.errors import SourceNotFound, SourceUnreadable, StorageError
from pipeline.sources.ahead import DecodedAhead
from pipeline.sources.channel import Channel, DropCounter
from pipeline.types import Frame

_AHEAD_FRAMES = 4


class RecordedSource:
    """One camera's epoch, or a part of it, as it was recorded. Decodes ahead in a thread of its own.

    Its frames have the camera, epoch, times and pixels of the live ones. Frames that were recorded and cannot
    be decoded any more are counted as ``missing``. `frames` may be called again and starts over.

    Args:
        recordings: Where.
        camera_id: Whose.
        stream_epoch: Of which epoch.
        first_pts_ns: From when.
        last_pts_ns: Until when, included; ``None`` until the end.
        threads: Decoder threads; ``None`` takes half of the processors, 0 lets FFmpeg choose.

    Raises:
        SourceNotFound: there is no footage of that time.
        SourceUnreadable: there is, but what describes it cannot be read.
    """

    live = False

    def __init__(
        self,
        recordings: Recordings,
        camera_id: str,
        stream_epoch: int,
        *,
        first_pts_ns: int = 0,
        last_pts_ns: int | None = None,
        threads: int | None = None,
    ) -> None:
        self._camera_id = camera_id
        self._drops = DropCounter()
        self._decode = functools.partial(
            recordings.frames,
            camera_id,
            stream_epoch,
            first_pts_ns,
            last_pts_ns,
            threads=threads,
            drops=self._drops,
        )
        self._ahead = DecodedAhead(camera_id, self._fill)
        segments = recordings.between(camera_id, stream_epoch, first_pts_ns, last_pts_ns)
        if not segments:
            raise SourceNotFound(
                f"there is no footage of {camera_id} in epoch {stream_epoch} from {first_pts_ns} ns on: it "
                "was not recorded, or was deleted since"
            )
        try:
            indexes = [read_index(segment.paths.index) for segment in segments]
        except StorageError as error:
            raise SourceUnreadable(str(error)) from error
        self._rate_hz = indexes[0].header.rate_hz
        last = float("inf") if last_pts_ns is None else last_pts_ns
        pairs = zip(indexes, segments, strict=True)
        names = (name for index, segment in pairs for name in index.names_within(segment.packets))
        self._frame_count = sum(first_pts_ns <= name.pts_ns <= last for name in names)

    @property
    def camera_id(self) -> str:
        return self._camera_id

    @property
    def frame_count(self) -> int | None:
        return self._frame_count

    @property
    def rate_hz(self) -> float:
        return self._rate_hz

    @property
    def dropped_by_cause(self) -> dict[str, int]:
        return self._drops.as_dict()

    def frames(self) -> Iterator[Frame]:
        """Yield every frame in order; raises as :meth:`Recordings.frames`."""
        yield from self._ahead.frames(_AHEAD_FRAMES)

    def close(self) -> None:
        """End `frames` soon; safe from another thread and twice."""
        self._ahead.close()

    def _fill(self, channel: Channel[Frame]) -> None:
        for frame in self._decode():
            if not channel.put(frame):
                return
