"""What raises an alert, what is one visit, and what is withdrawn."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gallery.database import Database
from gallery.lists import WatchLists
from gallery.store import GalleryStore
from gallery.tables import sighting_faces, subjects, unknown_groups
from pipeline.types import Outcome
from tests.workers.alerts.world import EVERYTHING, START, Desk, Track, at
from workers.alerts.handling import By, Handling
from workers.alerts.records import Happened, State
from workers.alerts.rules import Kind, When
from workers.alerts.schedule import parse_schedule

ADA, BO = "a" * 16, "b" * 16


def put_subject(database: Database, subject_id: str) -> None:
    with database.write() as connection:
        values = {"id": subject_id, "name": subject_id, "created_at": "2025", "epoch_added": 0}
        connection.execute(subjects.insert().values(**values))


def test_a_person_who_is_enrolled_raises_an_alert_with_its_evidence(desk: Desk) -> None:
    desk.rule(sound=True)
    first = Track().says(0, ADA)
    desk.take(first)
    alert = desk.only()
    assert (alert.state, alert.subject_id, alert.camera, alert.sightings) == (State.OPEN, ADA, "gate", 1)
    assert [hit.decision_id for hit in alert.hits] == [first.decision_id]
    assert desk.changed == [{alert.id}]
    assert desk.history(alert) == [Happened.RAISED]


def test_a_track_that_goes_on_renews_its_evidence(desk: Desk) -> None:
    desk.rule()
    desk.take(Track().says(0, ADA))
    end = Track().says(1, ADA, until_s=30, end=True)
    desk.take(end)
    alert = desk.only()
    assert [(hit.decision_id, hit.last_at[11:19]) for hit in alert.hits] == [(end.decision_id, "08:00:30")]
    assert desk.history(alert) == [Happened.RAISED]


def test_named_first_and_then_unknown_is_withdrawn_with_the_reason(desk: Desk) -> None:
    desk.rule()
    desk.take(Track().says(0, ADA))
    desk.take(Track().says(1, None, reason="votes 0.2"))
    alert = desk.only()
    assert alert.state is State.WITHDRAWN
    assert alert.sightings == 0
    assert alert.reason == "the track is unknown, as more of it shows: votes 0.2"
    desk.take(Track().says(2, ADA, end=True))
    assert desk.history(desk.only()) == [Happened.RAISED, Happened.WITHDRAWN, Happened.RAISED_AGAIN]
    assert desk.only().state is State.OPEN


def test_another_person_is_another_alert(desk: Desk) -> None:
    desk.rule()
    desk.take(Track().says(0, ADA), Track().says(1, BO))
    (stands,) = desk.alerts(State.OPEN)
    (gone,) = desk.alerts(State.WITHDRAWN)
    assert (stands.subject_id, gone.subject_id) == (BO, ADA)
    assert gone.reason == "the track is somebody else, as more of it shows"


def test_one_visit_is_one_alert_over_cameras(desk: Desk) -> None:
    desk.rule(cooldown_s=300)
    desk.take(Track("gate", 1, 0).says(0, ADA, end=True))
    desk.take(Track("yard", 1, 200).says(0, ADA, end=True))
    desk.take(Track("door", 1, 400).says(0, ADA, end=True))
    desk.take(Track("door", 2, 900).says(0, ADA, end=True))
    later, visit = desk.alerts()
    assert (visit.sightings, visit.cameras, visit.camera) == (3, ("gate", "yard", "door"), "door")
    assert later.sightings == 1
    assert later.hits[0].first_at == "2025-01-31T08:15:00.000000Z"


def test_two_alerts_become_one_when_a_slow_camera_tells_of_the_time_between(desk: Desk) -> None:
    desk.rule(cooldown_s=100)
    desk.take(Track("gate", 1, 0).says(0, ADA, end=True))
    desk.take(Track("gate", 2, 180).says(0, ADA, end=True))
    first = min(desk.alerts(), key=lambda alert: alert.first_at)
    desk.take(Track("yard", 1, 90).says(0, ADA, end=True))
    (whole,) = desk.alerts(State.OPEN)
    (part,) = desk.alerts(State.MERGED)
    assert (whole.id, whole.sightings) == (first.id, 3)
    assert part.merged_into == whole.id
    assert desk.history(part) == [Happened.RAISED, Happened.MERGED]


def test_of_unknown_people_each_track_is_an_alert_until_they_are_known_to_be_one(
    desk: Desk, database: Database
) -> None:
    desk.rule(when=When(Kind.UNKNOWN))
    desk.take(Track("gate", 1, 0).says(0, None), Track("yard", 1, 60).says(0, None))
    assert len(desk.alerts(State.OPEN)) == 2
    ends = Track("gate", 1, 0).says(1, None, end=True), Track("yard", 1, 60).says(1, None, end=True)
    with database.write() as connection:
        values = {"created_at": "2025", "state": "open"}
        connection.execute(unknown_groups.insert().values(id="whole", **values))
        connection.execute(unknown_groups.insert().values(id="part", merged_into="whole", **values))
        for group, end in zip(("whole", "part"), ends, strict=True):
            row = {
                "decision_id": end.decision_id, "camera_id": end.camera_id, "stream_epoch": 0, "track_id": 1,
                "kept_at": "2025", "outcome": "unknown", "model_id": "m", "purifier_id": "p",
                "align_version": "v", "vector": b"", "quality": 1.0, "group_id": group, "pinned": False,
            }  # fmt: skip
            connection.execute(sighting_faces.insert().values(**row))
    for end in ends:
        desk.take(end)
    (alert,) = desk.alerts(State.OPEN)
    assert (alert.sightings, alert.cameras) == (2, ("gate", "yard"))


def test_a_watch_list_counts_as_it_was_when_it_was_decided(desk: Desk, database: Database) -> None:
    put_subject(database, ADA)
    lists = WatchLists(database)
    banned = lists.add("banned")
    desk.rule(when=When(Kind.LIST, list_id=banned.id))
    before = GalleryStore(database).epoch()
    after = lists.put("banned", ADA)
    desk.take(Track(number=1).says(0, ADA, gallery_epoch=before))
    assert not desk.alerts()
    desk.take(Track(number=2).says(0, ADA, gallery_epoch=after))
    desk.take(Track(number=3).says(0, BO, gallery_epoch=after))
    assert desk.only().sightings == 1
    lists.take_off("banned", ADA)
    desk.take(Track(number=2).says(1, ADA, gallery_epoch=after + 1))
    assert desk.only().reason == "the rule or its watch list was changed meanwhile"


def test_a_suspected_attack_fires_the_rules_of_its_candidate_and_says_so(desk: Desk) -> None:
    desk.rule("ada", When(Kind.PERSON, subject_id=ADA))
    desk.rule("bo", When(Kind.PERSON, subject_id=BO))
    desk.rule("attack", When(Kind.ATTACK))
    desk.take(Track().says(0, ADA, outcome=Outcome.SUSPECTED_ATTACK))
    assert sorted((alert.rule, alert.suspected) for alert in desk.alerts()) == [
        ("ada", True),
        ("attack", True),
    ]
    assert all(alert.subject_id == ADA for alert in desk.alerts())
    desk.take(Track(number=2).says(0, None, outcome=Outcome.SUSPECTED_ATTACK))
    assert len(desk.alerts()) == 3


def test_an_attack_in_the_middle_of_a_visit_is_put_down(desk: Desk) -> None:
    desk.rule()
    desk.take(Track().says(0, ADA), Track().says(1, ADA, outcome=Outcome.SUSPECTED_ATTACK))
    assert desk.only().suspected
    assert desk.history(desk.only()) == [Happened.RAISED, Happened.SUSPECTED]


def test_low_quality_is_told_when_the_track_has_ended(desk: Desk) -> None:
    desk.rule(when=When(Kind.LOW_QUALITY))
    desk.take(Track().says(0, None, outcome=Outcome.LOW_QUALITY))
    assert not desk.alerts()
    desk.take(Track().says(1, None, outcome=Outcome.LOW_QUALITY, end=True))
    assert len(desk.alerts()) == 1


@pytest.mark.parametrize("outcome", [Outcome.AMBIGUOUS, Outcome.LOW_QUALITY])
def test_whoever_is_not_named_is_nobody(desk: Desk, outcome: Outcome) -> None:
    desk.rule("known")
    desk.rule("unknown", When(Kind.UNKNOWN))
    desk.take(Track().says(0, None, outcome=outcome))
    assert not desk.alerts()


def test_other_cameras_other_hours_and_rules_that_rest_raise_nothing(desk: Desk) -> None:
    desk.rule("yard", cameras=("yard",))
    desk.rule("night", schedule=parse_schedule("22:00-06:00"))
    desk.rule("resting", enabled=False)
    desk.take(Track().says(0, ADA))
    assert not desk.alerts()
    desk.take(Track("yard").says(0, ADA))
    assert [alert.rule for alert in desk.alerts()] == ["yard"]


def test_a_rule_counts_from_when_it_is_made_and_its_alerts_stay_when_it_goes(desk: Desk) -> None:
    desk.take(Track().says(0, ADA))
    rule = desk.rule()
    desk.take(Track().says(1, ADA))
    assert len(desk.alerts(State.OPEN)) == 1
    desk.rules.remove(rule.id)
    desk.take(Track().says(2, None), Track(number=2).says(0, ADA))
    assert desk.only().state is State.OPEN


def test_footage_without_times_raises_nothing_unless_asked(desk: Desk, database: Database) -> None:
    desk.rule()
    sighting = replace(Track().says(0, ADA), first_seen_at=None, last_seen_at=None, last_seen_s=2.5)
    desk.take(sighting)
    assert not desk.alerts()
    asked = Desk(database, untimed_start_ns=int(START.timestamp()) * 10**9)
    asked.take(sighting)
    assert asked.only().last_at == "2025-01-31T08:00:02.500000Z"


def test_a_person_who_stands_there_into_the_hours_of_a_rule_raises_it(desk: Desk) -> None:
    desk.rule(schedule=parse_schedule("08:01-09:00"))
    desk.take(Track().says(0, ADA, until_s=30))
    assert not desk.alerts()
    desk.take(Track().says(1, ADA, until_s=70))
    assert len(desk.alerts(State.OPEN)) == 1


def test_an_acknowledged_visit_stays_so_and_the_next_one_is_new(desk: Desk) -> None:
    desk.rule()
    desk.take(Track(number=1).says(0, ADA, end=True))
    Handling(desk.database, lambda: 0, desk.changed.append).acknowledge(desk.only().id, By("u", "op"))
    desk.take(Track(number=2, start_s=100).says(0, ADA, end=True))
    assert (desk.only().state, desk.only().sightings) == (State.ACKNOWLEDGED, 2)
    desk.take(Track(number=3, start_s=1000).says(0, ADA, end=True))
    assert [alert.state for alert in desk.alerts(*EVERYTHING)] == [State.OPEN, State.ACKNOWLEDGED]


def test_times_of_the_world_are_what_they_say() -> None:
    assert at(1.5) == "2025-01-31T08:00:01.500Z"
    assert datetime.fromisoformat(at(60)) - START == timedelta(minutes=1)
    assert START.tzinfo is UTC
