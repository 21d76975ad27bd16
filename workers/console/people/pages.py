"""Pages about people."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, File, Form, Query, Request, UploadFile
from starlette.responses import Response

from gallery.enroll import EnrollOptions
from workers.console.access.roles import Permission
from workers.console.lists.service import Lists
from workers.console.people.service import PAGE, People
from workers.console.people.uploads import UploadLimits
from workers.console.web.guard import Caller, guarded_router, needs
from workers.console.web.pages import Pages, go_to

Start = Annotated[int, Query(ge=0)]


class PeoplePages:
    """The list, one person, and enrolling.

    Args:
        people: Does it.
        lists: Which they are on.
        limits: Of uploads.
        pages: Draws.
    """

    def __init__(self, people: People, lists: Lists, limits: UploadLimits, pages: Pages) -> None:
        self._people, self._lists, self._limits, self._pages = people, lists, limits, pages

    @needs(Permission.READ_PEOPLE)
    def show_all(self, request: Request, caller: Caller, search: str = "", start: Start = 0) -> Response:
        """Everybody who is enrolled."""
        found = self._people.page(caller, search, start)
        back = max(0, start - PAGE) if start else None
        return self._pages.page(request, "people.html", found=found, search=search, start=start, back=back)

    @needs(Permission.READ_PEOPLE)
    def show(self, request: Request, caller: Caller, subject_id: str) -> Response:
        """One person."""
        person = self._people.show(caller, subject_id)
        return self._pages.page(
            request,
            "person.html",
            person=person,
            memberships=self._lists.of_person(subject_id),
            all_lists=self._lists.all(),
        )

    @needs(Permission.READ_PEOPLE)
    def photo(self, caller: Caller, subject_id: str, sha256: str) -> Response:
        """One of their photographs."""
        return Response(self._people.photo(caller, subject_id, sha256), media_type="image/jpeg")

    @needs(Permission.READ_PEOPLE)
    def face(self, caller: Caller, subject_id: str, sha256: str) -> Response:
        """The face in one of them, cut out as decisions compare it."""
        return Response(self._people.photo_face(caller, subject_id, sha256), media_type="image/png")

    @needs(Permission.WRITE_PEOPLE)
    def enroll_form(self, request: Request, name: str = "") -> Response:
        """Where photographs are chosen; the networks that judge them are got ready meanwhile."""
        self._people.warm()
        return self._pages.page(request, "enroll.html", name=name, results=None, limits=self._limits)

    @needs(Permission.WRITE_PEOPLE)
    def enroll(
        self,
        request: Request,
        caller: Caller,
        *,
        name: Annotated[str, Form()],
        photos: Annotated[list[UploadFile], File()],
        allow_lookalike: Annotated[bool, Form()] = False,
        largest: Annotated[bool, Form()] = False,
    ) -> Response:
        """Enroll, and say what became of each photograph."""
        options = EnrollOptions(largest=largest, allow_lookalike=allow_lookalike)
        results = self._people.enroll(caller, name, self._limits.take(photos), options)
        return self._pages.page(request, "enroll.html", name=name, results=results, limits=self._limits)

    @needs(Permission.WRITE_PEOPLE)
    def rename(self, caller: Caller, subject_id: str, name: Annotated[str, Form()]) -> Response:
        """Another name."""
        self._people.rename(caller, subject_id, name)
        return go_to(f"/people/{subject_id}")

    @needs(Permission.WRITE_PEOPLE)
    def remove(self, caller: Caller, subject_id: str) -> Response:
        """Recognised no longer."""
        self._people.remove(caller, subject_id)
        return go_to("/people")

    @needs(Permission.WRITE_PEOPLE)
    def remove_photo(self, caller: Caller, subject_id: str, sha256: str) -> Response:
        """One photograph fewer."""
        self._people.remove_photo(caller, subject_id, sha256)
        return go_to(f"/people/{subject_id}")

    def router(self) -> APIRouter:
        """All of them."""
        router = guarded_router(tags=["pages: people"], prefix="/people", default_response_class=Response)
        router.get("")(self.show_all)
        router.get("/enroll")(self.enroll_form)
        router.post("/enroll", max_body_size=self._limits.body_bytes)(self.enroll)
        router.get("/{subject_id}")(self.show)
        router.post("/{subject_id}/rename")(self.rename)
        router.post("/{subject_id}/remove")(self.remove)
        router.get("/{subject_id}/photos/{sha256}")(self.photo)
        router.get("/{subject_id}/photos/{sha256}/face")(self.face)
        router.post("/{subject_id}/photos/{sha256}/remove")(self.remove_photo)
        return router
