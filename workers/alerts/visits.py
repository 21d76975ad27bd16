"""One alert a visit: puts evidence together that is close in time, and sees whether the alert still stands.

Evidence only ever comes in and grows longer; what is taken back stays where it was, and counts no more. So
visits only ever come together, and which there are in the end does not depend on the order in which cameras
told of them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, case, func, insert, select, update

from gallery.tables import alert_hits, alerts
from gallery.times import parse_time, utc_text
from pipeline.types import Outcome
from workers.alerts.changing import Waiting, add_event, alert_row, put_out, set_alert
from workers.alerts.claims import Claim, digest
from workers.alerts.records import TOLD_ELSEWHERE, Happened, State
from workers.alerts.rules import Rule

_SAME = "it is the same visit as an earlier alert"

# Put together once: that takes longer than to carry them out.
_NEAR = (
    select(alert_hits.c.alert_id)
    .where(
        alert_hits.c.rule_id == bindparam("rule"),
        alert_hits.c.who == bindparam("of"),
        alert_hits.c.last_at >= bindparam("since"),
        alert_hits.c.first_at <= bindparam("until"),
        alert_hits.c.hit_id != bindparam("but"),
    )
    .distinct()
)
_FOUND = insert(alerts)
_STANDS = alert_hits.c.live.is_(True)
_ATTACKED = _STANDS & (alert_hits.c.outcome == Outcome.SUSPECTED_ATTACK)
_SUM = select(
    func.min(alert_hits.c.first_at).label("first_at"),
    func.max(alert_hits.c.last_at).label("last_at"),
    func.sum(case((_STANDS, 1), else_=0)).label("live"),
    func.sum(case((_ATTACKED, 1), else_=0)).label("suspected"),
).where(alert_hits.c.alert_id == bindparam("alert"))


@dataclass(frozen=True, slots=True)
class Cause:
    """What changed the evidence of an alert.

    Attributes:
        why: In words.
        at: When, ISO 8601 UTC.
        camera_id: Where; ``None`` where it is no matter of a camera.
    """

    why: str
    at: str
    camera_id: str | None


class Visits:
    """Alerts that one transaction changes.

    Args:
        connection: The transaction; it holds the lock of :func:`raise_version`.
        version: Of these changes.
        now_ns: When they are made; for the outbox only.
    """

    def __init__(self, connection: Connection, version: int, now_ns: int) -> None:
        self._connection, self._version, self._now_ns = connection, version, now_ns
        self.changed: set[str] = set()

    def place(self, claim: Claim, hit_id: str, first_at: str, last_at: str, alert_id: str | None) -> str:
        """The alert that evidence belongs to; a new one where there is none.

        Args:
            claim: What it is evidence of.
            hit_id: Its own id.
            first_at: ISO 8601 UTC.
            last_at: Likewise.
            alert_id: Where it is until now, if anywhere.
        """
        found = self._neighbours(claim, hit_id, first_at, last_at)
        if alert_id is not None:
            found.add(alert_id)
        if not found:
            return self._found_one(claim, hit_id, first_at, last_at)
        kept, *others = self._oldest_first(found)
        for other in others:
            self._merge(other, kept, claim.rule, last_at)
        return kept

    def _neighbours(self, claim: Claim, hit_id: str, first_at: str, last_at: str) -> set[str]:
        gap = timedelta(seconds=claim.rule.cooldown_s)
        given = {
            "rule": claim.rule.id,
            "of": claim.who,
            "since": utc_text(parse_time(first_at) - gap),
            "until": utc_text(parse_time(last_at) + gap),
            "but": hit_id,
        }
        return set(self._connection.execute(_NEAR, given).scalars())

    def _oldest_first(self, alert_ids: Collection[str]) -> list[str]:
        if len(alert_ids) == 1:
            return list(alert_ids)
        query = (
            select(alerts.c.alert_id)
            .where(alerts.c.alert_id.in_(alert_ids))
            .order_by(alerts.c.first_at, alerts.c.alert_id)
        )
        return list(self._connection.execute(query).scalars())

    def _found_one(self, claim: Claim, hit_id: str, first_at: str, last_at: str) -> str:
        rule, alert_id = claim.rule, digest("alert", hit_id)
        values = {
            "alert_id": alert_id,
            "rule_id": rule.id,
            "rule_name": rule.name,
            "kind": rule.when.kind,
            "severity": rule.severity,
            "urgency": rule.severity.urgency,
            "sound": rule.sound,
            "subject_id": claim.subject_id,
            "state": State.OPEN,
            "standing": False,
            "reason": "",
            "suspected": False,
            "turn": 0,
            "first_at": first_at,
            "last_at": last_at,
            "version": self._version,
        }
        self._connection.execute(_FOUND, values)
        return alert_id

    def _merge(self, alert_id: str, into: str, rule: Rule, at: str) -> None:
        """Make an alert a part of another one; whoever was put in charge of it stays in charge."""
        moved = alert_hits.c.alert_id == alert_id
        self._connection.execute(update(alert_hits).where(moved).values(alert_id=into))
        earlier = alerts.c.merged_into == alert_id
        self._connection.execute(update(alerts).where(earlier).values(merged_into=into))
        part, whole = self._row(alert_id), self._row(into)
        turn = part["turn"] + 1
        values = {"merged_into": into, "standing": False, "reason": _SAME, "turn": turn}
        set_alert(self._connection, alert_id, **values, version=self._version)
        if whole["assigned_to"] is None and part["assigned_to"] is not None:
            set_alert(self._connection, into, assigned_to=part["assigned_to"])
        self.changed.add(alert_id)
        self._tell(alert_id, Happened.MERGED, turn, rule, Cause(_SAME, at, None))

    def settle(self, alert_id: str, rule: Rule, cause: Cause) -> None:
        """See how an alert stands after its evidence was changed.

        Args:
            alert_id: Which.
            rule: Its rule.
            cause: What changed.
        """
        row, sum_of = self._row(alert_id), self._sum(alert_id)
        stands, suspected = bool(sum_of["live"]), bool(sum_of["suspected"])
        values: dict[str, Any] = {
            "first_at": sum_of["first_at"],
            "last_at": sum_of["last_at"],
            "suspected": suspected,
            "version": self._version,
        }
        happened = None
        if stands and not row["standing"]:
            happened = Happened.RAISED if row["turn"] == 0 else Happened.RAISED_AGAIN
            values |= {"standing": True, "reason": "", "turn": row["turn"] + 1, "state": State.OPEN}
        elif row["standing"] and not stands:
            happened = Happened.WITHDRAWN
            values |= {"standing": False, "reason": cause.why, "turn": row["turn"] + 1}
        elif suspected and not row["suspected"]:
            happened = Happened.SUSPECTED
        set_alert(self._connection, alert_id, **values)
        self.changed.add(alert_id)
        if happened is not None:
            self._tell(alert_id, happened, values.get("turn", 0), rule, cause)

    def _tell(self, alert_id: str, happened: Happened, turn: int, rule: Rule, cause: Cause) -> None:
        camera_id = cause.camera_id
        add_event(self._connection, alert_id, cause.at, happened, cause.why, camera_id=camera_id)
        if happened in TOLD_ELSEWHERE:
            waiting = Waiting(alert_id, turn, happened, self._now_ns)
            put_out(self._connection, waiting, rule.deliveries)

    def _row(self, alert_id: str) -> RowMapping:
        row = alert_row(self._connection, alert_id)
        assert row is not None, alert_id
        return row

    def _sum(self, alert_id: str) -> RowMapping:
        """Over all evidence of an alert."""
        return self._connection.execute(_SUM, {"alert": alert_id}).mappings().one()
