"""What a page may ask of the socket, and how often."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.errors import UsageError
from workers.live.tiles import WIDTHS

MAX_BYTES = 16 * 1024
MAX_CAMERAS = 64
MAX_ASKS = 30
WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Ask:
    """What was asked.

    Attributes:
        show: Cameras, and in which width; ``None``: as before.
        video: Camera whose video is to be played; empty: none; ``None``: as before.
        after: Number of the last event that the page knows; ``None``: it knows none.
    """

    show: Mapping[str, int] | None = None
    video: str | None = None
    after: int | None = None


def parse_ask(text: str) -> Ask:
    """Understand a message.

    Raises:
        UsageError: it is none that anybody should send.
    """
    if len(text) > MAX_BYTES:
        raise UsageError(f"a message has at most {MAX_BYTES} bytes")
    try:
        asked = json.loads(text)
    except (ValueError, RecursionError):
        raise UsageError("a message is JSON") from None
    if not isinstance(asked, dict):
        raise UsageError('a message is like {"show": {"gate": 320}, "after": 17}')
    return Ask(_show(asked.get("show")), _video(asked.get("video")), _after(asked.get("after")))


def _show(value: Any) -> Mapping[str, int] | None:
    if value is None:
        return None
    if not isinstance(value, dict) or len(value) > MAX_CAMERAS:
        raise UsageError(f"show names at most {MAX_CAMERAS} cameras with a width each")
    for width in value.values():
        if isinstance(width, bool) or width not in WIDTHS:
            raise UsageError(f"a picture is {', '.join(map(str, WIDTHS))} px wide")
    return value


def _video(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise UsageError("video is the name of a camera, or empty")
    return value


def _after(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise UsageError("after is the number of an event")
    return value


@dataclass(slots=True)
class AskLimit:
    """At most :data:`MAX_ASKS` within :data:`WITHIN_S`."""

    times_s: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_ASKS))

    def check(self, now_s: float) -> None:
        """Count one more.

        Raises:
            UsageError: it is one too many.
        """
        if len(self.times_s) == MAX_ASKS and now_s - self.times_s[0] < WITHIN_S:
            raise UsageError(f"at most {MAX_ASKS} messages in {WITHIN_S:.0f} seconds")
        self.times_s.append(now_s)
