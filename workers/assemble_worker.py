"""Puts the workers of Kafka together from a context, each ready to run."""

from __future__ import annotations

import functools
import os
import socket
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import UsageError
from pipeline.sources.select import (
    CameraSpec,
    FileSpec,
    FolderSpec,
    RecordedSpec,
    SourceSpec,
    camera_id_of,
)
from workers.assemble import keeping_crops, named_sources, saved_camera, witness_of
from workers.bus.kafka.bus import KafkaBus
from workers.bus.kafka.lane import Lane
from workers.bus.kafka.topics import TopicAdmin
from workers.channel import Channel, ChannelReport, read_channel
from workers.follow_kafka import sightings_follower
from workers.keep import KeptMatchStep
from workers.leases import CameraLeases
from workers.live_reader import LiveReader
from workers.loop import Step
from workers.metrics import MetricsServer, WorkerMetrics
from workers.names import CachedNames
from workers.outbox import Outbox, ReliableSender
from workers.serve import patiently, serve
from workers.sinks import Board, JsonlSink
from workers.steps import EmbedStep, Freshness, MatchStep, Orphans, SightingSink
from workers.track_log import TrackLog
from workers.trail import note_reports

if TYPE_CHECKING:
    from workers.build import Context, WatchRequest
    from workers.reader_pictures import ReaderPictures
    from workers.recording import Recording

