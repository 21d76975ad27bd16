"""The composition root: the only file that says which implementation stands behind each seam.

Everything is made when it is first asked for, and imported then, so that `pinwatch --help` and the
verbs that need no network start at once.
"""

from __future__ import annotations

import datetime as dt
import functools
import os
import uuid
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.clock import SystemClock
from pipeline.errors import ConfigError, UsageError
from pipeline.seams import Clock, Detector, FaceEmbedder, FrameSource
from pipeline.types import TemplateKey, Thresholds
from workers.config import NO_PURIFIER, Settings, load_settings

if TYPE_CHECKING:
    from audit.crops import CropStore
    from audit.erase import Eraser
    from audit.ledger.folder import LedgerFolder
    from audit.ledger.keys import KeyRing
    from audit.ledger.writer import Ledger
    from audit.sightings import SightingStore
    from gallery.calibrations import CalibrationStore
    from gallery.database import Database
    from gallery.enroll import Enroller, EnrollOptions
    from gallery.identify import Identifier
    from gallery.lists import WatchLists
    from gallery.replica import GalleryReplica
    from gallery.store import GalleryStore
    from gallery.vision import Vision
    from pipeline.models import CardThresholds, Catalogue, ModelCard
    from pipeline.sources.select import RecordedSpec, SourceSpec
    from pipeline.sources.tap import PacketTap
    from workers.cameras import Camera, CameraStore
    from workers.reader import Reader
    from workers.recording import OpenSource, Recording
    from workers.session import Hooks, Session
    from workers.trail import ChangeRecorder, Trail

CONFIG_VARIABLE = "PINWATCH_CONFIG"
FOLLOW_GALLERY_S = 0.5

_UNSET = Thresholds(match=1.0, margin=0.0, origin="unset")
"""Names nobody."""

_OVERRIDES = {
    "data": "data",
    "models": "models",
    "detector": "detector.name",
    "embedder": "embedder.name",
    "purifier": "purifier",
}


@dataclass(frozen=True, slots=True)
class WatchRequest:
    """What `watch` is asked to do; see its options for the meaning."""

    sources: tuple[str, ...] = ()
    sightings: Path | None = None
    annotate: Path | None = None
    crops: Path | None = None
    realtime: bool = False
    run_id: str | None = None
    started_at_ns: int | None = None
    image_rate_hz: float = 1.0
    record: bool = False


