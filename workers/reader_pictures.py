"""What a reader on Kafka shows to consoles: pictures of its cameras, and how they are."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType

import structlog

from pipeline.errors import PinwatchError
from pipeline.seams import Clock
from pipeline.sources.worker import Worker
from workers.channel import FrameTap
from workers.follow import SightingsFollower
from workers.live.blur import FaceBlur
from workers.live.cameras import CameraStates
from workers.live.preview import Preview
from workers.live.preview_options import PreviewOptions
from workers.live.preview_server import PreviewServer
from workers.live.relay import TileRelay
from workers.preview_places import PreviewPlaces
from workers.repeated import Repeated

log = structlog.get_logger(__name__)

_LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class Hiding:
    """Hides faces of people who are not named.

    Attributes:
        blur: Where they are.
        decisions: Tells it who is named.
    """

    blur: FaceBlur
    decisions: SightingsFollower


class ReaderPictures:
    """Serves pictures within its context.

    Args:
        options: Where, and to whom.
        places: Where it is said that they can be had.
        reader_id: Whose they are.
        clock: Time.
        rate_hz: Pictures a second of a camera, at most.
        hiding: Whose faces are hidden; ``None``: everybody is shown.

    Raises:
        UsageError: the port is taken.
    """

    def __init__(
        self,
        options: PreviewOptions,
        places: PreviewPlaces,
        reader_id: str,
        clock: Clock,
        *,
        rate_hz: float,
        hiding: Hiding | None = None,
    ) -> None:
        self._places, self._reader_id, self._hiding = places, reader_id, hiding
        self._relay = TileRelay()
        self.states = CameraStates(self._relay, clock)
        self._preview = Preview(self._relay, clock, rate_hz, hiding.blur if hiding else None)
        self._server = PreviewServer(self._relay, options, clock.now_ns)
        self._running = ExitStack()

    def __enter__(self) -> ReaderPictures:
        with ExitStack() as starting:
            starting.enter_context(self._server)
            starting.enter_context(self._preview)
            look = Repeated(self.states.look, _LOOK_S, "camera-states")
            starting.callback(look.close)
            look.start()
            if self._hiding is not None:
                starting.callback(_followed(self._hiding.decisions).close)
            starting.callback(self._withdraw)
            self._running = starting.pop_all()
        log.info("pictures for consoles", url=self._server.url)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    @property
    def taps(self) -> Sequence[FrameTap]:
        """To be shown every frame of every camera."""
        return self.states.on_frame, self._preview

    def on_beat(self) -> None:
        """To be called every few seconds: says where the pictures are."""
        try:
            self._places.announce(self._reader_id, self._server.url)
        except PinwatchError as error:
            log.warning("consoles are not told where pictures are", error=str(error))

    def _withdraw(self) -> None:
        try:
            self._places.withdraw(self._reader_id)
        except PinwatchError as error:
            log.warning("consoles are not told that there are no pictures here any more", error=str(error))


def _followed(decisions: SightingsFollower) -> Worker:
    stop = threading.Event()
    worker = Worker(lambda: decisions.run(stop), stop.set, "decisions")
    worker.start()
    return worker
