"""Raises, revises and withdraws alerts while decisions come in: a sink like any other."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from sqlalchemy import Connection

from gallery.database import Database
from gallery.times import parse_time, utc_text
from pipeline.types import Sighting
from workers.alerts.changing import raise_version
from workers.alerts.claims import Asking, track_of
from workers.alerts.evidence import EvidenceOfTracks, Seen, any_hits, hits_of
from workers.alerts.membership import Membership, group_of
from workers.alerts.rule_store import CurrentRules
from workers.alerts.rules import Rule
from workers.alerts.visits import Visits

Changed = Callable[[frozenset[str]], None]
"""Told the ids of alerts that are new or were changed, when that is durable."""


def nobody_waits(changed: frozenset[str]) -> None:
    """Where nobody waits for it."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What a look at the database told of a batch; `matters`: there may be something to write."""

    rules: Sequence[Rule]
    seen: Sequence[Seen]
    tracks: Sequence[str]
    matters: bool


class AlertEngine:
    """Takes decisions in every revision; one thread at a time.

    The same decisions give the same alerts, however often they come and whatever cameras come first, as long
    as each camera's come in order. A batch is one transaction; most concern no rule and write nothing.

    Args:
        database: Where alerts are kept; also by other processes.
        zone: Of the clocks that schedules go by.
        now_ns: Wall-clock time, nanoseconds since 1970 UTC.
        on_change: Told of what is new.
        untimed_start_ns: When footage that knows no wall time is taken to begin; ``None``: it raises nothing.
    """

    def __init__(
        self,
        database: Database,
        zone: tzinfo,
        *,
        now_ns: Callable[[], int],
        on_change: Changed = nobody_waits,
        untimed_start_ns: int | None = None,
    ) -> None:
        self._database, self._zone, self._now_ns = database, zone, now_ns
        self._on_change, self._untimed_start_ns = on_change, untimed_start_ns
        self._rules, self._membership = CurrentRules(), Membership()

    def write(self, sightings: Sequence[Sighting]) -> None:
        """See :class:`workers.steps.SightingSink`.

        Raises:
            StorageError: it cannot be written; nothing of the batch was.
        """
        timed = list(self._timed(sightings))
        if not timed:
            return
        found = self._look(timed)
        if not found.matters:
            return
        changed = self._take(found)
        if changed:
            self._on_change(changed)

    def _timed(self, sightings: Sequence[Sighting]) -> Iterator[tuple[Sighting, datetime, datetime]]:
        for sighting in sightings:
            if sighting.first_seen_at is not None and sighting.last_seen_at is not None:
                yield sighting, parse_time(sighting.first_seen_at), parse_time(sighting.last_seen_at)
            elif self._untimed_start_ns is not None:
                start = datetime.fromtimestamp(self._untimed_start_ns / 1e9, UTC)
                first = start + timedelta(seconds=sighting.first_seen_s)
                yield sighting, first, start + timedelta(seconds=sighting.last_seen_s)

    def _look(self, timed: Sequence[tuple[Sighting, datetime, datetime]]) -> _Found:
        with self._database.read() as connection:
            rules = self._rules.on(connection)
            asking = self._asking(connection, rules)
            seen = [
                Seen(sighting, utc_text(first), utc_text(last), tuple(asking.claims(sighting, first, last)))
                for sighting, first, last in timed
            ]
            tracks = sorted({track_of(sighting) for sighting, *_ in timed})
            matters = any(one.claims for one in seen) or any_hits(connection, tracks)
            return _Found(rules, seen, tracks, matters)

    def _asking(self, connection: Connection, rules: Sequence[Rule]) -> Asking:
        def on_list(list_id: str, subject_id: str, epoch: int) -> bool:
            return (list_id, subject_id) in self._membership.at(connection, epoch)

        return Asking(rules, on_list, functools.partial(group_of, connection), self._zone)

    def _take(self, found: _Found) -> frozenset[str]:
        with self._database.write() as connection:
            visits = Visits(connection, raise_version(connection), self._now_ns())
            rules = {rule.id: rule for rule in found.rules}
            known = hits_of(connection, found.tracks)
            evidence = EvidenceOfTracks(connection, visits, known, rules)
            for seen in found.seen:
                evidence.take(seen)
            return frozenset(visits.changed)
