"""What a console is made of, and how it behaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from gallery.database import Database
from gallery.enroll import Enroller
from gallery.lists import WatchLists
from gallery.store import GalleryStore
from pipeline.seams import Clock
from pipeline.types import Thresholds
from workers.console.access.origins import Origins
from workers.console.access.passwords import HashCost
from workers.console.access.record import Changes, RecordAccess
from workers.console.access.sessions import SessionTimes
from workers.console.people.uploads import UploadLimits


@dataclass(frozen=True, slots=True)
class ConsoleParts:
    """What the console works on.

    Attributes:
        database: Where everything is.
        gallery: Who is enrolled.
        lists: Watch lists.
        make_enroller: Loads the networks when somebody is first enrolled.
        thresholds: Those in force.
        record: Told who looked at whose data.
        changes: Told by `gallery` and `lists` what was changed.
        clock: Time.
    """

    database: Database
    gallery: GalleryStore
    lists: WatchLists
    make_enroller: Callable[[], Enroller]
    thresholds: Callable[[], Thresholds]
    record: RecordAccess
    changes: Changes
    clock: Clock


@dataclass(frozen=True, slots=True)
class ConsoleOptions:
    """How it behaves.

    Attributes:
        origins: Where browsers find it.
        time_zone: In which times are shown.
        trusted_proxy: Address whose word is taken for where requests come from; ``None``: nobody's.
        times: How long sessions last.
        limits: Of uploads.
        hash_cost: Of passwords.
    """

    origins: Origins
    time_zone: str = "UTC"
    trusted_proxy: str | None = None
    times: SessionTimes = field(default_factory=SessionTimes)
    limits: UploadLimits = field(default_factory=UploadLimits)
    hash_cost: HashCost = field(default_factory=HashCost)
