"""The same for programs: ``/api/v1/unknowns``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from audit.unknowns.records import GroupState
from pipeline.errors import UsageError
from workers.console.access.roles import Permission
from workers.console.sightings.enrolling import MAX_PHOTOS, PHOTOS
from workers.console.unknowns.service import (
    MAX_PAGE,
    MOST_AT_ONCE,
    PAGE,
    AlikeGroup,
    Assigned,
    GroupShown,
    GroupsPage,
    Unknowns,
)
from workers.console.web.guard import Caller, guarded_router, needs

States = Annotated[list[GroupState], Query()]
Cameras = Annotated[list[str], Query()]
Start = Annotated[int, Query(ge=0, lt=2**31)]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]
GroupIds = Annotated[list[str], Field(min_length=1, max_length=MOST_AT_ONCE)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class WhoTheyAre(_Body):
    """Whose groups they are; `photos` is 0 for somebody who is enrolled already."""

    groups: GroupIds
    name: str
    photos: int = Field(default=PHOTOS, ge=0, le=MAX_PHOTOS)
    allow_lookalike: bool = False


class SamePerson(_Body):
    """Groups that are one person."""

    groups: GroupIds


class SomebodyElse(_Body):
    """Tracks that are somebody else, by the decisions that ended them."""

    decisions: Annotated[list[str], Field(min_length=1, max_length=10_000)]


class GroupChange(_Body):
    """What is to be different; an empty label is none."""

    label: str | None = None
    state: GroupState | None = None


class GroupId(BaseModel):
    """A group."""

    group_id: str


class UnknownsApi:
    """Groups of unknown people, for programs.

    Args:
        unknowns: Does it.
    """

    def __init__(self, unknowns: Unknowns) -> None:
        self._unknowns = unknowns

    @needs(Permission.READ_PEOPLE)
    def list_groups(
        self,
        caller: Caller,
        state: States = [GroupState.OPEN],  # noqa: B006 - FastAPI copies it
        camera: Cameras = [],  # noqa: B006
        start: Start = 0,
        limit: Limit = PAGE,
    ) -> GroupsPage:
        """Groups in these states, the one seen last first."""
        return self._unknowns.page(caller, state, camera, start, limit)

    @needs(Permission.READ_PEOPLE)
    def show_group(self, caller: Caller, group_id: str) -> GroupShown:
        """A group with its tracks."""
        return self._unknowns.show(caller, group_id)

    @needs(Permission.READ_PEOPLE)
    def alike(self, caller: Caller, group_id: str) -> list[AlikeGroup]:
        """Groups that may be the same person, the most alike first."""
        return self._unknowns.alike(caller, group_id)

    @needs(Permission.WRITE_PEOPLE)
    def assign(self, caller: Caller, who: WhoTheyAre) -> Assigned:
        """Say that groups are one person, and enroll them from the best pictures."""
        return self._unknowns.assign(
            caller, who.groups, who.name, photos=who.photos, allow_lookalike=who.allow_lookalike
        )

    @needs(Permission.WRITE_PEOPLE)
    def merge(self, caller: Caller, same: SamePerson) -> GroupId:
        """Put groups together."""
        return GroupId(group_id=self._unknowns.merge(caller, same.groups))

    @needs(Permission.WRITE_PEOPLE)
    def split(self, caller: Caller, group_id: str, other: SomebodyElse) -> GroupId:
        """Take tracks out into a group of their own, whose id is answered."""
        return GroupId(group_id=self._unknowns.split(caller, group_id, other.decisions))

    @needs(Permission.WRITE_PEOPLE)
    def change_group(self, caller: Caller, group_id: str, change: GroupChange) -> GroupShown:
        """Call it something, ignore it, or reopen it; it is assigned by naming somebody."""
        if change.label is not None:
            self._unknowns.label(caller, group_id, change.label)
        if change.state is GroupState.IGNORED:
            self._unknowns.ignore(caller, [group_id])
        elif change.state is GroupState.OPEN:
            self._unknowns.reopen(caller, [group_id])
        elif change.state is GroupState.ASSIGNED:
            raise UsageError("a group is assigned by naming somebody: POST /api/v1/unknowns/assign")
        return self._unknowns.show(caller, group_id)

    def router(self) -> APIRouter:
        """All of them."""
        router = guarded_router(tags=["unknown people"], prefix="/unknowns")
        router.get("")(self.list_groups)
        router.post("/assign")(self.assign)
        router.post("/merge")(self.merge)
        router.get("/{group_id}")(self.show_group)
        router.patch("/{group_id}")(self.change_group)
        router.get("/{group_id}/alike")(self.alike)
        router.post("/{group_id}/split")(self.split)
        return router
