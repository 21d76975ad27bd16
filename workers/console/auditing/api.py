"""The same for programs: ``/api/v1/audit``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.responses import Response

from audit.recording.holds import Hold
from gallery.times import utc_text_from_ns
from workers.console.access.roles import Permission
from workers.console.auditing.accesses import LIMIT, Access, AccessFilter
from workers.console.auditing.answers import attachment, case_answer, readable
from workers.console.auditing.pages import NO_DECISION
from workers.console.auditing.service import Auditing, Erasure, LedgerStatus, to_ns
from workers.console.web.guard import Caller, guarded_router, needs
from workers.console.web.problems import brings


class WantedVerification(BaseModel):
    """Whether footage is read too, which takes as long as reading it takes."""

    model_config = ConfigDict(extra="forbid")

    footage: bool = True


class WantedCase(BaseModel):
    """A name, and ids of decisions."""

    model_config = ConfigDict(extra="forbid")

    case: str
    decisions: list[str]
    footage: bool = True


class WantedHold(BaseModel):
    """From when until when footage must stay, of which camera (none: of all), and why."""

    model_config = ConfigDict(extra="forbid")

    camera: str | None = None
    since: datetime
    until: datetime
    reason: str


class AccessesShown(BaseModel):
    """Records of access, the newest first; `names` of subjects by id."""

    accesses: list[Access]
    names: dict[str, str]
    more: bool
    complete: bool


class AuditApi:
    """The audit, for programs.

    Args:
        auditing: Does it.
    """

    def __init__(self, auditing: Auditing) -> None:
        self._auditing = auditing

    @needs(Permission.READ_AUDIT)
    def show_ledger(self) -> LedgerStatus:
        """How far the ledger is, and what the last verification found."""
        return self._auditing.status()

    @needs(Permission.READ_AUDIT)
    def verify_ledger(self, caller: Caller, wanted: WantedVerification) -> LedgerStatus:
        """Begin to verify."""
        self._auditing.verify(caller, footage=wanted.footage)
        return self._auditing.status()

    @needs(Permission.READ_AUDIT)
    def show_checkpoint(self, caller: Caller) -> Response:
        """The newest checkpoint, for somebody else to keep."""
        data = readable(lambda: self._auditing.checkpoint(caller))
        return attachment(data, "application/json", "checkpoint.json")

    @needs(Permission.READ_AUDIT)
    def list_accesses(
        self,
        caller: Caller,
        *,
        subject_id: str = "",
        user: str = "",
        text: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = LIMIT,
    ) -> AccessesShown:
        """Who looked at whom; `user` is an id, or part of a name."""
        wanted = AccessFilter(
            since_ns=None if since is None else to_ns(since),
            until_ns=None if until is None else to_ns(until),
            subject_id=subject_id,
            user=user,
            text=text,
        )
        found, names = self._auditing.accesses(caller, wanted, limit)
        return AccessesShown(
            accesses=list(found.accesses), names=dict(names), more=found.more, complete=found.complete
        )

    @needs(Permission.READ_AUDIT)
    def show_recorded_decision(self, caller: Caller, decision: str) -> dict[str, Any]:
        """What the ledger holds of a decision whose id begins so."""
        found = readable(lambda: self._auditing.decision(caller, decision))
        if found is None:
            raise HTTPException(404, NO_DECISION)
        return found.case.as_json()

    @needs(Permission.READ_AUDIT)
    def export_case(self, caller: Caller, wanted: WantedCase) -> Response:
        """A case with its proof, as a ZIP."""
        made = readable(
            lambda: self._auditing.export(caller, wanted.case, wanted.decisions, footage=wanted.footage)
        )
        return case_answer(made)

    @needs(Permission.READ_AUDIT)
    def list_holds(self, caller: Caller) -> list[dict[str, Any]]:
        """Footage that must stay."""
        return [_record(hold) for hold in self._auditing.holds(caller)]

    @needs(Permission.READ_AUDIT)
    def hold_footage(self, caller: Caller, wanted: WantedHold) -> dict[str, Any]:
        """Keep footage whatever the limits say."""
        made = self._auditing.hold(caller, wanted.camera, wanted.since, wanted.until, wanted.reason)
        return _record(made)

    @needs(Permission.ADMIN)
    def release_hold(self, caller: Caller, hold_id: str) -> None:
        """Let footage go again."""
        self._auditing.release(caller, hold_id)

    @needs(Permission.READ_AUDIT)
    def list_erasures(self) -> list[Erasure]:
        """Of whom nothing is left, the newest first."""
        return self._auditing.erasures()

    def router(self) -> APIRouter:
        """All of them."""
        router = guarded_router(tags=["audit"], prefix="/audit")
        router.get("")(self.show_ledger)
        router.post("/verify", status_code=202)(self.verify_ledger)
        router.get("/checkpoint", response_class=Response, responses=brings("application/json"))(
            self.show_checkpoint
        )
        router.get("/accesses")(self.list_accesses)
        router.get("/decisions/{decision}")(self.show_recorded_decision)
        router.post("/cases", response_class=Response, responses=brings("application/zip"))(self.export_case)
        router.get("/holds")(self.list_holds)
        router.post("/holds", status_code=201)(self.hold_footage)
        router.delete("/holds/{hold_id}", status_code=204)(self.release_hold)
        router.get("/erasures")(self.list_erasures)
        return router


def _record(hold: Hold) -> dict[str, Any]:
    return {
        "id": hold.id,
        "camera": hold.camera_id,
        "since": utc_text_from_ns(hold.from_ns),
        "until": utc_text_from_ns(hold.to_ns),
        "reason": hold.reason,
        "by": hold.by,
        "at": utc_text_from_ns(hold.at_ns),
    }
