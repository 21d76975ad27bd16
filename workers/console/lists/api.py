"""The same for programs: ``/api/v1/lists``."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from gallery.lists import WatchList
from workers.console.access.roles import Permission
from workers.console.lists.service import ListOptions, Lists, ListShown
from workers.console.web.guard import Caller, guarded_router, needs


class ListBody(BaseModel):
    """A list; times need a zone."""

    model_config = ConfigDict(extra="forbid")

    name: str
    purpose: str = ""
    owner: str = ""
    priority: int = Field(default=0, ge=-1000, le=1000)
    threshold: float | None = Field(default=None, gt=-1, lt=1)
    expires_at: datetime | None = None

    def options(self) -> ListOptions:
        return ListOptions(self.purpose, self.priority, self.owner, self.threshold, self.expires_at)


class MemberBody(BaseModel):
    """Until when, and why somebody is on a list."""

    model_config = ConfigDict(extra="forbid")

    expires_at: datetime | None = None
    note: str = ""


class ListsApi:
    """Watch lists, for programs.

    Args:
        lists: Does it.
    """

    def __init__(self, lists: Lists) -> None:
        self._lists = lists

    @needs(Permission.READ_PEOPLE)
    def list_lists(self) -> list[WatchList]:
        """Every list, the highest priority first."""
        return self._lists.all()

    @needs(Permission.WRITE_PEOPLE)
    def make_list(self, caller: Caller, made: ListBody) -> WatchList:
        """Make a list."""
        return self._lists.make(caller, made.name, made.options())

    @needs(Permission.READ_PEOPLE)
    def show_list(self, caller: Caller, list_id: str) -> ListShown:
        """One list and who is on it."""
        return self._lists.show(caller, list_id)

    @needs(Permission.WRITE_PEOPLE)
    def change_list(self, caller: Caller, list_id: str, changed: ListBody) -> WatchList:
        """Rename a list, and set all that it is like; who is on it stays."""
        return self._lists.change(caller, list_id, changed.name, changed.options())

    @needs(Permission.WRITE_PEOPLE)
    def remove_list(self, caller: Caller, list_id: str) -> None:
        """End a list; who was on it stays enrolled."""
        self._lists.remove(caller, list_id)

    @needs(Permission.WRITE_PEOPLE)
    def put_member(self, caller: Caller, list_id: str, subject_id: str, member: MemberBody) -> ListShown:
        """Put somebody on a list, or say anew until when and why."""
        self._lists.put(caller, list_id, subject_id, member.expires_at, member.note)
        return self._lists.show(caller, list_id)

    @needs(Permission.WRITE_PEOPLE)
    def remove_member(self, caller: Caller, list_id: str, subject_id: str) -> None:
        """Take somebody off a list."""
        self._lists.take_off(caller, list_id, subject_id)

    def router(self) -> APIRouter:
        """All of them."""
        router = guarded_router(tags=["watch lists"], prefix="/lists")
        router.get("")(self.list_lists)
        router.post("", status_code=201)(self.make_list)
        router.get("/{list_id}")(self.show_list)
        router.put("/{list_id}")(self.change_list)
        router.delete("/{list_id}", status_code=204)(self.remove_list)
        router.put("/{list_id}/members/{subject_id}")(self.put_member)
        router.delete("/{list_id}/members/{subject_id}", status_code=204)(self.remove_member)
        return router
