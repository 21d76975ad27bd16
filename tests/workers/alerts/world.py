"""Decisions as the pipeline makes them, and an engine that takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from gallery.database import Database
from pipeline.types import Outcome, Revision, Sighting
from tests.workers.console.world import make_sighting
from workers.alerts.engine import AlertEngine
from workers.alerts.reading import AlertFilter, AlertStore
from workers.alerts.records import Alert, Happened, State
from workers.alerts.rule_store import RuleStore
from workers.alerts.rules import Kind, Rule, When
from workers.sighting import decision_id, key_of

START = datetime(2025, 1, 31, 8, 0, tzinfo=UTC)
EVERYTHING = tuple(State)


def at(seconds: float) -> str:
    """So long after the start, as decisions carry it."""
    moment = START + timedelta(seconds=seconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Track:
    """One face in front of one camera, and what is decided about it as it goes on."""

    camera_id: str = "gate"
    number: int = 1
    start_s: float = 0.0
    run_id: str = "run"

    def says(
        self,
        revision: int,
        who: str | None,
        *,
        outcome: Outcome | None = None,
        until_s: float | None = None,
        end: bool = False,
        **changed: Any,
    ) -> Sighting:
        """A decision: `who` is the subject, or nobody; of a suspected attack the candidate."""
        attacked = outcome is Outcome.SUSPECTED_ATTACK
        outcome = outcome or (Outcome.UNKNOWN if who is None else Outcome.KNOWN)
        last_s = self.start_s + (revision + 1.0 if until_s is None else until_s)
        kind = Revision.END if end else Revision.UPDATE if revision else Revision.NEW
        sighting = make_sighting(
            run_id=self.run_id,
            revision=kind,
            revision_number=revision,
            camera_id=self.camera_id,
            track_id=self.number,
            outcome=outcome,
            subject_id=None if attacked else who,
            candidate_id=who,
            similarity=None if who is None else 0.8,
            first_seen_at=at(self.start_s),
            last_seen_at=at(last_s),
            **changed,
        )
        return replace(sighting, decision_id=decision_id(self.run_id, key_of(sighting), kind, revision))


class Desk:
    """An engine over a database, with what it raised."""

    def __init__(self, database: Database, **options: Any) -> None:
        self.database = database
        self.rules, self.store = RuleStore(database), AlertStore(database)
        self.changed: list[frozenset[str]] = []
        self.options = {
            "now_ns": lambda: 1_700_000_000_000_000_000,
            "on_change": self.changed.append,
            **options,
        }
        self.engine = self.another()

    def another(self) -> AlertEngine:
        """As another process would have it."""
        return AlertEngine(self.database, UTC, **self.options)

    def rule(self, name: str = "anybody", when: When | None = None, **changed: Any) -> Rule:
        return self.rules.add(Rule("", name, when or When(Kind.KNOWN), **changed))

    def take(self, *sightings: Sighting) -> None:
        self.engine.write(sightings)

    def alerts(self, *states: State) -> list[Alert]:
        return self.store.find(AlertFilter(states=states), None, 0, 1000)

    def only(self) -> Alert:
        (alert,) = self.alerts()
        return alert

    def history(self, alert: Alert) -> list[Happened]:
        return [event.kind for event in self.store.events(alert.id, None)]


def content(alerts: Sequence[Alert]) -> list[tuple[Any, ...]]:
    """What alerts say, whatever their ids: parts of others say nothing."""
    return sorted(
        (
            alert.rule,
            alert.subject_id or "",
            alert.state is State.WITHDRAWN,
            alert.suspected,
            alert.first_at,
            alert.last_at,
            alert.sightings,
            sorted(
                (hit.camera_id, hit.first_at, hit.last_at, hit.live, hit.decision_id) for hit in alert.hits
            ),
        )
        for alert in alerts
        if alert.state is not State.MERGED
    )
