"""Pages about unknown people."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import Response

from audit.unknowns.records import GroupState
from workers.console.access.principal import Principal
from workers.console.access.roles import Permission
from workers.console.people.service import People
from workers.console.sightings.enrolling import PHOTOS
from workers.console.sightings.pictures import Pictures
from workers.console.unknowns.service import PAGE, Assigned, Unknowns
from workers.console.unknowns.visible import SeenGroup
from workers.console.web.guard import Caller, guarded_router, needs
from workers.console.web.pages import Pages, go_to

Start = Annotated[int, Query(ge=0, lt=2**31)]
Marked = Annotated[list[str], Form()]
Text = Annotated[str, Form()]
Flag = Annotated[bool, Form()]


class Show(enum.StrEnum):
    """Which groups are listed."""

    OPEN = "open"
    IGNORED = "ignored"
    ASSIGNED = "assigned"
    ALL = "all"

    @property
    def states(self) -> tuple[GroupState, ...]:
        """Empty for any."""
        return () if self is Show.ALL else (GroupState(self.value),)


class Action(enum.StrEnum):
    """What is done with groups that are marked."""

    ASSIGN = "assign"
    MERGE = "merge"
    IGNORE = "ignore"
    REOPEN = "reopen"


class UnknownPages:
    """The list, and a page a group.

    Args:
        unknowns: Does it.
        pictures: Of their faces.
        people: Gets the networks ready when somebody may be enrolled.
        cameras: Those that a user sees.
        pages: Draws.
    """

    def __init__(
        self,
        unknowns: Unknowns,
        pictures: Pictures,
        people: People,
        cameras: Callable[[Principal], list[str]],
        pages: Pages,
    ) -> None:
        self._unknowns, self._pictures, self._people = unknowns, pictures, people
        self._cameras, self._pages = cameras, pages

    @needs(Permission.READ_PEOPLE)
    def list_groups(
        self,
        request: Request,
        caller: Caller,
        show: Show = Show.OPEN,
        camera: str = "",
        start: Start = 0,
    ) -> Response:
        """Groups, the one seen last first."""
        return self._list(request, caller, show, camera, start)

    def _list(
        self,
        request: Request,
        caller: Principal,
        show: Show = Show.OPEN,
        camera: str = "",
        start: int = 0,
        *,
        done: Assigned | None = None,
        typed: str = "",
        marked: tuple[str, ...] = (),
    ) -> Response:
        cameras = (camera,) if camera else ()
        found = self._unknowns.page(caller, show.states, cameras, start)
        same = {"show": show.value, **({"camera": camera} if camera else {})}
        more = None if found.next is None else urlencode({**same, "start": found.next})
        back = urlencode({**same, "start": max(0, start - PAGE)}) if start else None
        return self._pages.page(
            request,
            "unknowns.html",
            found=found,
            pictures=self._covers(caller, found.groups),
            show=show,
            shows=list(Show),
            camera=camera,
            cameras=self._cameras(caller),
            next_query=more,
            back_query=back,
            done=done,
            typed=typed,
            marked=marked,
        )

    @needs(Permission.WRITE_PEOPLE)
    def act(
        self,
        request: Request,
        caller: Caller,
        *,
        action: Annotated[Action, Form()],
        group: Marked = [],  # noqa: B006 - FastAPI copies it
        name: Text = "",
        allow_lookalike: Flag = False,
        show: Annotated[Show, Form()] = Show.OPEN,
    ) -> Response:
        """Do something with all groups that are marked."""
        match action:
            case Action.ASSIGN:
                done = self._unknowns.assign(caller, group, name, allow_lookalike=allow_lookalike)
                if done.subject_id is None:
                    return self._list(request, caller, show, done=done, typed=name, marked=tuple(group))
                return go_to(f"/people/{done.subject_id}")
            case Action.MERGE:
                return go_to(f"/unknowns/{self._unknowns.merge(caller, group)}")
            case Action.IGNORE:
                self._unknowns.ignore(caller, group)
            case Action.REOPEN:
                self._unknowns.reopen(caller, group)
        return go_to(f"/unknowns?show={show.value}")

    @needs(Permission.READ_PEOPLE)
    def show_group(self, request: Request, caller: Caller, group_id: str, alike: bool = False) -> Response:
        """One group with all its tracks; `alike` looks for others that may be the same person."""
        return self._group(request, caller, group_id, alike=alike)

    def _group(
        self,
        request: Request,
        caller: Principal,
        group_id: str,
        *,
        alike: bool = False,
        done: Assigned | None = None,
        typed: str = "",
    ) -> Response:
        found = self._unknowns.show(caller, group_id)
        others = self._unknowns.alike(caller, group_id) if alike else None
        if caller.may(Permission.WRITE_PEOPLE) and found.group.state is GroupState.OPEN:
            self._people.warm()
        covers = [] if others is None else [other.group for other in others]
        return self._pages.page(
            request,
            "unknown.html",
            shown=found,
            group=found.group,
            alike=others,
            pictures=self._pictures.states(found.sightings.values()),
            covers=self._covers(caller, [found.group, *covers]),
            done=done,
            typed=typed,
        )

    def _covers(self, caller: Principal, groups: list[SeenGroup]) -> Mapping[str, str]:
        return self._pictures.states_of(caller, [group.cover for group in groups])

    @needs(Permission.WRITE_PEOPLE)
    def assign(
        self,
        request: Request,
        caller: Caller,
        group_id: str,
        *,
        name: Text,
        allow_lookalike: Flag = False,
        only_assign: Flag = False,
    ) -> Response:
        """Say who it is, and enroll them."""
        done = self._unknowns.assign(
            caller, [group_id], name, photos=0 if only_assign else PHOTOS, allow_lookalike=allow_lookalike
        )
        if done.subject_id is None:
            return self._group(request, caller, group_id, done=done, typed=name)
        return go_to(f"/people/{done.subject_id}")

    @needs(Permission.WRITE_PEOPLE)
    def merge(self, caller: Caller, group_id: str, other: Text) -> Response:
        """Say that another group is the same person."""
        return go_to(f"/unknowns/{self._unknowns.merge(caller, [group_id, other.strip()])}")

    @needs(Permission.WRITE_PEOPLE)
    def split(
        self,
        caller: Caller,
        group_id: str,
        track: Marked = [],  # noqa: B006
    ) -> Response:
        """Say that the marked tracks are somebody else."""
        return go_to(f"/unknowns/{self._unknowns.split(caller, group_id, track)}")

    @needs(Permission.WRITE_PEOPLE)
    def set_state(self, caller: Caller, group_id: str, state: Annotated[GroupState, Form()]) -> Response:
        """Ignore it, or take that back."""
        if state is GroupState.IGNORED:
            self._unknowns.ignore(caller, [group_id])
        else:
            self._unknowns.reopen(caller, [group_id])
        return go_to(f"/unknowns/{group_id}")

    @needs(Permission.WRITE_PEOPLE)
    def label(self, caller: Caller, group_id: str, label: Text = "") -> Response:
        """Call it something."""
        self._unknowns.label(caller, group_id, label)
        return go_to(f"/unknowns/{group_id}")

    def router(self) -> APIRouter:
        """All of them."""
        router = guarded_router(
            tags=["pages: unknown people"], prefix="/unknowns", default_response_class=Response
        )
        router.get("")(self.list_groups)
        router.post("")(self.act)
        router.get("/{group_id}")(self.show_group)
        router.post("/{group_id}/assign")(self.assign)
        router.post("/{group_id}/merge")(self.merge)
        router.post("/{group_id}/split")(self.split)
        router.post("/{group_id}/state")(self.set_state)
        router.post("/{group_id}/label")(self.label)
        return router
