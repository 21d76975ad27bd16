"""Pages about watch lists."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from pipeline.errors import UsageError
from workers.console.access.roles import Permission
from workers.console.lists.service import ListOptions, Lists
from workers.console.web.guard import Caller, guarded_router, needs
from workers.console.web.pages import Pages, go_to, safe_path

Text = Annotated[str, Form()]
Back = Annotated[str, Form(alias="next")]
Priority = Annotated[int, Form(ge=-1000, le=1000)]


class ListPages:
    """All lists, and a page a list.

    Args:
        lists: Does it.
        pages: Draws.
    """

    def __init__(self, lists: Lists, pages: Pages) -> None:
        self._lists, self._pages = lists, pages

    @needs(Permission.READ_PEOPLE)
    def show_all(self, request: Request) -> Response:
        """Every list."""
        return self._pages.page(request, "lists.html", lists=self._lists.all())

    @needs(Permission.READ_PEOPLE)
    def show(self, request: Request, caller: Caller, list_id: str) -> Response:
        """One list and who is on it."""
        shown = self._lists.show(caller, list_id)
        return self._pages.page(
            request, "list.html", list=shown.watch_list, members=shown.members, typed=self._typed
        )

    def _typed(self, text: str | None) -> str:
        return self._pages.zone.for_form(self._pages.zone.typed(text or ""))

    @needs(Permission.WRITE_PEOPLE)
    def make(
        self,
        caller: Caller,
        *,
        name: Text,
        purpose: Text = "",
        owner: Text = "",
        priority: Priority = 0,
        threshold: Text = "",
        until: Text = "",
    ) -> Response:
        """Make a list."""
        options = self._options(purpose, owner, priority, threshold, until)
        return go_to(f"/lists/{self._lists.make(caller, name, options).id}")

    @needs(Permission.WRITE_PEOPLE)
    def change(
        self,
        caller: Caller,
        list_id: str,
        *,
        name: Text,
        purpose: Text = "",
        owner: Text = "",
        priority: Priority = 0,
        threshold: Text = "",
        until: Text = "",
    ) -> Response:
        """Rename it, and set all that it is like."""
        options = self._options(purpose, owner, priority, threshold, until)
        self._lists.change(caller, list_id, name, options)
        return go_to(f"/lists/{list_id}")

    def _options(self, purpose: str, owner: str, priority: int, threshold: str, until: str) -> ListOptions:
        return ListOptions(purpose, priority, owner, _similarity(threshold), self._pages.zone.typed(until))

    @needs(Permission.WRITE_PEOPLE)
    def remove(self, caller: Caller, list_id: str) -> Response:
        """End it."""
        self._lists.remove(caller, list_id)
        return go_to("/lists")

    @needs(Permission.WRITE_PEOPLE)
    def put(
        self,
        caller: Caller,
        list_id: str,
        *,
        who: Text,
        until: Text = "",
        note: Text = "",
        back: Back = "",
    ) -> Response:
        """Put somebody on it."""
        self._lists.put(caller, list_id, who, self._pages.zone.typed(until), note)
        return go_to(safe_path(back or None, f"/lists/{list_id}"))

    @needs(Permission.WRITE_PEOPLE)
    def put_on_one(
        self,
        caller: Caller,
        *,
        list_id: Text,
        who: Text,
        until: Text = "",
        note: Text = "",
        back: Back = "",
    ) -> Response:
        """The same where the list is chosen in the form."""
        return self.put(caller, list_id, who=who, until=until, note=note, back=back)

    @needs(Permission.WRITE_PEOPLE)
    def take_off(self, caller: Caller, list_id: str, subject_id: str, back: Back = "") -> Response:
        """Take somebody off."""
        self._lists.take_off(caller, list_id, subject_id)
        return go_to(safe_path(back or None, f"/lists/{list_id}"))

    def router(self) -> APIRouter:
        """All of them."""
        router = guarded_router(tags=["pages: watch lists"], prefix="/lists", default_response_class=Response)
        router.get("")(self.show_all)
        router.post("")(self.make)
        router.post("/members")(self.put_on_one)
        router.get("/{list_id}")(self.show)
        router.post("/{list_id}/change")(self.change)
        router.post("/{list_id}/remove")(self.remove)
        router.post("/{list_id}/members")(self.put)
        router.post("/{list_id}/members/{subject_id}/remove")(self.take_off)
        return router


def _similarity(text: str) -> float | None:
    """A number as people type it; ``None`` for nothing. Raises ``UsageError``."""
    if not text.strip():
        return None
    try:
        return float(text.strip().replace(",", "."))
    except ValueError:
        raise UsageError(f"{text.strip()[:50]!r} is no number: write a threshold like 0.35") from None
