"""Pages about erasing people, and the same for programs."""

from __future__ import annotations

import enum
from typing import Annotated

from fastapi import APIRouter, Form, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from audit.erase import Receipt
from workers.console.access.roles import Permission
from workers.console.people.erasing import Erasing, ToErase
from workers.console.people.receipts import as_json, as_text
from workers.console.web.guard import Caller, guarded_router, needs
from workers.console.web.pages import Pages, go_to


class ReceiptFormat(enum.StrEnum):
    """What a receipt is downloaded as."""

    JSON = "json"
    TEXT = "txt"


class Sure(BaseModel):
    """The name of whoever is to be erased, typed to be sure."""

    model_config = ConfigDict(extra="forbid")

    name: str


class ErasePages:
    """Asking, erasing, and the receipt.

    Args:
        erasing: Does it.
        pages: Draws.
    """

    def __init__(self, erasing: Erasing, pages: Pages) -> None:
        self._erasing, self._pages = erasing, pages

    @needs(Permission.ERASE_PEOPLE)
    def removed(self, request: Request, caller: Caller) -> Response:
        """Who was removed, and could be erased."""
        return self._pages.page(request, "removed.html", people=self._erasing.removed(caller))

    @needs(Permission.ERASE_PEOPLE)
    def ask(self, request: Request, caller: Caller, subject_id: str) -> Response:
        """What will be gone."""
        return self._pages.page(request, "erase.html", whom=self._erasing.preview(caller, subject_id))

    @needs(Permission.ERASE_PEOPLE)
    def erase(self, caller: Caller, subject_id: str, name: Annotated[str, Form()]) -> Response:
        """Erase them."""
        self._erasing.erase(caller, subject_id, name)
        return go_to(f"/people/erased/{subject_id}")

    @needs(Permission.ERASE_PEOPLE)
    def receipt(self, request: Request, caller: Caller, subject_id: str) -> Response:
        """What was erased."""
        return self._pages.page(request, "receipt.html", receipt=self._erasing.receipt(caller, subject_id))

    @needs(Permission.ERASE_PEOPLE)
    def download(self, caller: Caller, subject_id: str, form: ReceiptFormat = ReceiptFormat.TEXT) -> Response:
        """The same as a file."""
        receipt = self._erasing.receipt(caller, subject_id)
        headers = {"content-disposition": f'attachment; filename="erased-{receipt.subject_id}.{form.value}"'}
        if form is ReceiptFormat.JSON:
            return Response(as_json(receipt), media_type="application/json", headers=headers)
        return Response(as_text(receipt), media_type="text/plain", headers=headers)

    def router(self) -> APIRouter:
        """All of them; before other pages about people, whose ids could be called so."""
        router = guarded_router(tags=["pages: people"], prefix="/people", default_response_class=Response)
        router.get("/removed")(self.removed)
        router.get("/erased/{subject_id}")(self.receipt)
        router.get("/erased/{subject_id}/receipt")(self.download)
        router.get("/{subject_id}/erase")(self.ask)
        router.post("/{subject_id}/erase")(self.erase)
        return router


class EraseApi:
    """Erasing for programs.

    Args:
        erasing: Does it.
    """

    def __init__(self, erasing: Erasing) -> None:
        self._erasing = erasing

    @needs(Permission.ERASE_PEOPLE)
    def preview_erasure(self, caller: Caller, subject_id: str) -> ToErase:
        """What erasing somebody would take away."""
        return self._erasing.preview(caller, subject_id)

    @needs(Permission.ERASE_PEOPLE)
    def erase_person(self, caller: Caller, subject_id: str, sure: Sure) -> Receipt:
        """Erase somebody for good, who is, or was, enrolled."""
        return self._erasing.erase(caller, subject_id, sure.name)

    @needs(Permission.ERASE_PEOPLE)
    def show_receipt(self, caller: Caller, subject_id: str) -> Receipt:
        """The receipt of an erasure."""
        return self._erasing.receipt(caller, subject_id)

    def router(self) -> APIRouter:
        """All of them."""
        router = guarded_router(tags=["people"], prefix="/people/{subject_id}")
        router.get("/erasure")(self.preview_erasure)
        router.post("/erasure")(self.erase_person)
        router.get("/receipt")(self.show_receipt)
        return router
