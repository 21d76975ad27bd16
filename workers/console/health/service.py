"""Whether all is well: everything that is measured, put together for whoever asks."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from audit.ledger.progress import LedgerFollower, LedgerProgress
from audit.recording.holds import Hold
from gallery.database import Database
from gallery.store import GalleryStore
from gallery.tables import templates
from gallery.times import utc_text_from_ns
from pipeline.errors import PinwatchError
from pipeline.seams import Clock
from workers.alerts.deliveries.receiver_store import ReceiverState, ReceiverStore
from workers.camera_settings import Camera
from workers.cameras import CameraStore
from workers.canary.alarm import Alarm, AlarmStore
from workers.console.access.principal import Principal
from workers.console.auditing.verifying import Verification, Verifications
from workers.console.health.footage import CameraFootage, FootageBook, lasts_days
from workers.console.health.machine import Machine, look
from workers.console.health.site import Site
from workers.console.health.slow import Slow
from workers.console.health.status import CameraStatus, DecisionAges, Lag, StepStatus
from workers.console.privacy.retention import Retention

FOOTAGE_TTL_S = 60.0
LEDGER_TTL_S = 5.0
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class KeptFootage:
    """Footage of one camera, and how much of it is to stay.

    Attributes:
        kept: What there is.
        max_days: Older footage is deleted; ``None``: none is for its age.
        max_gb: Of more (10^9 bytes) the oldest is deleted; ``None``: none is.
        holds: How many holds it is under.
    """

    kept: CameraFootage
    max_days: float | None
    max_gb: float | None
    holds: int


@dataclass(frozen=True, slots=True)
class GalleryFacts:
    """The gallery: its epoch, how many people are enrolled, and by how many photographs."""

    epoch: int
    people: int
    templates: int


@dataclass(frozen=True, slots=True)
class HealthReport:
    """What was found; ``None`` where it is not known, or not yet.

    Attributes:
        at: When, ISO 8601 UTC.
        cameras: Those set up that the user sees, and how they are.
        unlisted: How sources are that are not set up, such as files.
        steps, ages, lags: Of the pipeline.
        machine: Processor, memory, disk.
        reserve_bytes: Of the disk, that recording leaves free.
        lasts_days: How long the disk lasts; ``None``: for ever, as far as one can tell.
        footage: By camera.
        keep_unknown_days: See ``audit.keep_unknown_days``.
        ledger: How far it is.
        verified: The last verification.
        gallery: Who is enrolled.
        models: With digests, by kind.
        receivers: Who is told of alerts elsewhere, and how that goes.
        alarms: Of the robustness gauge.
        database: Which kind.
    """

    at: str
    cameras: Sequence[tuple[Camera, CameraStatus | None]]
    unlisted: Sequence[CameraStatus]
    steps: Sequence[StepStatus]
    ages: DecisionAges | None
    lags: Sequence[Lag]
    machine: Machine
    reserve_bytes: int
    lasts_days: float | None
    footage: Sequence[KeptFootage] | None
    keep_unknown_days: float
    ledger: LedgerProgress | None
    verified: Verification | None
    gallery: GalleryFacts
    models: Mapping[str, str]
    receivers: Sequence[ReceiverState]
    alarms: Sequence[Alarm]
    database: str

    @property
    def watches(self) -> bool:
        """Whether this console knows of a pipeline at all."""
        return bool(self.steps or self.unlisted or any(status for _, status in self.cameras))


class Health:
    """Looks at everything; of cameras, at those that the user sees.

    Args:
        site: The installation.
        database: Where everything is.
        gallery: Who is enrolled.
        cameras: Those that are set up.
        retention: How long footage is kept.
        verifications: Of the ledger.
        clock: Time.
    """

    def __init__(
        self,
        site: Site,
        database: Database,
        gallery: GalleryStore,
        *,
        cameras: CameraStore,
        retention: Retention,
        verifications: Verifications,
        clock: Clock,
    ) -> None:
        self._site, self._database, self._gallery = site, database, gallery
        self._cameras, self._retention, self._verifications = cameras, retention, verifications
        self._clock = clock
        book = FootageBook(site.evidence.recordings.root)
        measure = functools.partial(_look, book, clock)
        self._footage = Slow(measure, clock, FOOTAGE_TTL_S, "measure-footage")
        self._ledger = Slow(LedgerFollower(site.evidence.folder).look, clock, LEDGER_TTL_S, "follow-ledger")

    def look(self, principal: Principal) -> HealthReport:
        """How everything is now."""
        pipeline, machine = self._site.pipeline, look(self._site.data)
        status = {one.camera_id: one for one in pipeline.cameras() if principal.sees(one.camera_id)}
        cameras = [
            (camera, status.pop(camera.name, None))
            for camera in self._cameras.list()
            if principal.sees(camera.name)
        ]
        footage, reserve_bytes = self._footage.get(), self._site.recording.min_free_mb * _MIB
        return HealthReport(
            at=utc_text_from_ns(self._clock.now_ns()),
            cameras=cameras,
            unlisted=list(status.values()),
            steps=pipeline.steps(),
            ages=pipeline.ages(),
            lags=pipeline.lags(),
            machine=machine,
            reserve_bytes=reserve_bytes,
            lasts_days=self._lasts(footage, machine.disk_free_bytes - reserve_bytes),
            footage=self._kept(principal, footage),
            keep_unknown_days=self._site.audit.keep_unknown_days,
            ledger=self._ledger.get(),
            verified=self._verifications.last(),
            gallery=self._enrolled(),
            models=self._models(),
            receivers=ReceiverStore(self._database).states(),
            alarms=AlarmStore(self._database).given(),
            database="PostgreSQL" if self._database.shared else "SQLite",
        )

    def ledger(self) -> LedgerProgress | None:
        """How far the ledger is; ``None`` where there is none, or it is being read for the first time."""
        return self._ledger.get()

    def machine(self) -> Machine:
        """Processor, memory, disk."""
        return look(self._site.data)

    def _lasts(self, footage: Sequence[CameraFootage] | None, free_bytes: int) -> float | None:
        limits = [self._retention.limits(one.camera_id) for one in footage or ()]
        return lasts_days(footage or (), limits, free_bytes)

    def _kept(
        self, principal: Principal, footage: Sequence[CameraFootage] | None
    ) -> list[KeptFootage] | None:
        if footage is None:
            return None
        held = self._held()
        return [
            KeptFootage(
                one,
                *self._retention.limits(one.camera_id),
                sum(hold.camera_id in (None, one.camera_id) for hold in held),
            )
            for one in footage
            if principal.sees(one.camera_id)
        ]

    def _held(self) -> Sequence[Hold]:
        try:
            return self._site.evidence.holds.list()
        except PinwatchError:
            return ()  # the page on holds says what is wrong

    def _enrolled(self) -> GalleryFacts:
        counted = select(func.count()).select_from(templates).where(templates.c.epoch_removed.is_(None))
        with self._database.read() as connection:
            count = int(connection.execute(counted).scalar_one())
        return GalleryFacts(self._gallery.epoch(), len(self._gallery.subjects()), count)

    def _models(self) -> Mapping[str, str]:
        try:
            return dict(self._site.model_ids())
        except PinwatchError as error:
            return {"missing": str(error)}


def _look(book: FootageBook, clock: Clock) -> list[CameraFootage]:
    return book.look(clock.now_ns())
