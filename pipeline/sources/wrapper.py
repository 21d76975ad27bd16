"""Base of the sources that change the frames of another."""

from __future__ import annotations

from pipeline.seams import FrameSource


class SourceWrapper:
    """Passes on everything but the frames of `source`."""

    def __init__(self, source: FrameSource) -> None:
        self._source = source

    @property
    def camera_id(self) -> str:
        return self._source.camera_id

    @property
    def live(self) -> bool:
        return self._source.live

    @property
    def frame_count(self) -> int | None:
        return self._source.frame_count

    @property
    def rate_hz(self) -> float:
        return self._source.rate_hz

    @property
    def dropped_by_cause(self) -> dict[str, int]:
        return self._source.dropped_by_cause

    def close(self) -> None:
        """Close the source."""
        self._source.close()
