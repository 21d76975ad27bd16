"""The pipeline inside the console: watches cameras while the pages are served."""

from __future__ import annotations

import functools
import os
import socket
import threading
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workers.assemble_live import LiveAssembly, watched_sources
from workers.build import Context
from workers.leases import CameraLeases
from workers.live.blur import FaceBlur
from workers.live.cameras import CameraStates, CameraView
from workers.live.failing import log_failure
from workers.live.footage import PlayedSource
from workers.live.hub import LiveHub
from workers.live.patient import StepView
from workers.live.pipeline import LivePipeline
from workers.live.preview import Preview
from workers.live.sightings import LiveSightings
from workers.live.videos import LiveVideos
from workers.live_reader import LiveReader
from workers.sinks import Board
from workers.steps import SightingSink

if TYPE_CHECKING:
    from workers.camera_settings import Camera

_LOOK_S = 1.0
_AGAIN_S = 10.0
_END_S = 40.0


@dataclass(frozen=True, slots=True)
class LiveRequest:
    """What the console is to watch.

    Attributes:
        sources: As `watch` takes them, besides all enabled cameras of the database.
        loop: Play files again and again.
        record: Keep footage.
    """

    sources: tuple[str, ...] = ()
    loop: bool = False
    record: bool = False


class EmbeddedPipeline:
    """Watches in threads of its own. Networks are loaded when there is something to watch.

    Args:
        context: Settings, models, gallery, cameras.
        request: What is to be watched.
        hub: Shows it.
        sinks: Who else is told of decisions, after they are recorded.

    Raises:
        UsageError, SourceError: a source is named that is none.

    Attributes:
        states: How the cameras are.
        running: The steps; ``None``: there is, or was, nothing to watch.
    """

    def __init__(
        self, context: Context, request: LiveRequest, hub: LiveHub, sinks: Sequence[SightingSink] = ()
    ) -> None:
        self._context, self._request, self._hub, self._sinks = context, request, hub, tuple(sinks)
        self._played, self._named = watched_sources(context, request.sources)
        self.states = CameraStates(hub, context.clock)
        self.running: LivePipeline | None = None
        self._reading: LiveReader | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pipeline", daemon=True)

    def camera_views(self) -> Mapping[str, CameraView]:
        """What is known of each camera, for whoever looks after health."""
        return self.states.views()

    def camera_drops(self) -> Mapping[str, Mapping[str, int]]:
        """What was left out of each camera that is being read, by cause."""
        return {} if self._reading is None else self._reading.drops()

    def step_views(self) -> Sequence[StepView]:
        """How the steps are."""
        return () if self.running is None else self.running.steps

    def waiting(self) -> int | None:
        """Messages that no step has begun with; ``None``: there are no steps."""
        return None if self.running is None else self.running.waiting

    def start(self) -> None:
        """Begin to watch; once."""
        self._thread.start()

    def close(self) -> None:
        """End all cameras, and return when what they have shown is decided and written. Safe twice."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_END_S)

    def _run(self) -> None:
        """Until it is stopped; what cannot be put together now is tried again later."""
        while not self._stop.is_set():
            try:
                if self._played or self._cameras():
                    self._watch()
            except Exception as error:  # noqa: BLE001 - logged, shown, and tried again
                told = log_failure("cameras cannot be watched; trying again", error)
                self._hub.trouble(f"cameras cannot be watched: {told}")
                self._stop.wait(_AGAIN_S)
            self._stop.wait(_LOOK_S)

    def _watch(self) -> None:
        context = self._context
        with ExitStack() as resources:
            recording = resources.enter_context(context.recording()) if self._request.record else None
            assembly = LiveAssembly(context, uuid.uuid4().hex, recording, self._videos())
            board = Board()
            sinks = [board, *self._sinks, LiveSightings(self._hub, context.clock)]
            pipeline = assembly.pipeline(self._hub, self.states, sinks)
            preview = resources.enter_context(self._preview(board))
            reader = self._reading = self._reader(pipeline, preview, assembly)
            played = [self._source(camera_id, pipeline, preview, assembly) for camera_id, _ in self._played]
            self.running = pipeline
            self._hub.trouble("")
            pipeline.run(reader, played, self._stop)

    def _videos(self) -> LiveVideos | None:
        """Nobody can hide a face in what the camera has encoded."""
        return None if self._context.settings.privacy.blur_unknown else self._hub.videos

    def _preview(self, board: Board) -> Preview:
        settings = self._context.settings
        blur = FaceBlur(board.latest) if settings.privacy.blur_unknown else None
        return Preview(self._hub, self._context.clock, settings.console.preview_hz, blur)

    def _reader(self, pipeline: LivePipeline, preview: Preview, assembly: LiveAssembly) -> LiveReader:
        leases = CameraLeases(self._context.database(), _reader_id(), self._context.clock)
        return LiveReader(
            leases,
            self._cameras,
            assembly.camera,
            pipeline.send,
            assembly.note_report,
            taps=[self.states.on_frame, preview],
            watcher=self.states,
        )

    def _source(
        self, camera_id: str, pipeline: LivePipeline, preview: Preview, assembly: LiveAssembly
    ) -> PlayedSource:
        return PlayedSource(
            camera_id,
            functools.partial(assembly.played, camera_id, dict(self._played)[camera_id]),
            again=self._request.loop,
            send=pipeline.send,
            taps=[self.states.on_frame, preview],
            watcher=self.states,
            on_report=assembly.note_report,
        )

    def _cameras(self) -> dict[str, Camera]:
        """All that are to be watched, but for those whose names footage has taken."""
        taken = {camera_id for camera_id, _ in self._played}
        return {
            camera.name: camera
            for camera in self._context.cameras().list()
            if (camera.enabled or camera.name in self._named) and camera.name not in taken
        }


def _reader_id() -> str:
    """Unlike any other, and of some use to people who look at the table."""
    return f"{socket.gethostname()[:30]}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
