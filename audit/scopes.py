"""The name under which everything of one track is sealed."""

from __future__ import annotations

from audit.recording.layout import quoted
from pipeline.types import TrackKey


def scope_of(run_id: str, key: TrackKey) -> str:
    """Unlike that of any other track of any run: recordings that are watched again have the same keys."""
    return f"{quoted(run_id)}/{key}"


def parts_of(scope: str) -> tuple[str, TrackKey]:
    """The run, as a folder is named after it, and the track.

    Raises:
        ValueError: it is no scope.
    """
    run, _, track = scope.partition("/")
    camera_id, stream_epoch, track_id = track.rsplit(":", 2)
    return run, TrackKey(camera_id, int(stream_epoch), int(track_id))
