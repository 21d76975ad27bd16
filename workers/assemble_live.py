"""Puts the pipeline of the console together from a context: steps, cameras, footage that plays a camera."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.errors import UsageError
from pipeline.seams import FrameSource
from pipeline.sources.select import CameraSpec, FileSpec, FolderSpec, RecordedSpec, StreamSpec, UsbSpec
from workers.assemble import keeping_crops, named_sources, witness_of
from workers.build import WatchRequest
from workers.bus.base import Topic
from workers.channel import Channel, ChannelReport
from workers.live.cameras import CameraStates
from workers.live.footage import FootageAsCamera
from workers.live.hub import LiveHub
from workers.live.pipeline import Dropped, LivePipeline
from workers.live.videos import LiveVideos
from workers.loop import Step
from workers.steps import EmbedStep, Freshness, MatchStep, Orphans, RecordStep, SightingSink
from workers.trail import Trail

if TYPE_CHECKING:
    from workers.build import Context
    from workers.reader import Reader
    from workers.recording import Recording

LiveSpec = CameraSpec | StreamSpec | UsbSpec
PlayedSpec = FileSpec | FolderSpec | StreamSpec | UsbSpec
"""What is watched besides the cameras of the database."""


class LiveAssembly:
    """Makes the parts of one pipeline.

    Args:
        context: Settings, models, gallery.
        run_id: Of its decisions.
        recording: Keeps footage; ``None``: nobody does.
        videos: Shows what cameras send; ``None``: nobody may.
    """

    def __init__(
        self,
        context: Context,
        run_id: str,
        recording: Recording | None,
        videos: LiveVideos | None = None,
    ) -> None:
        self._context, self._run_id, self._recording, self._videos = context, run_id, recording, videos
        self._trail: Trail | None = None
        self._readers: dict[str, Reader] = {}

    def pipeline(self, hub: LiveHub, states: CameraStates, sinks: Sequence[SightingSink]) -> LivePipeline:
        """The steps; `sinks` are told what is in the ledger and in the database.

        Raises:
            PinwatchError: a model, the thresholds or the ledger cannot be used.
        """
        dropped = Dropped()
        steps = self._steps(dropped, sinks)
        return LivePipeline(steps, states, self._context.clock, dropped=dropped, trouble=hub.trouble)

    def _steps(self, dropped: Dropped, sinks: Sequence[SightingSink]) -> list[tuple[Step, Topic | None]]:
        context, settings, clock = self._context, self._context.settings, self._context.clock
        embedder = context.with_evidence(context.embedder())
        replica = context.replica(follow=True)
        trail = self._trail = context.trail(self._run_id)
        embed = EmbedStep(
            embedder,
            settings.embedder.batch_size,
            Freshness(settings.worker.max_age_s, clock, dropped.add),
        )
        match = MatchStep(
            replica,
            self._run_id,
            embedder.key,
            orphans=Orphans(settings.worker.orphan_s, clock),
            witness=witness_of(trail),
            follow=True,
        )
        # The ledger first: what anybody hears of is in it.
        record = RecordStep([*([trail.sink] if trail else []), context.sightings(), *sinks])
        return [
            (keeping_crops(embed, context, trail, self._run_id, settled=False), Topic.EMBEDDINGS),
            (match, Topic.SIGHTINGS),
            (record, None),
        ]

    def camera(self, name: str) -> Channel:
        """A camera of the database.

        Raises:
            PinwatchError: there is none any more, or it cannot be opened.
        """
        spec, camera = CameraSpec(name), self._context.cameras().get(name)
        source = self._live(spec, name)
        return Channel(source, self._context.reader(source, spec, camera))

    def _live(self, spec: LiveSpec, camera_id: str) -> FrameSource:
        """A camera; its video is shown where nothing is hidden in it."""
        videos = self._videos
        if videos is not None:
            videos.forget(camera_id)
        return self._context.source(
            spec,
            WatchRequest(),
            camera_id,
            self._recording,
            video=None if videos is None else videos.tap,
        )

    def played(self, camera_id: str, spec: PlayedSpec) -> Channel:
        """What was named, from its beginning; whoever reads it again need not load the detector again.

        Raises:
            SourceError: it cannot be opened.
        """
        source = self._played(camera_id, spec)
        if camera_id not in self._readers:
            self._readers[camera_id] = self._context.reader(source, spec, None)
        return Channel(source, self._readers[camera_id])

    def _played(self, camera_id: str, spec: PlayedSpec) -> FrameSource:
        """Footage shows what is seen from now on, under an epoch of its own."""
        context, recording = self._context, self._recording
        if not isinstance(spec, FileSpec | FolderSpec):
            return self._live(spec, camera_id)
        epoch = context.cameras().next_epoch(camera_id)

        def opened(*, tap: object = None) -> FrameSource:
            return FootageAsCamera(context.source(spec, WatchRequest(), camera_id), epoch, context.clock)

        return opened() if recording is None else recording.played(opened)

    def note_report(self, report: ChannelReport) -> None:
        """Record how a camera fared."""
        if self._trail is not None:
            self._trail.note_reports([report])


def watched_sources(
    context: Context, sources: Sequence[str]
) -> tuple[list[tuple[str, PlayedSpec]], frozenset[str]]:
    """What `sources` name: what is played, each under an id of its own, and cameras of the database.

    Raises:
        UsageError: kept footage is named, or footage that has the name of a camera.
        SourceError: a file cannot be read; whoever typed its name is looking now.
    """
    saved = context.cameras().names()
    played: list[tuple[str, PlayedSpec]] = []
    cameras: set[str] = set()
    for camera_id, spec in named_sources(sources, saved):
        match spec:
            case CameraSpec(name):
                cameras.add(name)
            case RecordedSpec():
                raise UsageError("kept footage is watched again with `pinwatch watch`, not in the console")
            case _:
                _check(context, camera_id, spec, saved)
                played.append((camera_id, spec))
    return played, frozenset(cameras)


def _check(context: Context, camera_id: str, spec: PlayedSpec, saved: Sequence[str]) -> None:
    if camera_id in saved:
        raise UsageError(f"there is a camera {camera_id} in the database already: rename the file")
    if isinstance(spec, FileSpec | FolderSpec):
        context.source(spec, WatchRequest(), camera_id).close()
