"""When the gauge gives an alarm, since when, and until when."""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, insert, select, update

from gallery.database import Database
from gallery.tables import canary_alarms
from gallery.times import utc_text_from_ns
from pipeline.robustness.threat import ThreatModel
from workers.canary.alone import alone
from workers.canary.numbers import Numbers, Share


class AlarmKind(enum.StrEnum):
    """About what."""

    ATTACKED = "attacked"
    """Too little is left under attack, behind the purifier."""
    CLEAN = "clean"
    """Too few are named whom nobody attacked."""
    FALLING = "falling"
    """Fewer than before."""


@dataclass(frozen=True, slots=True)
class AlarmLimits:
    """From where on; shares.

    Attributes:
        attacked: Accuracy under attack behind the purifier (T2a), or without one where there is none.
        clean: Accuracy without an attack.
    """

    attacked: float
    clean: float


@dataclass(frozen=True, slots=True)
class Alarm:
    """It is given since, and was given until; ``None``: it is still."""

    kind: AlarmKind
    since: str
    until: str | None
    detail: str


def due_alarms(now: Numbers, before: Numbers | None, limits: AlarmLimits) -> dict[AlarmKind, str]:
    """What there is to give an alarm about, and why in one sentence.

    An interval's upper end must be below the limit: a handful of unlucky probes gives none.

    Args:
        now: Measured lately.
        before: Measured earlier in the same way; ``None`` where nothing was.
        limits: See there.
    """
    purified = now.purified
    attacked, clean = now.attacked(ThreatModel.EMBEDDER, purified), now.clean(purified)
    found: dict[AlarmKind, str] = {}
    if purified and attacked is not None and attacked.interval.high < limits.attacked:
        found[AlarmKind.ATTACKED] = _below("under attack", attacked, limits.attacked)
    if clean is not None and clean.interval.high < limits.clean:
        found[AlarmKind.CLEAN] = _below("without an attack", clean, limits.clean)
    earlier = None if before is None else before.clean(purified)
    if clean is not None and earlier is not None and clean.interval.high < earlier.interval.low:
        found[AlarmKind.FALLING] = (
            f"accuracy without an attack fell from {_words(earlier)} to {_words(clean)}"
        )
    return found


def _below(when: str, share: Share, limit: float) -> str:
    return f"accuracy {when} is {_words(share)}, below {limit:.0%}"


def _words(share: Share) -> str:
    interval = share.interval
    return f"{share.value:.0%} (95 % interval {interval.low:.0%} to {interval.high:.0%}, n {share.n})"


class AlarmStore:
    """Alarms that are and were given.

    Args:
        database: Where.
        now_ns: Wall-clock time, nanoseconds since 1970 UTC.
    """

    def __init__(self, database: Database, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._database, self._now_ns = database, now_ns

    def settle(self, due: Mapping[AlarmKind, str]) -> None:
        """Begin and end alarms so that just those that are `due` are given; what they say is kept up."""
        now = utc_text_from_ns(self._now_ns())
        given = canary_alarms.c.until.is_(None)
        with self._database.write() as connection:
            alone(connection, canary_alarms)
            before = set(connection.execute(select(canary_alarms.c.kind).where(given)).scalars())
            for kind in before - set(due):
                own = canary_alarms.c.kind == kind
                connection.execute(update(canary_alarms).where(given, own).values(until=now))
            for kind, detail in due.items():
                own = canary_alarms.c.kind == kind
                if kind in before:
                    connection.execute(update(canary_alarms).where(given, own).values(detail=detail))
                else:
                    row = {"kind": kind, "since": now, "until": None, "detail": detail}
                    connection.execute(insert(canary_alarms).values(row))

    def given(self) -> list[Alarm]:
        """Those that are given now, the oldest first."""
        wanted = select(canary_alarms).where(canary_alarms.c.until.is_(None)).order_by(canary_alarms.c.id)
        with self._database.read() as connection:
            return [_alarm(row) for row in connection.execute(wanted)]

    def history(self, count: int) -> list[Alarm]:
        """The last ones, the newest first."""
        wanted = select(canary_alarms).order_by(canary_alarms.c.id.desc()).limit(count)
        with self._database.read() as connection:
            return [_alarm(row) for row in connection.execute(wanted)]


def _alarm(row: Row[Any]) -> Alarm:
    return Alarm(AlarmKind(row.kind), row.since, row.until, row.detail)
