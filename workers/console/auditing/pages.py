"""Pages of the audit: the ledger, a decision in it, who looked at whom, holds, erasures."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from pipeline.errors import StorageError, SubjectNotFound, UsageError
from workers.console.access.groups import CameraGroups
from workers.console.access.principal import Principal
from workers.console.access.roles import Permission
from workers.console.auditing.accesses import AccessFilter
from workers.console.auditing.answers import attachment, readable
from workers.console.auditing.service import Auditing, to_ns
from workers.console.health.words import counted
from workers.console.sightings.service import Sightings
from workers.console.web.guard import Caller, guarded_router, needs
from workers.console.web.pages import Pages, go_to

Text = Annotated[str, Form()]
NO_DECISION = "the ledger knows no such decision, or none that you may see"


class AuditPages:
    """The auditor's desk.

    Args:
        auditing: Does it.
        sightings: Knows who is meant by a name.
        groups: Know the cameras.
        pages: Draws.
    """

    def __init__(self, auditing: Auditing, sightings: Sightings, groups: CameraGroups, pages: Pages) -> None:
        self._auditing, self._sightings = auditing, sightings
        self._groups, self._pages = groups, pages

    @needs(Permission.READ_AUDIT)
    def show(self, request: Request) -> Response:
        """Whether the ledger holds, and what can be asked of it."""
        return self._pages.page(request, "audit.html", status_=self._auditing.status(), counted=counted)

    @needs(Permission.READ_AUDIT)
    def verify(self, caller: Caller, footage: Annotated[bool, Form()] = False) -> Response:
        """Begin to verify."""
        self._auditing.verify(caller, footage=footage)
        return go_to("/audit")

    @needs(Permission.READ_AUDIT)
    def checkpoint(self, caller: Caller) -> Response:
        """The newest one, for somebody else to keep."""
        data = readable(lambda: self._auditing.checkpoint(caller))
        return attachment(data + b"\n", "application/json", "checkpoint.json")

    @needs(Permission.READ_AUDIT)
    def public_key(self) -> Response:
        """What checkpoints are verified with."""
        return attachment(self._auditing.public_key(), "application/x-pem-file", "public.pem")

    @needs(Permission.READ_AUDIT)
    def find_decision(self, decision: str = "") -> Response:
        """To the page of a decision whose id was typed."""
        wanted = decision.strip()
        if not wanted.isalnum():
            raise UsageError("type how the id of a decision begins, at least six characters")
        return go_to(f"/audit/decisions/{wanted}")

    @needs(Permission.READ_AUDIT)
    def decision(self, request: Request, caller: Caller, decision: str) -> Response:
        """What the ledger holds of it."""
        found = readable(lambda: self._auditing.decision(caller, decision))
        if found is None:
            raise HTTPException(404, NO_DECISION)
        return self._pages.page(request, "audit_decision.html", found=found, case=found.case)

    @needs(Permission.READ_AUDIT)
    def crop(self, caller: Caller, decision: str, sequence: int) -> Response:
        """A picture that it was made on."""
        data = readable(lambda: self._auditing.crop(caller, decision, sequence))
        if data is None:
            raise HTTPException(404, "there is no such picture, or none that you may see")
        return Response(data, media_type="image/png")

    @needs(Permission.READ_AUDIT)
    def accesses(
        self,
        request: Request,
        caller: Caller,
        *,
        who: str = "",
        user: str = "",
        text: str = "",
        since: str = "",
        until: str = "",
    ) -> Response:
        """Who looked at whom, and what somebody looked at."""
        typed = {"who": who, "user": user, "text": text, "since": since, "until": until}
        asked = any(value.strip() for value in typed.values())
        result, unknown = None, None
        try:
            if asked:
                result = self._auditing.accesses(caller, self._wanted(typed))
        except SubjectNotFound as error:
            unknown = str(error)
        return self._pages.page(request, "audit_accesses.html", result=result, unknown=unknown, typed=typed)

    def _wanted(self, typed: dict[str, str]) -> AccessFilter:
        zone = self._pages.zone
        since, until = zone.typed(typed["since"]), zone.typed(typed["until"])
        people = self._sightings.meant(typed["who"])
        return AccessFilter(
            since_ns=None if since is None else to_ns(since),
            until_ns=None if until is None else to_ns(until),
            subject_id=people[0] if people else "",
            user=typed["user"].strip(),
            text=typed["text"].strip(),
        )

    @needs(Permission.READ_AUDIT)
    def holds(self, request: Request, caller: Caller) -> Response:
        """Footage that must stay."""
        return self._page_of_holds(request, caller)

    def _page_of_holds(self, request: Request, caller: Principal) -> Response:
        held, problem = [], None
        try:
            held = self._auditing.holds(caller)
        except StorageError as error:
            problem = str(error)
        cameras = [camera for camera in self._groups.known_cameras() if caller.sees(camera)]
        return self._pages.page(request, "audit_holds.html", holds=held, problem=problem, cameras=cameras)

    @needs(Permission.READ_AUDIT)
    def hold(self, caller: Caller, since: Text, until: Text, reason: Text, camera: Text = "") -> Response:
        """Keep footage."""
        zone = self._pages.zone
        from_, to = zone.typed(since), zone.typed(until)
        if from_ is None or to is None:
            raise UsageError("say from when and until when footage is to stay")
        self._auditing.hold(caller, camera or None, from_, to, reason)
        return go_to("/audit/holds")

    @needs(Permission.ADMIN)
    def release(self, caller: Caller, hold_id: str) -> Response:
        """Let it go."""
        self._auditing.release(caller, hold_id)
        return go_to("/audit/holds")

    @needs(Permission.READ_AUDIT)
    def erasures(self, request: Request) -> Response:
        """Of whom nothing is left."""
        return self._pages.page(request, "audit_erasures.html", erasures=self._auditing.erasures())

    def router(self) -> APIRouter:
        """All of them."""
        router = guarded_router(tags=["pages: audit"], prefix="/audit", default_response_class=Response)
        router.get("")(self.show)
        router.post("/verify")(self.verify)
        router.get("/checkpoint")(self.checkpoint)
        router.get("/public.pem")(self.public_key)
        router.get("/decisions")(self.find_decision)
        router.get("/decisions/{decision}")(self.decision)
        router.get("/decisions/{decision}/crops/{sequence}")(self.crop)
        router.get("/accesses")(self.accesses)
        router.get("/holds")(self.holds)
        router.post("/holds")(self.hold)
        router.post("/holds/{hold_id}/release")(self.release)
        router.get("/erasures")(self.erasures)
        return router
