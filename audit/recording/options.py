"""How footage is kept."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class RecordingOptions:
    """Sizes and times of recording.

    Attributes:
        segment_s: A segment ends at the first key frame after it has become so long.
        segment_bytes: The same for its size.
        fragment_s: What a killed process may lose: packets wait so long, at most, before they are written.
        sync_s: What a power cut may lose: how often an open segment is forced to the disk.
        queue_bytes: Footage that waits for a slow disk, at most; more is dropped and counted.
        reserve_bytes: Recording stops while less than this is free, so that others can still write.
        retry_s: How long to wait with a new segment after writing one has failed.
        crf: Quality of footage that has to be encoded, 0..51, lower is better (libx264).
        preset: Its effort (libx264).
    """

    segment_s: float = 60.0
    segment_bytes: int = 256 * MIB
    fragment_s: float = 0.5
    sync_s: float = 5.0
    queue_bytes: int = 64 * MIB
    reserve_bytes: int = 64 * MIB
    retry_s: float = 10.0
    crf: int = 20
    preset: str = "veryfast"

    def __post_init__(self) -> None:
        positive = ("segment_s", "segment_bytes", "fragment_s", "queue_bytes")
        for name in (*positive, "sync_s", "reserve_bytes", "retry_s", "crf"):
            value = getattr(self, name)
            if value < 0 or (name in positive and value == 0):
                wanted = "positive" if name in positive else "0 or more"
                raise ValueError(f"{name} must be {wanted}, got {value}")
