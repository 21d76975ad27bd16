"""The same for programs: ``/api/v1/people``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, File, Form, Query, UploadFile
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from gallery.enroll import EnrollOptions
from workers.console.access.roles import Permission
from workers.console.people.desk import Enrolled
from workers.console.people.service import MAX_PAGE, PAGE, People, PeoplePage, Person
from workers.console.people.uploads import UploadLimits
from workers.console.web.guard import Caller, guarded_router, needs
from workers.console.web.problems import brings

Start = Annotated[int, Query(ge=0)]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]


class NewName(BaseModel):
    """What to call somebody."""

    model_config = ConfigDict(extra="forbid")

    name: str


class PeopleApi:
    """People, for programs.

    Args:
        people: Does it.
        limits: Of uploads.
    """

    def __init__(self, people: People, limits: UploadLimits) -> None:
        self._people, self._limits = people, limits

    @needs(Permission.READ_PEOPLE)
    def list_people(
        self, caller: Caller, search: str = "", start: Start = 0, limit: Limit = PAGE
    ) -> PeoplePage:
        """Those whose name contains `search`, by name."""
        return self._people.page(caller, search, start, limit)

    @needs(Permission.READ_PEOPLE)
    def show_person(self, caller: Caller, subject_id: str) -> Person:
        """One person with photographs and watch lists."""
        return self._people.show(caller, subject_id)

    @needs(Permission.READ_PEOPLE)
    def show_photo(self, caller: Caller, subject_id: str, sha256: str) -> Response:
        """A photograph, as a JPEG for the screen."""
        return Response(self._people.photo(caller, subject_id, sha256), media_type="image/jpeg")

    @needs(Permission.READ_PEOPLE)
    def show_photo_face(self, caller: Caller, subject_id: str, sha256: str) -> Response:
        """The face in a photograph, cut out as decisions compare it, as a PNG."""
        return Response(self._people.photo_face(caller, subject_id, sha256), media_type="image/png")

    @needs(Permission.WRITE_PEOPLE)
    def check_photo(
        self, photo: Annotated[UploadFile, File()], name: Annotated[str, Form()] = "check"
    ) -> Enrolled:
        """Whether a photograph is good enough. Nothing is kept."""
        (upload,) = self._limits.take([photo])
        return self._people.check(name, upload)

    @needs(Permission.WRITE_PEOPLE)
    def enroll(
        self,
        caller: Caller,
        name: Annotated[str, Form()],
        photos: Annotated[list[UploadFile], File()],
        allow_lookalike: Annotated[bool, Form()] = False,
        largest: Annotated[bool, Form()] = False,
    ) -> list[Enrolled]:
        """Enroll photographs of one person, who is made if there is none of that name."""
        options = EnrollOptions(largest=largest, allow_lookalike=allow_lookalike)
        return self._people.enroll(caller, name, self._limits.take(photos), options)

    @needs(Permission.WRITE_PEOPLE)
    def rename_person(self, caller: Caller, subject_id: str, new: NewName) -> Person:
        """Another name."""
        self._people.rename(caller, subject_id, new.name)
        return self._people.show(caller, subject_id)

    @needs(Permission.WRITE_PEOPLE)
    def remove_person(self, caller: Caller, subject_id: str) -> None:
        """Recognised no longer; what was decided before can still be explained."""
        self._people.remove(caller, subject_id)

    @needs(Permission.WRITE_PEOPLE)
    def remove_photo(self, caller: Caller, subject_id: str, sha256: str) -> None:
        """One photograph fewer."""
        self._people.remove_photo(caller, subject_id, sha256)

    def router(self) -> APIRouter:
        """All of them."""
        router = guarded_router(tags=["people"], prefix="/people")
        router.get("")(self.list_people)
        router.post("/check", max_body_size=self._limits.body_bytes)(self.check_photo)
        router.post("/enroll", max_body_size=self._limits.body_bytes)(self.enroll)
        router.get("/{subject_id}")(self.show_person)
        router.patch("/{subject_id}")(self.rename_person)
        router.delete("/{subject_id}", status_code=204)(self.remove_person)
        router.get("/{subject_id}/photos/{sha256}", response_class=Response, responses=brings("image/jpeg"))(
            self.show_photo
        )
        router.get(
            "/{subject_id}/photos/{sha256}/face", response_class=Response, responses=brings("image/png")
        )(self.show_photo_face)
        router.delete("/{subject_id}/photos/{sha256}", status_code=204)(self.remove_photo)
        return router
