"""What auditors do, for pages and API alike: of cameras that they see, and each look recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from audit.case import Case, open_case
from audit.crops import png_of
from audit.ledger.checkpoints import export_checkpoint
from audit.ledger.progress import LedgerProgress
from audit.ledger.signing import Verifier
from audit.page import rows_of
from audit.recording.holds import Hold
from audit.sightings import SightingStore
from gallery.database import Database
from gallery.store import GalleryStore
from gallery.tables import erasures
from pipeline.errors import UsageError
from workers.console.access.principal import Principal
from workers.console.access.record import RecordAccess
from workers.console.auditing.accesses import LIMIT, AccessesFound, AccessFilter, AccessSearch
from workers.console.auditing.cases import CaseFile, Cases
from workers.console.auditing.evidence import Evidence
from workers.console.auditing.verifying import Running, Verification, Verifications
from workers.names import subject_ids

_MAX_ERASURES = 500


@dataclass(frozen=True, slots=True)
class LedgerStatus:
    """How the ledger is.

    Attributes:
        progress: How far it is; ``None``: there is none, or it is being read for the first time.
        running: The verification that goes on.
        last: The last one.
    """

    progress: LedgerProgress | None
    running: Running | None
    last: Verification | None


@dataclass(frozen=True, slots=True)
class Erasure:
    """Somebody of whom nothing is left but the opaque id."""

    subject_id: str
    erased_at: str
    gallery_epoch: int


@dataclass(frozen=True, slots=True)
class OpenedDecision:
    """A decision as the ledger holds it.

    Attributes:
        case: It.
        rows: In words: titles, and under each names and values.
    """

    case: Case
    rows: Sequence[tuple[str, Mapping[str, str]]]


class Auditing:
    """The auditor's desk.

    Args:
        evidence: Ledger, crops, footage.
        database: Where sightings and erasures are.
        gallery: Names people.
        progress: How far the ledger is.
        accesses: Finds who looked at whom.
        verifications: Whether it holds.
        cases: For somebody outside.
        record: Told of every look.
    """

    def __init__(
        self,
        evidence: Evidence,
        database: Database,
        gallery: GalleryStore,
        *,
        progress: Callable[[], LedgerProgress | None],
        accesses: AccessSearch,
        verifications: Verifications,
        cases: Cases,
        record: RecordAccess,
    ) -> None:
        self._evidence, self._database, self._gallery = evidence, database, gallery
        self._progress, self._accesses, self._verifications = progress, accesses, verifications
        self._cases, self._record = cases, record
        self._sightings = SightingStore(database)

    # The ledger

    def status(self) -> LedgerStatus:
        """How the ledger is."""
        return LedgerStatus(self._progress(), self._verifications.running(), self._verifications.last())

    def verify(self, principal: Principal, *, footage: bool) -> None:
        """Begin to verify. Raises ``UsageError`` as :meth:`Verifications.start`."""
        self._record(principal.who, f"verification of the ledger begun{' with footage' * footage}", ())
        self._verifications.start(principal.who.by, footage=footage)

    def checkpoint(self, principal: Principal) -> bytes:
        """The newest one, to be kept elsewhere. Raises ``LedgerCorrupt``: there is none."""
        if self._evidence.ledger is not None:
            self._evidence.ledger.checkpoint()
        self._record(principal.who, "checkpoint exported", ())
        folder = self._evidence.folder
        return export_checkpoint(folder, Verifier.read(folder.public_key))

    def public_key(self) -> bytes:
        """PEM. Raises ``UsageError``: there is no ledger."""
        try:
            return self._evidence.folder.public_key.read_bytes()
        except OSError:
            raise UsageError("there is no ledger yet, and so no key") from None

    def accesses(
        self, principal: Principal, wanted: AccessFilter, limit: int = LIMIT
    ) -> tuple[AccessesFound, Mapping[str, str]]:
        """Who looked at whom, and what those are called."""
        found = self._accesses.find(wanted, limit)
        asked = [wanted.subject_id] if wanted.subject_id else []
        mentioned = {subject for one in found.accesses for subject in one.subjects} | set(asked)
        self._record(principal.who, "record of accesses searched", mentioned)
        return found, self._gallery.names(mentioned)

    # Decisions

    def decision(self, principal: Principal, decision: str) -> OpenedDecision | None:
        """What the ledger holds of a decision whose id begins so; ``None``: not of a camera that is seen.

        Raises:
            UsageError: none or several begin so; LedgerCorrupt: the ledger is broken.
        """
        case = self._opened(principal, decision)
        if case is None:
            return None
        concerned = [] if case.content is None else [subject for subject, _ in case.content.neighbours]
        self._record(principal.who, f"decision {case.entry.decision_id} opened in the ledger", concerned)
        return OpenedDecision(case, rows_of(case, self._gallery.names(concerned)))

    def crop(self, principal: Principal, decision: str, sequence: int) -> bytes | None:
        """A picture that a decision was made on, PNG; ``None``: there is none, or none that may be seen."""
        case = self._opened(principal, decision)
        crop = next((one for one in case.crops if one.sequence == sequence), None) if case else None
        if case is None or crop is None:
            return None
        self._record(principal.who, f"crop {sequence} of decision {case.entry.decision_id} shown", ())
        return png_of(crop.image_rgb)

    def _opened(self, principal: Principal, decision: str) -> Case | None:
        evidence = self._evidence
        if not evidence.folder.exists():
            return None
        case = open_case(evidence.folder, evidence.keys(), evidence.crops(), decision)
        return case if principal.sees(case.entry.camera_id) else None

    def export(self, principal: Principal, case: str, decisions: Iterable[str], *, footage: bool) -> CaseFile:
        """A case of these decisions.

        Raises:
            UsageError: one of them is none that the user sees, or as :meth:`Cases.make`.
        """
        wanted = list(dict.fromkeys(decisions))
        found = [self._sightings.get(one) for one in wanted]
        seen = [one for one in found if one is not None and principal.sees(one.camera_id)]
        if len(seen) != len(wanted):
            raise UsageError("one of the decisions does not exist, or none that you may see: choose again")
        what = f"case {case} exported{' with footage' * footage}: {', '.join(wanted)}"
        self._record(principal.who, what, subject_ids(seen))
        return self._cases.make(case, wanted, footage=footage)

    # Holds and erasures

    def holds(self, principal: Principal) -> list[Hold]:
        """Those that concern cameras which the user sees. Raises ``StorageError``."""
        held = self._evidence.holds.list()
        return [hold for hold in held if hold.camera_id is None or principal.sees(hold.camera_id)]

    def hold(
        self, principal: Principal, camera: str | None, since: datetime, until: datetime, reason: str
    ) -> Hold:
        """Keep footage whatever the limits say.

        Raises:
            UsageError: not a camera that the user sees, the wrong way round, or no reason.
            StorageError: it cannot be written.
        """
        if camera is None and principal.cameras is not None:
            raise UsageError("only who sees all cameras can hold the footage of all: choose a camera")
        if camera is not None and not principal.sees(camera):
            raise UsageError("there is no such camera, or none that you may see")
        span = f"{since.isoformat()} to {until.isoformat()}"
        self._record(principal.who, f"footage of {camera or 'all cameras'} to be held, {span}: {reason}", ())
        return self._evidence.holds.add(
            camera=camera, from_ns=to_ns(since), to_ns=to_ns(until), reason=reason, by=principal.who.by
        )

    def release(self, principal: Principal, hold_id: str) -> Hold:
        """Let footage go again. Raises ``UsageError``: there is no such hold; ``StorageError``."""
        if not any(hold.id == hold_id for hold in self.holds(principal)):
            raise UsageError("there is no such hold")
        self._record(principal.who, f"hold {hold_id} on footage to be released", ())
        return self._evidence.holds.release(hold_id)

    def erasures(self) -> list[Erasure]:
        """The newest first."""
        query = select(erasures).order_by(erasures.c.erased_at.desc()).limit(_MAX_ERASURES)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [Erasure(row.subject_id, row.erased_at, row.gallery_epoch) for row in rows]


def to_ns(when: datetime) -> int:
    """Nanoseconds since 1970 UTC. Raises ``UsageError``: the time has no zone."""
    if when.tzinfo is None:
        raise UsageError(f"{when.isoformat()} needs a time zone, such as Z")
    return round(when.timestamp() * 1e6) * 1000
