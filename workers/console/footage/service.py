"""Kept footage around a sighting, as clips that browsers play; each look is recorded first."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

from starlette.exceptions import HTTPException

from audit.recording.closed import ClosedSegment
from audit.recording.library import Recordings
from gallery.database import Database
from pipeline.errors import SourceError, SourceNotFound, UsageError
from pipeline.types import Sighting
from workers.console.access.principal import Principal
from workers.console.access.record import RecordAccess
from workers.console.footage.cache import ClipCache
from workers.console.footage.making import Span, make_clip
from workers.console.footage.shown import subjects_in

MAX_S = 300.0
"""The longest clip."""
_BEFORE_S, _AFTER_S = 3.0, 3.0
_AROUND_S = 120.0
"""Of a track that lasts longer the beginning is shown."""
_AGAIN_S = 600.0
_REMEMBERED = 1000
_AT_ONCE = 2
"""Clips that are made at a time: cameras come first."""
_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class FootageAt:
    """Where the footage around a track is.

    Attributes:
        address: Of the clip.
        first_s: From when, in the stream's own time.
        last_s: Until when.
        track_s: When the track begins, seconds after `first_s`.
    """

    address: str
    first_s: float
    last_s: float
    track_s: float


class FootageClips:
    """Makes clips of kept footage.

    Args:
        recordings: The footage; ``None`` where none is kept.
        database: Knows who was seen meanwhile.
        cache: Of clips.
        record: Told who looked.
        monotonic_s: A clock.
    """

    def __init__(
        self,
        recordings: Recordings | None,
        database: Database,
        cache: ClipCache,
        record: RecordAccess,
        monotonic_s: Callable[[], float],
    ) -> None:
        self._recordings, self._database, self._cache = recordings, database, cache
        self._record, self._now_s = record, monotonic_s
        self._lock, self._making = threading.Lock(), threading.BoundedSemaphore(_AT_ONCE)
        self._told: dict[tuple[object, ...], float] = {}

    def around(self, sighting: Sighting) -> FootageAt | None:
        """The footage that shows the track of a decision; ``None`` where none is kept, or not yet."""
        first_s = max(0.0, sighting.first_seen_s - _BEFORE_S)
        last_s = min(sighting.last_seen_s + _AFTER_S, first_s + _AROUND_S)
        try:
            if not self._segments(sighting.camera_id, sighting.stream_epoch, first_s, last_s):
                return None
        except SourceError:
            return None
        times = urlencode({"from": f"{first_s:.3f}", "to": f"{last_s:.3f}"})
        address = f"/footage/{quote(sighting.camera_id, safe='')}/{sighting.stream_epoch}?{times}"
        return FootageAt(address, first_s, last_s, sighting.first_seen_s - first_s)

    def clip(
        self, principal: Principal, camera_id: str, stream_epoch: int, first_s: float, last_s: float
    ) -> Path:
        """An MP4 of that time, a little more at both ends; it may be gone some minutes later.

        Raises:
            HTTPException: 404, nothing of that time is kept, or nothing that the user may see.
            UsageError: the clip would be too long, or end before it begins.
            SourceUnreadable: it cannot be read.
            StorageError: it cannot be written.
        """
        if not 0 <= last_s - first_s <= MAX_S:
            raise UsageError(f"a clip lasts up to {MAX_S:.0f} s, and must not end before it begins")
        if not principal.sees(camera_id):
            raise _nothing()
        try:
            segments = self._segments(camera_id, stream_epoch, first_s, last_s)
            if not segments or self._recordings is None:
                raise _nothing()
            self._tell(principal, segments, first_s, last_s)
            span = Span(camera_id, stream_epoch, round(first_s * _NS), round(last_s * _NS))
            recordings = self._recordings
            key = repr((span, [(str(one.path), one.media_sha256) for one in segments]))

            def make(path: Path) -> None:
                with self._making:
                    make_clip(recordings, segments, span, path)

            return self._cache.get(key, make)
        except SourceNotFound:
            raise _nothing() from None

    def _segments(
        self, camera_id: str, stream_epoch: int, first_s: float, last_s: float
    ) -> Sequence[ClosedSegment]:
        if self._recordings is None:
            return ()
        found = self._recordings.between(camera_id, stream_epoch, round(first_s * _NS), round(last_s * _NS))
        return [segment for segment in found if segment.last_pts_ns >= first_s * _NS]

    def _tell(
        self, principal: Principal, segments: Sequence[ClosedSegment], first_s: float, last_s: float
    ) -> None:
        """A browser asks for a clip piece by piece: that is one look, for some minutes."""
        who, camera, epoch = principal.who, segments[0].camera_id, segments[0].stream_epoch
        look = (who.user_id, who.token_id, who.address, camera, epoch, first_s, last_s)
        now_s = self._now_s()
        with self._lock:
            known = self._told.get(look)
        if known is not None and now_s - known < _AGAIN_S:
            return
        subjects = subjects_in(self._database, segments, first_s, last_s)
        what = f"footage of {camera}, epoch {epoch}, {first_s:.1f} s to {last_s:.1f} s shown"
        self._record(who, what, subjects)
        with self._lock:
            while len(self._told) >= _REMEMBERED:
                del self._told[next(iter(self._told))]
            self._told[look] = now_s


def _nothing() -> HTTPException:
    return HTTPException(404, "no footage of that time is kept, or none that you may see")
