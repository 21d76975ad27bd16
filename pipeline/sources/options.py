"""What may be set for live sources."""

from __future__ import annotations

import enum
from dataclasses import dataclass, fields
from typing import ClassVar


class Transport(enum.StrEnum):
    """How RTSP carries the pictures: TCP loses nothing, UDP has the smaller delay."""

    TCP = "tcp"
    UDP = "udp"


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """How live cameras are read; the same for all of them.

    Attributes:
        open_timeout_s: How long connecting may take.
        stall_s: Without a picture for this long a camera counts as lost.
        retry_first_s: About how long after the first loss a camera is tried again; doubles with
            every failure, with jitter, up to `retry_max_s`.
        retry_max_s: The longest wait between two tries.
        stable_s: A connection that lasted this long starts the waits over.
        buffer_frames: How many frames may wait for the consumer; the oldest gives way (``stale``).
        pair_tolerance_s: Main stream and substream pictures further apart than this are not paired.
        pair_fallback_s: Without substream pictures for this long, detection falls back to the main stream.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    open_timeout_s: float = 5.0
    stall_s: float = 10.0
    retry_first_s: float = 0.5
    retry_max_s: float = 30.0
    stable_s: float = 30.0
    buffer_frames: int = 2
    pair_tolerance_s: float = 0.1
    pair_fallback_s: float = 2.0

    def __post_init__(self) -> None:
        for item in fields(self):
            if getattr(self, item.name) <= 0:
                raise ValueError(f"{item.name} must be positive, got {getattr(self, item.name)}")
