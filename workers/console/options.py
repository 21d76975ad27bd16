"""What a console is made of, and how it behaves."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry

from audit.crops import CropStore
from audit.erase import Eraser
from audit.recording.library import Recordings
from gallery.database import Database
from gallery.enroll import Enroller
from gallery.lists import WatchLists
from gallery.store import GalleryStore
from pipeline.seams import Clock
from pipeline.types import Thresholds
from workers.alerts.engine import Changed, nobody_waits
from workers.console.access.origins import Origins
from workers.console.access.passwords import HashCost
from workers.console.access.record import AppendsRecords, Changes, RecordAccess
from workers.console.access.sessions import SessionTimes
from workers.console.gauge.parts import GaugeParts
from workers.console.health.site import Site
from workers.console.oidc.options import OidcOptions
from workers.console.people.uploads import UploadLimits
from workers.live.hub import LiveHub


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
        registry: What Prometheus is told; every part puts its collectors in.
        ledger: Takes verdicts; ``None`` where none is kept.
        crops: The faces behind decisions; ``None`` where none are kept.
        recordings: Kept footage; ``None`` where none is.
        make_eraser: Erases people for good; ``None``: not from here.
        site: The installation; ``None``: nothing is shown of it.
        hub: What is seen now.
        gauge: How the robustness gauge is set up.
        alerts_changed: Told of alerts that users changed.
    """

    database: Database
    gallery: GalleryStore
    lists: WatchLists
    make_enroller: Callable[[], Enroller]
    thresholds: Callable[[], Thresholds]
    record: RecordAccess
    changes: Changes
    clock: Clock
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    ledger: AppendsRecords | None = None
    crops: CropStore | None = None
    recordings: Recordings | None = None
    make_eraser: Callable[[], Eraser] | None = None
    site: Site | None = None
    hub: LiveHub = field(default_factory=functools.partial(LiveHub, time.time_ns))
    gauge: GaugeParts = field(default_factory=GaugeParts)
    alerts_changed: Changed = nobody_waits


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
        blur_unknown: Faces of people who were not named are blurred for whoever may not give verdicts.
        oidc: The identity provider through which users come in; ``None``: there is none.
        live_check_s: How often it is checked whether whoever watches the wall still may.
    """

    origins: Origins
    time_zone: str = "UTC"
    trusted_proxy: str | None = None
    times: SessionTimes = field(default_factory=SessionTimes)
    limits: UploadLimits = field(default_factory=UploadLimits)
    hash_cost: HashCost = field(default_factory=HashCost)
    blur_unknown: bool = False
    oidc: OidcOptions | None = None
    live_check_s: float = 15.0
