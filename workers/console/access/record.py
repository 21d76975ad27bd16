"""Who looked at whose data, and who changed it: what is recorded, and where."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from audit.ledger.entries import Kind

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Who:
    """Who did something.

    Attributes:
        user_id: Of the user; ``None`` where nobody was logged in.
        token_id: Of the token that acted for them.
        address: Where they came from.
        name: Of the user, for people.
    """

    user_id: str | None
    token_id: str | None
    address: str
    name: str = ""

    @property
    def by(self) -> str:
        """As records of other parts of the program name who did something."""
        return f"{self.name or 'nobody logged in'} (console)"


RecordAccess = Callable[[Who, str, Collection[str]], None]
"""Told who did what, and to the data of which subjects, before they see anything of it."""


class AppendsRecords(Protocol):
    """The ledger; ``audit.ledger.writer.Ledger`` is one."""

    def append(self, kind: Kind, fields: Mapping[str, Any]) -> None: ...


class LedgerRecord:
    """Records access in the ledger; it raises ``StorageError`` where it cannot, and nothing is shown then.

    Args:
        ledger: Where to.
    """

    def __init__(self, ledger: AppendsRecords) -> None:
        self._ledger = ledger

    def __call__(self, who: Who, what: str, subject_ids: Collection[str]) -> None:
        fields = {
            "what": what,
            "subjects": sorted(set(subject_ids)),
            "by": who.by,
            "user_id": who.user_id,
            "token_id": who.token_id,
            "address": who.address,
        }
        self._ledger.append(Kind.ACCESS, fields)


def record_in_log(who: Who, what: str, subject_ids: Collection[str]) -> None:
    """Where there is no ledger."""
    log.info("access", user_id=who.user_id, address=who.address, what=what, subjects=sorted(set(subject_ids)))


class Changes:
    """Records changes of the gallery with the user who makes them.

    The gallery tells what was changed, in the thread that changes it; who does so is said around it.

    Args:
        ledger: Where to; ``None``: nowhere.
    """

    def __init__(self, ledger: AppendsRecords | None) -> None:
        self._ledger = ledger
        self._here = threading.local()

    @contextmanager
    def by(self, who: Who) -> Iterator[None]:
        """Within, what this thread changes is changed by `who`."""
        self._here.who = who
        try:
            yield
        finally:
            self._here.who = None

    def changed(self, what: str, subject_ids: Collection[str], epoch: int) -> None:
        """See :data:`gallery.changes.Changed`."""
        if self._ledger is None:
            return
        who: Who | None = getattr(self._here, "who", None)
        by = "console" if who is None else who.by
        fields = {"what": what, "subjects": sorted(subject_ids), "gallery_epoch": epoch, "by": by}
        self._ledger.append(Kind.GALLERY, fields)
