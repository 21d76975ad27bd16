"""Since when cameras show nothing, however often they are tried meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from workers.alerts.cameras import CameraReport

_LIVE = "live"
_DEAD = frozenset({"lost", "failed"})
_TRIED = "starting"


class Status(Protocol):
    """How a camera is; :class:`workers.live.state.CameraStatus` is one."""

    @property
    def camera_id(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def since_ns(self) -> int: ...
    @property
    def detail(self) -> str: ...


class Outages:
    """Reports on cameras; one thread at a time.

    A camera that is connected again and again is dead since it showed nothing first, and alive when it shows
    something. Of one that another process reads, that process tells.

    Args:
        cameras: How they are now.
    """

    def __init__(self, cameras: Callable[[], Sequence[Status]]) -> None:
        self._cameras = cameras
        self._since_ns: dict[str, int] = {}

    def __call__(self) -> list[CameraReport]:
        """How they are, as alerts are raised on it."""
        reports = []
        for status in self._cameras():
            camera_id = status.camera_id
            if status.state in _DEAD or (status.state == _TRIED and camera_id in self._since_ns):
                since_ns = self._since_ns.setdefault(camera_id, status.since_ns)
                reports.append(CameraReport(camera_id, True, since_ns, status.detail))
            else:
                self._since_ns.pop(camera_id, None)
                if status.state == _LIVE:
                    reports.append(CameraReport(camera_id, False, status.since_ns))
        return reports