_CLOSING_S = 20.0
_RECOVER_S = 10.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a worker works.

    Attributes:
        job: The audit job; ``None`` for live cameras.
        idle_s: End after so long without a message; ``None`` for never.
    """

    job: str | None = None
    idle_s: float | None = None


class Workers:
    """Makes and runs workers.

    Args:
        context: Settings, models, gallery.
        place: Where they work.
    """

    def __init__(self, context: Context, place: Place) -> None:
        self._context, self._place = context, place
        self._lane = Lane(context.settings.kafka.prefix, place.job)

    @property
    def run_id(self) -> str:
        """Under which decisions are filed."""
        return self._lane.run_id

    def embed(self, stop: threading.Event) -> None:
        """Embed crops until `stop` is set.

        Raises:
            PinwatchError: a model, or the broker, cannot be used.
        """
        context, settings = self._context, self._context.settings
        metrics = self._metrics("embed")
        freshness = (
            Freshness(settings.worker.max_age_s, context.clock, metrics.on_dropped)
            if self._lane.live
            else None
        )
        step = EmbedStep(
            context.with_evidence(context.embedder()),
            settings.embedder.batch_size,
            freshness,
            TrackLog("embedded", self.run_id),
        )
        trail = context.trail(self.run_id)
        self._serve(keeping_crops(step, context, trail, self.run_id, settled=True), stop, metrics)

    def match(self, stop: threading.Event, sightings: Path | None = None) -> None:
        """Decide whose faces they are until `stop` is set.

        Args:
            stop: Ends it.
            sightings: File for one JSON line a track; gone on with if it is there.

        Raises:
            PinwatchError: the gallery, the file or the broker cannot be used.
        """
        context, settings = self._context, self._context.settings
        metrics = self._metrics("match")
        replica = context.replica(follow=self._lane.live)
        metrics.show_epoch(lambda: replica.index.gallery_epoch)
        orphans = Orphans(settings.worker.orphan_s, context.clock) if self._lane.live else None
        with ExitStack() as opened:
            sinks: list[SightingSink] = [metrics, TrackLog("decided", self.run_id)]
            if sightings is not None:
                names = CachedNames(context.store().names, context.clock)
                sinks.append(opened.enter_context(JsonlSink(sightings, names, resume=True)))
            trail = context.trail(self.run_id)
            match = MatchStep(
                replica,
                self.run_id,
                context.template_key(),
                orphans=orphans,
                follow=self._lane.live,
                dim=context.embedding_dim(),
                witness=witness_of(trail),
            )
            ledger = trail.sink if trail else None
            self._serve(KeptMatchStep(match, context.sightings(), sinks, ledger), stop, metrics)

    def read_live(self, stop: threading.Event, *, record: bool = False) -> None:
        """Lease cameras of the database and read them until `stop` is set.

        Args:
            stop: Ends it.
            record: Keep their footage.

        Raises:
            PinwatchError: the database or the broker cannot be used.
        """
        context = self._context
        metrics = self._metrics("read")
        bus = KafkaBus(context.settings.kafka, self._lane)
        outbox = Outbox(bus.producer, context.settings.worker.outbox_crops, metrics.on_dropped)
        recording = context.recording() if record else None
        reader_id = _reader_id()
        with self._health(metrics), recording or nullcontext(), self._pictures(reader_id) as pictures:
            reader = LiveReader(
                CameraLeases(context.database(), reader_id, context.clock),
                lambda: {camera.name: camera for camera in context.cameras().list() if camera.enabled},
                functools.partial(self._open_camera, recording),
                TrackLog("read", self.run_id).around(outbox.send),
                self._note_report,
                taps=pictures.taps if pictures else (),
                watcher=pictures.states if pictures else None,
            )
            metrics.show_cameras(lambda: reader.count)

            def on_beat() -> None:
                metrics.on_polled()
                if pictures:
                    pictures.on_beat()

            patiently(self._check_topics, stop, metrics)
            on_beat()  # consoles know where the pictures are before there are any
            try:
                reader.run(stop, on_beat)
            finally:
                outbox.close(_CLOSING_S)

    def record(self, stop: threading.Event) -> None:
        """Look after what this machine keeps until `stop` is set.

        What crashed readers left is closed, footage whose time is over deleted, and what was kept of unknown
        people for long enough made unreadable.

        Raises:
            PinwatchError: the data folder cannot be used.
        """
        from workers.build_audit import forget_regularly

        metrics = self._metrics("record")
        with self._health(metrics), self._context.recording() as recording:
            forget_regularly(self._context)
            while not stop.wait(_RECOVER_S):
                recording.recover()
                metrics.on_polled()

    def read_footage(self, request: WatchRequest) -> Iterator[ChannelReport]:
        """Read recordings from beginning to end, one after the other; nothing is ever dropped.

        Yields:
            A report on each, when all of it is with the broker.

        Raises:
            UsageError: something named is no recording.
            PinwatchError: a source or the broker cannot be used.
        """
        self._check_topics()
        bus = KafkaBus(self._context.settings.kafka, self._lane)
        recording = self._context.recording() if request.record else None
        with recording or nullcontext():
            for camera_id, spec in self._recordings(request.sources):
                source = self._context.source(spec, request, camera_id, recording)
                camera = saved_camera(self._context, spec)
                channel = Channel(source, self._context.reader(source, spec, camera))
                report = ChannelReport(camera_id)
                with ReliableSender(bus.producer) as sender:
                    read_channel(channel, report, TrackLog("read", self.run_id).around(sender.send))
                self._note_report(report)
                yield report

    def _note_report(self, report: ChannelReport) -> None:
        if self._context.settings.audit.ledger:
            note_reports(self._context.ledger(), [report])

    def _pictures(self, reader_id: str) -> AbstractContextManager[ReaderPictures | None]:
        """What this reader shows to consoles; nothing where the settings want none."""
        context, settings = self._context, self._context.settings
        if not settings.worker.preview_port:
            return nullcontext()
        from workers.live.blur import FaceBlur
        from workers.live.preview_options import preview_options
        from workers.preview_places import PreviewPlaces
        from workers.reader_pictures import Hiding, ReaderPictures

        hiding = None
        if settings.privacy.blur_unknown:
            board = Board()
            followed = sightings_follower(settings.kafka, self._lane, [board])
            hiding = Hiding(FaceBlur(board.latest), followed)
        return ReaderPictures(
            preview_options(settings.worker),
            PreviewPlaces(context.database()),
            reader_id,
            context.clock,
            rate_hz=settings.console.preview_hz,
            hiding=hiding,
        )

    def _recordings(self, sources: Sequence[str]) -> list[tuple[str, SourceSpec]]:
        found = named_sources(sources, self._context.cameras().names())
        live = [camera_id for camera_id, spec in found if not _recorded(spec)]
        if live:
            raise UsageError(
                f"{', '.join(live)}: an audit job reads recordings; live cameras are read without --job"
            )
        return found

    def _open_camera(self, recording: Recording | None, name: str) -> Channel:
        from workers.build import WatchRequest

        spec = CameraSpec(name)
        source = self._context.source(spec, WatchRequest(), camera_id_of(spec), recording)
        return Channel(source, self._context.reader(source, spec, self._context.cameras().get(name)))

    def _serve(self, step: Step, stop: threading.Event, metrics: WorkerMetrics) -> None:
        bus = KafkaBus(self._context.settings.kafka, self._lane, self._place.idle_s)
        with self._health(metrics):
            patiently(self._check_topics, stop, metrics)
            serve(bus, step, stop, metrics)

    def _check_topics(self) -> None:
        with TopicAdmin(self._context.settings.kafka) as admin:
            admin.require(self._lane)

    def _metrics(self, step: str) -> WorkerMetrics:
        return WorkerMetrics(step, self._context.clock, live=self._lane.live)

    @contextmanager
    def _health(self, metrics: WorkerMetrics) -> Iterator[None]:
        wanted = self._context.settings.worker
        if not wanted.health_port:
            yield
            return
        with MetricsServer(metrics, wanted.health_host, wanted.health_port):
            yield


def _recorded(spec: SourceSpec) -> bool:
    return isinstance(spec, FileSpec | FolderSpec | RecordedSpec)


def _reader_id() -> str:
    """Unlike any other, and of some use to people who look at the table."""
    return f"{socket.gethostname()[:30]}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
