"""How cameras are, told from their pictures: what stops showing anything is lost, whatever else it says."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pipeline.seams import Clock
from pipeline.types import Frame, TrackedFace
from workers.live.state import CameraState

SILENT_S = 3.0
"""Without a picture for so long a camera is lost, or for three times as long as between its last two."""

ANSWERS_WITHIN_S = 15.0

_SILENT = "it has stopped sending pictures"
_NO_ANSWER = "it does not answer; it is tried again"
_RATE_KEPT = 0.9


class ShowsCameras(Protocol):
    """Whom to tell; :class:`workers.live.hub.LiveHub` is one."""

    def camera_state(
        self, camera_id: str, state: CameraState | str, since_ns: int, detail: str = ""
    ) -> None: ...
    def forget_camera(self, camera_id: str) -> None: ...


@dataclass(slots=True)
class CameraView:
    """What is known of a camera.

    Attributes:
        state: How it is.
        since_ns: Since when, nanoseconds since 1970 UTC.
        detail: Why.
        frames: Pictures since it was opened first.
        rate_hz: Pictures a second, lately.
    """

    state: CameraState
    since_ns: int
    since_s: float
    detail: str = ""
    frames: int = 0
    rate_hz: float = 0.0
    last_s: float | None = None
    last_ns: int = 0


class CameraStates:
    """Keeps track of all cameras of this process. Safe from any thread.

    :meth:`on_frame` is a :data:`workers.channel.FrameTap`; :meth:`look` is to be called about every second.

    Args:
        shown: Told of every change.
        clock: Time.
        silent_s: Without a picture for so long a camera is lost.
    """

    def __init__(self, shown: ShowsCameras, clock: Clock, silent_s: float = SILENT_S) -> None:
        self._shown, self._clock, self._silent_s = shown, clock, silent_s
        self._lock = threading.Lock()
        self._cameras: dict[str, CameraView] = {}

    def camera(self, camera_id: str, state: CameraState, detail: str = "") -> None:
        """It is so from now on; see :class:`workers.live_reader.WatchesCameras`."""
        with self._lock:
            before = self._cameras.get(camera_id)
            if before is not None and (before.state, before.detail) == (state, detail):
                return
            view = before or CameraView(state, 0, 0.0)
            self._cameras[camera_id] = view
            self._set(camera_id, view, state, self._clock.now_ns(), detail)

    def gone(self, camera_id: str) -> None:
        """It is to be read by nobody any more."""
        with self._lock:
            self._cameras.pop(camera_id, None)
            self._shown.forget_camera(camera_id)

    def on_frame(self, frame: Frame, tracked: Sequence[TrackedFace]) -> None:
        """It has shown something."""
        now_s = self._clock.monotonic_s()
        with self._lock:
            view = self._cameras.get(frame.camera_id)
            if view is None:
                return
            if view.last_s is not None and now_s > view.last_s:
                rate_hz = 1.0 / (now_s - view.last_s)
                view.rate_hz = rate_hz + _RATE_KEPT * (view.rate_hz - rate_hz) if view.rate_hz else rate_hz
            view.frames += 1
            view.last_s, view.last_ns = now_s, self._clock.now_ns()
            if view.state is not CameraState.LIVE:
                self._set(frame.camera_id, view, CameraState.LIVE, view.last_ns, "")

    def look(self) -> None:
        """Whether some camera has fallen silent."""
        now_s = self._clock.monotonic_s()
        with self._lock:
            for camera_id, view in self._cameras.items():
                match view.state:
                    case CameraState.LIVE if now_s - (view.last_s or 0.0) > self._patience_s(view):
                        view.rate_hz = 0.0
                        self._set(camera_id, view, CameraState.LOST, view.last_ns, _SILENT)
                    case CameraState.STARTING if now_s - view.since_s > ANSWERS_WITHIN_S:
                        self._set(camera_id, view, CameraState.FAILED, view.since_ns, _NO_ANSWER)

    def views(self) -> dict[str, CameraView]:
        """What is known of each; to be read only."""
        with self._lock:
            return dict(self._cameras)

    def _patience_s(self, view: CameraView) -> float:
        return max(self._silent_s, 3.0 / view.rate_hz if view.rate_hz else 0.0)

    def _set(self, camera_id: str, view: CameraView, state: CameraState, since_ns: int, detail: str) -> None:
        view.state, view.since_ns, view.detail = state, since_ns, detail
        view.since_s = self._clock.monotonic_s()
        self._shown.camera_state(camera_id, state, since_ns, detail)