class Context:
    """One invocation of the program: settings, and whatever is built from them.

    Attributes:
        clock: Time.
        activity: What the program was asked to do, for the name of its chain in the ledger.

    Args:
        environment: Where ``PINWATCH_CONFIG`` is looked up.
        clock: Time.
        on_settings: Told the settings when they are read.
    """

    def __init__(
        self,
        environment: Mapping[str, str] = os.environ,
        clock: Clock | None = None,
        on_settings: Callable[[Settings], None] = lambda settings: None,
    ) -> None:
        self._environment = environment
        self._on_settings = on_settings
        self._overrides: dict[str, Any] = {}
        self._config: Path | None = None
        self._resources = ExitStack()
        self.clock: Clock = clock or SystemClock()
        self.activity = "pinwatch"

    def override(self, config: Path | None = None, **options: Any) -> None:
        """Take options of the command line; later ones win. Only before anything was built."""
        self._config = config or self._config
        self._overrides |= {_OVERRIDES[name]: value for name, value in options.items()}

    def close(self) -> None:
        """Release the database."""
        self._resources.close()

    def until_closed(self, close: Callable[[], None]) -> None:
        """Have something closed when the program ends, before what it was built from."""
        self._resources.callback(close)

    @property
    def config_file(self) -> Path | None:
        named = self._config or self._environment.get(CONFIG_VARIABLE)
        return Path(named) if named else None

    @functools.cached_property
    def settings(self) -> Settings:
        settings = load_settings(self.config_file, self._overrides)
        self._on_settings(settings)
        return settings

    @classmethod
    def with_settings(cls, settings: Settings) -> Context:
        """The same program in another process: `settings` as they were read in the first one."""
        made = cls()
        made.settings = settings
        return made

    # Models

    @functools.cache  # noqa: B019 - a context lives as long as the program
    def catalogue(self) -> Catalogue:
        from pipeline.models import Catalogue

        return Catalogue.load(self.settings.model_folders)

    def model_names(self) -> tuple[str, str, str]:
        """The cards that the settings name: detector, embedder, purifier."""
        return self.settings.detector.name, self.settings.embedder.name, self.settings.purifier

    def model_ids(self) -> dict[str, str]:
        """What detects, embeds and purifies: cards with the digests of their files."""
        from pipeline.models import ModelKind

        kinds = (ModelKind.DETECTOR, ModelKind.EMBEDDER, ModelKind.PURIFIER)
        return {
            str(kind): self.catalogue().card(name, kind).model_id
            for kind, name in zip(kinds, self.model_names(), strict=True)
        }

    def detector(self) -> Detector:
        """A detector for video. Every call makes a new one: a detector serves one thread."""
        return self._detector(self.settings.detector.size_px, self.settings.detector.min_score)

    def photo_detector(self) -> Detector:
        """A detector for photographs."""
        return self._detector(self.settings.detector.photo_size_px, self.settings.detector.photo_min_score)

    def _detector(self, size_px: int, min_score: float) -> Detector:
        from pipeline.detect.load import load_detector
        from pipeline.models import ModelKind

        wanted = self.settings.detector
        model = self.catalogue().open(wanted.name, ModelKind.DETECTOR)
        return load_detector(
            model,
            size_px=size_px,
            min_score=min_score,
            threads=wanted.threads,
            device=self.device(),
        )

    @functools.cache  # noqa: B019
    def embedder(self) -> FaceEmbedder:
        """Purifier and embedder as one."""
        return self._embedder_behind(self.settings.purifier)

    def bare_embedder(self) -> FaceEmbedder:
        """The same network without a purifier."""
        return self._embedder_behind(NO_PURIFIER)

    def _embedder_behind(self, purifier: str) -> FaceEmbedder:
        from pipeline.embed.load import load_embedder
        from pipeline.models import ModelKind

        catalogue, wanted = self.catalogue(), self.settings.embedder
        return load_embedder(
            catalogue.open(wanted.name, ModelKind.EMBEDDER),
            catalogue.open(purifier, ModelKind.PURIFIER),
            device=self.device(),
            threads=wanted.threads,
        )

    def with_evidence(self, embedder: FaceEmbedder) -> FaceEmbedder:
        """For faces that are decided on: `embedder`, measuring attack evidence beside if it is wanted.

        Templates are made without it: who is enrolled is looked at by whoever enrolls.

        Raises:
            ConfigError: the settings insist on evidence, and there is no purifier to compare with.
        """
        if not self._wants_evidence():
            return embedder
        from pipeline.embed.evidence import EvidenceEmbedder

        return EvidenceEmbedder(embedder, self._embedder_behind(NO_PURIFIER))

    def _wants_evidence(self) -> bool:
        enabled = self.settings.evidence.enabled
        _, purifier = self._cards()
        purified = purifier.architecture != NO_PURIFIER
        if enabled is True and not purified:
            raise ConfigError(
                "evidence.enabled is true, but without a purifier there is no attack evidence: "
                "set purifier, or evidence.enabled to auto"
            )
        return purified if enabled == "auto" else enabled

    @functools.cache  # noqa: B019
    def device(self) -> str:
        """Where networks run: ``cuda`` where there is one, unless the settings say otherwise."""
        if self.settings.device != "auto":
            return self.settings.device
        import torch

        return "cuda" if torch.cuda.is_available() else "cpu"

    def vision(self) -> Vision:
        """What photographs go through."""
        from gallery.vision import Vision
        from pipeline.quality import QualityAssessor

        return Vision(self.photo_detector(), self.embedder(), QualityAssessor(self.settings.quality))

    def template_key(self) -> TemplateKey:
        """What embeddings are made by, told from the cards alone: no network is loaded."""
        embedder, purifier = self._cards()
        return TemplateKey(embedder.model_id, purifier.model_id)

    def embedding_dim(self) -> int | None:
        """Length of an embedding, told from the card alone."""
        return self._cards()[0].dim

    def _cards(self) -> tuple[ModelCard, ModelCard]:
        """Those of embedder and purifier."""
        from pipeline.models import ModelKind

        cards, settings = self.catalogue(), self.settings
        return (
            cards.card(settings.embedder.name, ModelKind.EMBEDDER),
            cards.card(settings.purifier, ModelKind.PURIFIER),
        )

    # The database

    @functools.cache  # noqa: B019
    def database(self) -> Database:
        from gallery.database import Database

        shared, folder = self.settings.database, self.settings.data
        database = Database.connect(shared.get_secret_value(), folder) if shared else Database.open(folder)
        self._resources.callback(database.close)
        return database

    @functools.cache  # noqa: B019
    def store(self) -> GalleryStore:
        from gallery.store import GalleryStore

        return GalleryStore(self.database(), now_ns=self.clock.now_ns, on_change=self._changed)

    def lists(self) -> WatchLists:
        from gallery.lists import WatchLists

        return WatchLists(self.database(), now_ns=self.clock.now_ns, on_change=self._changed)

    def calibrations(self) -> CalibrationStore:
        from gallery.calibrations import CalibrationStore

        return CalibrationStore(self.database(), now_ns=self.clock.now_ns, on_change=self._changed)

    def _changed(self, what: str, subject_ids: Collection[str], epoch: int) -> None:
        recorder = self.recorder()
        if recorder is not None:
            recorder.changed(what, subject_ids, epoch)

    def sightings(self) -> SightingStore:
        from audit.sightings import SightingStore

        return SightingStore(self.database())

    def cameras(self) -> CameraStore:
        from workers.cameras import CameraStore

        return CameraStore(self.database())

    # What is kept for auditors

    @functools.cache  # noqa: B019
    def ledger(self) -> Ledger:
        """This process's chain; made with the first record."""
        from audit.ledger.writer import Ledger

        ledger = Ledger(self.ledger_folder(), self.activity, self.clock)
        self._resources.callback(ledger.close)
        return ledger

    def ledger_folder(self) -> LedgerFolder:
        """Where it lies, or would."""
        from audit.ledger.folder import FOLDER, LedgerFolder

        return LedgerFolder(self.settings.data / FOLDER)

    @functools.cache  # noqa: B019
    def keys(self) -> KeyRing:
        """The keys of what is sealed."""
        from audit.ledger.keys import KeyRing

        keys = KeyRing(self.ledger_folder().keys)
        self._resources.callback(keys.close)
        return keys

    def crops(self) -> CropStore:
        """The crops behind decisions."""
        from audit.crops import FOLDER, CropStore

        ledger = self.ledger() if self.settings.audit.ledger else None
        return CropStore(self.settings.data / FOLDER, self.keys(), ledger, self.clock)

    @functools.cache  # noqa: B019
    def recorder(self) -> ChangeRecorder | None:
        """Writes changes and accesses into the ledger; ``None`` where the settings want none."""
        from workers.trail import ChangeRecorder

        return ChangeRecorder(self.ledger()) if self.settings.audit.ledger else None

    def eraser(self) -> Eraser:
        """Erases people, and what was kept too long."""
        from audit.erase import Eraser
        from audit.recording.library import Recordings

        return Eraser(
            self.database(),
            self.keys(),
            self.crops(),
            Recordings(self.settings.data),
            ledger=self.ledger() if self.settings.audit.ledger else None,
            clock=self.clock,
        )

    def trail(self, run_id: str) -> Trail | None:
        """What a process that decides leaves behind; ``None`` where the settings want nothing."""
        from workers.build_audit import trail

        return trail(self, run_id) if self.settings.audit.ledger else None

    # Deciding

    def thresholds(self, epoch: int | None = None) -> Thresholds:
        """Those in force: the settings, else the newest calibration, else the embedder's card.

        Raises:
            UsageError: none of them says.
        """
        decision, card = self.settings.decision, self._card_thresholds()
        if decision.evidence is not None:
            card = replace(card, evidence=decision.evidence)
        stored = self.store().thresholds(self.template_key(), card, epoch)
        if decision.match is None and decision.margin is None:
            if stored.origin == _UNSET.origin:
                raise UsageError(
                    f"the card of {self.settings.embedder.name} has no thresholds behind this purifier: "
                    "run `pinwatch gallery calibrate --save`, or set decision.match and decision.margin"
                )
            return stored
        return replace(
            stored,
            match=stored.match if decision.match is None else decision.match,
            margin=stored.margin if decision.margin is None else decision.margin,
            origin="settings",
        )

    def card_thresholds(self) -> CardThresholds | None:
        """What the embedder's card says behind this kind of purifier."""
        embedder, purifier = self._cards()
        return embedder.thresholds_for(purifier)

    def _card_thresholds(self) -> Thresholds:
        votes = self.settings.decision.votes
        found = self.card_thresholds()
        if found is not None:
            return Thresholds(found.match, found.margin, votes, evidence=found.evidence)
        return replace(_UNSET, votes=votes)

    def replica(self, follow: bool) -> GalleryReplica:
        """The gallery to match against; `follow` applies changes while it is in use."""
        from gallery.index import FaissIndex
        from gallery.replica import GalleryReplica

        self._expire_lists()
        index = FaissIndex(self.store().snapshot(self.template_key()))
        poll_s = FOLLOW_GALLERY_S if follow else None
        return GalleryReplica(
            self.store(), index, self.thresholds, self.clock, poll_s=poll_s, expire=self._expire_lists
        )

    def _expire_lists(self) -> None:
        """End what is over on the watch lists, in an epoch of its own: decisions never ask the clock."""
        self.lists().expire(dt.datetime.fromtimestamp(self.clock.now_ns() / 1e9, dt.UTC))

    def identifier(self) -> Identifier:
        from gallery.identify import Identifier

        replica, vision = self.replica(follow=False), self.vision()
        vision = replace(vision, embedder=self.with_evidence(vision.embedder))
        return Identifier(vision, replica.index, replica.thresholds)

    def enroller(self, options: EnrollOptions | None = None) -> Enroller:
        from gallery.enroll import Enroller

        return Enroller(self.store(), self.vision(), self.thresholds(), options)

    # Watching

    def recording(self) -> Recording:
        """The footage that is kept, and what keeps it."""
        from audit.recording.layout import FOLDER
        from workers.recording import Recording
        from workers.trail import SegmentRecorder

        settings = self.settings
        if not settings.audit.ledger:
            return Recording(settings.data, settings.recording, self.clock)
        recorder = SegmentRecorder(self.ledger, settings.data / FOLDER)
        return Recording(
            settings.data,
            settings.recording,
            self.clock,
            on_closed=recorder.closed,
            on_removed=recorder.removed,
        )

    def source(
        self,
        spec: SourceSpec,
        request: WatchRequest,
        camera_id: str,
        recording: Recording | None = None,
        *,
        video: Callable[[str], PacketTap] | None = None,
    ) -> FrameSource:
        """The source behind what the user named.

        Args:
            spec: Of it.
            request: How it is watched.
            camera_id: Its name.
            recording: Keeps its footage.
            video: Makes what else the packets of a camera are shown to, where they may be shown.
        """
        from pipeline.sources.opening import CameraPlan, FootageOptions, open_camera, open_footage
        from pipeline.sources.select import (
            CameraSpec,
            FileSpec,
            FolderSpec,
            RecordedSpec,
            StreamSpec,
            UsbSpec,
        )
        from pipeline.sources.taps import also_tapped

        match spec:
            case RecordedSpec():
                return self._kept_footage(spec, request)
            case FileSpec() | FolderSpec():
                options = FootageOptions(request.started_at_ns, request.image_rate_hz, request.realtime)
                footage = functools.partial(open_footage, spec, options, self.clock, camera_id)
                return recording.footage(spec, camera_id, footage) if recording else footage()
            case StreamSpec() | UsbSpec():
                plan = CameraPlan(camera_id, spec)
            case CameraSpec(name):
                plan = self.cameras().get(name).plan()
        next_epoch = functools.partial(self.cameras().next_epoch, camera_id)
        live: OpenSource = functools.partial(open_camera, plan, next_epoch, self.settings.live, self.clock)
        if video is not None and plan.has_packets:
            live = also_tapped(live, video(camera_id))
        return recording.camera(plan, live) if recording else live()

    def _kept_footage(self, spec: RecordedSpec, request: WatchRequest) -> FrameSource:
        """What was recorded of a camera.

        Raises:
            UsageError: there are several epochs, and none was named.
            SourceNotFound: nothing was.
        """
        from audit.recording.library import Recordings
        from audit.recording.replay import RecordedSource
        from pipeline.sources.pace import RealtimeSource

        recordings = Recordings(self.settings.data)
        epochs = recordings.epochs(spec.camera_id) if spec.stream_epoch is None else [spec.stream_epoch]
        if len(epochs) > 1:
            named = ", ".join(f"recorded:{spec.camera_id}:{epoch}" for epoch in epochs)
            raise UsageError(f"there is footage of several epochs of {spec.camera_id}: name one of {named}")
        source = RecordedSource(recordings, spec.camera_id, epochs[0] if epochs else 0)
        return RealtimeSource(source, self.clock) if request.realtime else source

    def reader(self, source: FrameSource, spec: SourceSpec, camera: Camera | None) -> Reader:
        """What turns the frames of one camera into messages."""
        from pipeline.quality import QualityAssessor
        from pipeline.region import RegionDetector
        from pipeline.select import CropSelector
        from pipeline.sources.select import FolderSpec
        from pipeline.track import ByteTracker, SingleFrameTracker
        from workers.reader import Reader

        detector = self.detector()
        if camera is not None and camera.region is not None:
            detector = RegionDetector(detector, camera.region)
        settings = self.settings
        still = isinstance(spec, FolderSpec)
        return Reader(
            source.camera_id,
            detector,
            SingleFrameTracker if still else functools.partial(ByteTracker, settings.tracker),
            functools.partial(CropSelector, QualityAssessor(settings.quality), settings.selection),
        )

    def session(self, request: WatchRequest, hooks: Hooks | None = None) -> Session:
        """Everything that `watch` needs, put together and not yet started."""
        from workers.assemble import assemble
        from workers.session import Hooks

        return assemble(self, request, request.run_id or uuid.uuid4().hex, hooks or Hooks())
