"""The gauge for pages and API alike; each look at a canary's data is recorded first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gallery.database import Database
from gallery.times import utc_text_from_ns
from gallery.vision import Vision
from pipeline.errors import UsageError
from pipeline.seams import Clock
from workers.canary.alarm import Alarm, AlarmStore
from workers.canary.consent import make_consent
from workers.canary.door import Given, cut_photos
from workers.canary.history import History, Mark, Point, Step
from workers.canary.limits import limits_of
from workers.canary.records import Canary, Run, RunState
from workers.canary.runs import RunStore
from workers.canary.store import CanaryStore, encode_crop
from workers.canary.watchdog import Watchdog
from workers.console.access.principal import Principal
from workers.console.access.record import RecordAccess
from workers.console.gauge.figures import Figure, Row, beside, headline, rows
from workers.console.gauge.parts import GaugeParts

MAX_DAYS = 366
ALARMS = 10


@dataclass(frozen=True, slots=True)
class GaugeNow:
    """What the defence is worth now.

    Attributes:
        figures: The four that matter most; empty where nothing was measured lately.
        beside: Stronger attackers, and how often an attack is suspected.
        rows: Everything, condition by condition.
        alarms: Given now.
        circumstances: Models, thresholds, gallery, attack and seed of the newest run that was done.
        runs: How many the numbers are of.
        window_hours: Within how long.
        last: The newest run, whatever became of it.
        canaries: How many people; `probes` how many faces can be attacked.
    """

    figures: list[Figure]
    beside: list[Figure]
    rows: list[Row]
    alarms: list[Alarm]
    circumstances: dict[str, Any] | None
    runs: int
    window_hours: float
    last: Run | None
    last_done: Run | None
    canaries: int
    probes: int


@dataclass(frozen=True, slots=True)
class GaugeHistory:
    """How it went: points oldest first, changes of what they depend on, and the last alarms, newest first."""

    points: list[Point]
    marks: list[Mark]
    alarms: list[Alarm]


class Gauge:
    """The gauge behind the console.

    Args:
        database: Where everything is.
        parts: How it is set up.
        vision: Finds faces in photographs; networks are loaded when the first is given.
        record: Told who did what to whom.
        clock: Time.
    """

    def __init__(
        self,
        database: Database,
        parts: GaugeParts,
        vision: Callable[[], Vision],
        record: RecordAccess,
        clock: Clock,
    ) -> None:
        self._vision, self._record, self._clock, self._parts = vision, record, clock, parts
        now_ns = clock.now_ns
        self._canaries = CanaryStore(database, now_ns)
        self.runs, self.alarms = RunStore(database, now_ns), AlarmStore(database, now_ns)
        self._history = History(database)
        settings = parts.settings
        self.watchdog = Watchdog(self.runs, self.alarms, limits_of(settings), settings.window_hours, now_ns)

    @property
    def can_ask(self) -> bool:
        """Whether something measures beside this console."""
        return self._parts.ask is not None

    def now(self) -> GaugeNow:
        """The numbers of now: of nobody in particular."""
        now, people = self.watchdog.now(), self._canaries.all()
        of = None if now.newest is None else now.newest.circumstances
        numbers = now.numbers
        return GaugeNow(
            figures=[] if numbers is None or of is None else headline(numbers, of),
            beside=[] if numbers is None or of is None or not numbers.purified else beside(numbers, of),
            rows=[] if numbers is None else rows(numbers),
            alarms=self.alarms.given(),
            circumstances=None if of is None else asdict(of),
            runs=now.runs,
            window_hours=self._parts.settings.window_hours,
            last=self.runs.last(),
            last_done=self.runs.last(RunState.DONE),
            canaries=len(people),
            probes=sum(canary.probes for canary in people),
        )

    def history(self, days: int, step: Step) -> GaugeHistory:
        """The last `days`."""
        since = utc_text_from_ns(self._clock.now_ns() - days * 24 * 3600 * 1_000_000_000)
        return GaugeHistory(
            self._history.points(since, step), self._history.marks(since, step), self.alarms.history(ALARMS)
        )

    def ask(self, principal: Principal) -> None:
        """Have it measure soon.

        Raises:
            UsageError: nothing measures beside this console, or there is nobody to attack.
        """
        if self._parts.ask is None:
            raise UsageError("nothing measures beside this console: `pinwatch canary run` does")
        if not self._canaries.probes():
            raise UsageError("there are no canaries to attack: take somebody in first")
        self._record(principal.who, "robustness measured", ())
        self._parts.ask(principal.name)

    def canaries(self, principal: Principal) -> list[Canary]:
        """Who lets their face be attacked."""
        found = self._canaries.all()
        self._record(principal.who, "canaries listed", [canary.id for canary in found])
        return found

    def canary(self, principal: Principal, canary_id: str) -> Canary:
        """One of them. Raises ``SubjectNotFound``."""
        found = self._canaries.get(canary_id)
        self._record(principal.who, "canary shown", [found.id])
        return found

    def photo(self, principal: Principal, canary_id: str, photo_id: str) -> bytes:
        """A kept face, as PNG. Raises ``SubjectNotFound``."""
        crop = self._canaries.crop(canary_id, photo_id)
        self._record(principal.who, "canary's photograph shown", [canary_id])
        return encode_crop(crop)

    def add(
        self, principal: Principal, name: str, consent: str, until: dt.date, photos: Sequence[Given]
    ) -> Canary:
        """Take somebody in, whose words of consent are kept with who took them down.

        Raises:
            UsageError: there are no words, the end has been, or the photographs are too few.
            ImageError: one of them shows no face that can be used.
            SubjectExists: there is a canary of that name.
        """
        self._record(principal.who, "canary being taken in", ())
        agreed = make_consent(consent, principal.name, self._clock.now_ns(), until)
        added = self._canaries.add(name, agreed, cut_photos(photos, self._vision()))
        self._record(principal.who, f"canary taken in until {agreed.until}", [added.id])
        return added

    def remove(self, principal: Principal, canary_id: str) -> None:
        """Delete somebody and all their faces. Raises ``SubjectNotFound``."""
        found = self._canaries.get(canary_id)
        self._record(principal.who, "canary removed", [found.id])
        self._canaries.remove(found.id)
