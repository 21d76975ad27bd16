"""How cameras are that other processes read, as far as a console can tell, and since when."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from pipeline.seams import Clock
from workers.leases import BeatWatch
from workers.live.state import CameraState, CameraStatus
from workers.preview_places import PreviewPlace


@dataclass(frozen=True, slots=True)
class LinkState:
    """How it stands with the connection to a reader.

    Attributes:
        problem: Why there is none; ``None``: there is one; empty: nobody has tried yet.
        states: What the reader said about its cameras.
    """

    problem: str | None
    states: Mapping[str, CameraStatus]


@dataclass(slots=True)
class RemoteStates:
    """Remembers since when.

    Args:
        clock: Time.
    """

    clock: Clock
    _beats: BeatWatch = field(init=False)
    _cameras: Collection[str] = field(default=(), init=False)
    _places: Mapping[str, PreviewPlace] = field(default_factory=dict, init=False)
    _alive: Collection[str] = field(default=(), init=False)
    _known: dict[str, CameraStatus] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._beats = BeatWatch(self.clock)

    def look(self, cameras: Collection[str], places: Mapping[str, PreviewPlace]) -> None:
        """Take what the database says now.

        Args:
            cameras: All that are to be read by somebody.
            places: Who reads them.
        """
        self._cameras, self._places = sorted(cameras), places
        self._alive = self._beats.alive(
            {_lease(camera, place): place.beat for camera, place in places.items()}
        )

    def statuses(self, links: Mapping[str, LinkState] | None) -> list[CameraStatus]:
        """How each camera is now.

        Args:
            links: Connections to readers by their address; ``None``: none is wanted.
        """
        known = {}
        for camera in self._cameras:
            known[camera] = self._since(_status(camera, self._places.get(camera), self._alive, links))
        self._known = known
        return list(known.values())

    def _since(self, status: CameraStatus) -> CameraStatus:
        """What was so before has been so since then; what the reader dates is as it says."""
        before = self._known.get(status.camera_id)
        if status.since_ns:
            return status
        if before is not None and (before.state, before.detail) == (status.state, status.detail):
            return before
        return CameraStatus(status.camera_id, status.state, self.clock.now_ns(), status.detail)


def _status(
    camera: str, place: PreviewPlace | None, alive: Collection[str], links: Mapping[str, LinkState] | None
) -> CameraStatus:
    """With 0 for since when, where nobody said."""
    if place is None:
        return CameraStatus(camera, CameraState.LOST, 0, "no reader has taken it")
    if _lease(camera, place) not in alive:
        return CameraStatus(camera, CameraState.LOST, 0, f"its reader {place.reader_id} is dead")
    if place.url is None:
        detail = f"its reader {place.reader_id} shows no pictures: worker.preview_port is not set there"
        return CameraStatus(camera, CameraState.ELSEWHERE, 0, detail)
    return _link_status(camera, None if links is None else links.get(place.url, LinkState("", {})))


def _link_status(camera: str, link: LinkState | None) -> CameraStatus:
    if link is None:
        detail = "this console shows no pictures: worker.preview_secret is not set here"
        return CameraStatus(camera, CameraState.ELSEWHERE, 0, detail)
    if link.problem == "":
        return CameraStatus(camera, CameraState.STARTING, 0, "")
    if link.problem is not None:
        return CameraStatus(camera, CameraState.LOST, 0, link.problem)
    return link.states.get(camera) or CameraStatus(camera, CameraState.LIVE, 0, "")


def _lease(camera: str, place: PreviewPlace) -> str:
    """A lease that changed hands is watched anew."""
    return f"{camera}\x1f{place.reader_id}"
