"""Takes decisions into the evidence of alerts, each as often as it comes, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from gallery.tables import alert_hits
from pipeline.types import Outcome, Revision, Sighting
from workers.alerts.claims import Claim, digest, track_of
from workers.alerts.rules import Rule
from workers.alerts.visits import Cause, Visits

_LAST_PLACE = 1 << 40
_AT_ONCE = 500
_NEW_HIT = insert(alert_hits)
_SET_HIT = update(alert_hits).where(alert_hits.c.hit_id == bindparam("hit"))

HitKey = tuple[str, str, str]
"""Track, id of a rule, and what the rule takes the track for."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A decision with its times, and what it is to the rules.

    Attributes:
        sighting: The decision.
        first_at: ISO 8601 UTC of fixed width.
        last_at: Likewise.
        claims: What rules ask for and it is.
    """

    sighting: Sighting
    first_at: str
    last_at: str
    claims: Sequence[Claim]

    @property
    def place(self) -> int:
        """Which of the decisions about its track it is; the end comes after all others."""
        ended = self.sighting.revision is Revision.END
        return self.sighting.revision_number + (_LAST_PLACE if ended else 0)


def hits_of(connection: Connection, tracks: Sequence[str]) -> dict[HitKey, dict[str, Any]]:
    """What is known of tracks."""
    found: dict[HitKey, dict[str, Any]] = {}
    for start in range(0, len(tracks), _AT_ONCE):
        query = select(alert_hits).where(alert_hits.c.track.in_(tracks[start : start + _AT_ONCE]))
        for row in connection.execute(query).mappings():
            found[row["track"], row["rule_id"], row["claim"]] = dict(row)
    return found


def any_hits(connection: Connection, tracks: Sequence[str]) -> bool:
    """Whether any of these tracks is evidence."""
    parts = (tracks[start : start + _AT_ONCE] for start in range(0, len(tracks), _AT_ONCE))
    queries = (select(alert_hits.c.hit_id).where(alert_hits.c.track.in_(part)).limit(1) for part in parts)
    return any(connection.execute(query).first() is not None for query in queries)


class EvidenceOfTracks:
    """Puts decisions into evidence.

    Args:
        connection: The transaction.
        visits: What it makes of it.
        known: What there is of these tracks, see :func:`hits_of`.
        rules: Those that hold, by id.
    """

    def __init__(
        self,
        connection: Connection,
        visits: Visits,
        known: dict[HitKey, dict[str, Any]],
        rules: Mapping[str, Rule],
    ) -> None:
        self._connection, self._visits, self._known, self._rules = connection, visits, known, rules

    def take(self, seen: Seen) -> None:
        """One decision; one that came before changes nothing."""
        track = track_of(seen.sighting)
        claimed = {(track, claim.rule.id, claim.claim): claim for claim in seen.claims}
        for key, hit in list(self._known.items()):
            if key[0] == track and key not in claimed:
                self._take_back(hit, seen)
        for key, claim in claimed.items():
            self._put(key, claim, seen)

    def _put(self, key: HitKey, claim: Claim, seen: Seen) -> None:
        hit = self._known.get(key)
        if hit is not None and hit["place"] >= seen.place:
            return
        hit_id = digest(*key) if hit is None else hit["hit_id"]
        first_at, last_at = seen.first_at, seen.last_at
        if hit is not None:
            first_at, last_at = min(first_at, hit["first_at"]), max(last_at, hit["last_at"])
        before = None if hit is None else self._alert_of(hit_id)
        alert_id = self._visits.place(claim, hit_id, first_at, last_at, before)
        values = {
            "alert_id": alert_id,
            "who": claim.who,
            "first_at": first_at,
            "last_at": last_at,
            "live": True,
            "place": seen.place,
            "decision_id": seen.sighting.decision_id,
            "outcome": seen.sighting.outcome,
            "similarity": seen.sighting.similarity,
        }
        self._keep(key, hit_id, hit, values, seen)
        cause = Cause(told(seen.sighting, claim), last_at, seen.sighting.camera_id)
        self._visits.settle(alert_id, claim.rule, cause)

    def _alert_of(self, hit_id: str) -> str:
        """Asked anew each time: what came between may have made two alerts one."""
        query = select(alert_hits.c.alert_id).where(alert_hits.c.hit_id == hit_id)
        return str(self._connection.execute(query).scalar_one())

    def _keep(
        self, key: HitKey, hit_id: str, hit: dict[str, Any] | None, values: dict[str, Any], seen: Seen
    ) -> None:
        if hit is None:
            track, rule_id, claim = key
            camera_id = seen.sighting.camera_id
            values = {
                **values, "hit_id": hit_id, "rule_id": rule_id, "claim": claim, "track": track,
                "camera_id": camera_id,
            }  # fmt: skip
            self._connection.execute(_NEW_HIT, values)
            self._known[key] = values
            return
        self._connection.execute(_SET_HIT, {"hit": hit_id, **values})
        hit.update(values)

    def _take_back(self, hit: dict[str, Any], seen: Seen) -> None:
        """What an earlier decision about the track said, and this one does not say any more."""
        rule = self._rules.get(hit["rule_id"])
        if rule is None or not hit["live"] or hit["place"] >= seen.place:
            return  # of a rule that is gone or rests, alerts stay as they are
        mine = alert_hits.c.hit_id == hit["hit_id"]
        changed = {"live": False, "place": seen.place}
        self._connection.execute(update(alert_hits).where(mine).values(**changed))
        cause = Cause(_why_not(hit, seen.sighting), seen.last_at, seen.sighting.camera_id)
        hit.update(changed)
        self._visits.settle(self._alert_of(hit["hit_id"]), rule, cause)


def told(sighting: Sighting, claim: Claim) -> str:
    """Why an alert was raised, without a name."""
    suspected = sighting.outcome is Outcome.SUSPECTED_ATTACK
    said = str(sighting.outcome).replace("_", " ")
    if suspected and claim.subject_id is not None:
        said = "suspected attack; the nearest person is one that this rule asks for"
    if sighting.similarity is None:
        return said
    return f"{said}, similarity {sighting.similarity:.3f}"


def _why_not(hit: Mapping[str, Any], sighting: Sighting) -> str:
    subject_id = sighting.subject_id or sighting.candidate_id
    same = hit["outcome"] == sighting.outcome and hit["claim"] in (subject_id, sighting.outcome)
    if same:
        return "the rule or its watch list was changed meanwhile"
    if sighting.outcome is Outcome.KNOWN:
        return "the track is somebody else, as more of it shows"
    said = str(sighting.outcome).replace("_", " ")
    return f"the track is {said}, as more of it shows: {sighting.reason}"
