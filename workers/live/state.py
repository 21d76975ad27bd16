"""What a newcomer has to know: how every camera is, and who was last seen in every track that goes on."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from workers.live.events import Event

SIGHTING = "sighting"
CAMERA = "camera"
TROUBLE = "trouble"

MAX_TRACKS = 200
"""Of a camera; the oldest is forgotten first, should ends of tracks ever fail to come."""


class CameraState(enum.StrEnum):
    """How a camera is."""

    STARTING = "starting"
    """It is being opened, and has not shown anything yet."""
    LIVE = "live"
    LOST = "lost"
    """It has shown nothing for a while."""
    FAILED = "failed"
    """It cannot be opened, or something else went wrong; it is tried again."""
    ELSEWHERE = "elsewhere"
    """Another process reads it."""
    ENDED = "ended"
    """A file that was played."""


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """How a camera is, since when (nanoseconds since 1970 UTC), and why, for people."""

    camera_id: str
    state: CameraState
    since_ns: int
    detail: str = ""

    def body(self) -> dict[str, Any]:
        """As an event says it."""
        return {"state": self.state.value, "since_ns": self.since_ns, "detail": self.detail}


@dataclass(frozen=True, slots=True)
class LiveState:
    """Everything that goes on.

    Attributes:
        after: Number of the last event that is part of it.
        cameras: How each camera is.
        tracks: The last decision about every open track, as it was announced.
        trouble: What does not work besides cameras; empty when everything does.
    """

    after: int
    cameras: Sequence[CameraStatus]
    tracks: Sequence[Event]
    trouble: str = ""


@dataclass(slots=True)
class OpenTracks:
    """The tracks of all cameras that go on; those of an earlier stream epoch are over."""

    by_camera: dict[str, dict[int, Event]] = field(default_factory=dict)
    epochs: dict[str, int] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        """Learn from a sighting that was announced."""
        camera, body = event.camera_id, event.body
        if event.kind != SIGHTING or camera is None or not _complete(body):
            return
        epoch, track = int(body["epoch"]), int(body["track"])
        if epoch < self.epochs.get(camera, epoch):
            return
        if epoch > self.epochs.get(camera, epoch):
            self.by_camera.pop(camera, None)
        self.epochs[camera] = epoch
        tracks = self.by_camera.setdefault(camera, {})
        tracks.pop(track, None)
        if body["revision"] != "end":
            tracks[track] = event
        if len(tracks) > MAX_TRACKS:
            del tracks[next(iter(tracks))]

    def forget(self, camera_id: str) -> None:
        """The camera is gone."""
        self.by_camera.pop(camera_id, None)
        self.epochs.pop(camera_id, None)

    def all(self) -> list[Event]:
        """The last word on each."""
        return [event for tracks in self.by_camera.values() for event in tracks.values()]


def _complete(body: Mapping[str, Any]) -> bool:
    return {"epoch", "track", "revision"} <= body.keys()
