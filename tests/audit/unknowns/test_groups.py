"""A person's word on groups: kept, taken back, and never overruled by grouping."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from audit.search.faces import FaceStore, TrackFace
from audit.unknowns.grouper import Grouper
from audit.unknowns.groups import GroupStore
from audit.unknowns.linkage import Linkage
from audit.unknowns.records import GroupState
from audit.unknowns.regroup import regroup
from audit.unknowns.retention import expire
from gallery.database import Database
from gallery.tables import sighting_faces, unknown_apart, unknown_groups
from pipeline.errors import SubjectNotFound, UsageError
from pipeline.types import Outcome
from tests.audit.unknowns.people import KEY, NOON, face, like, person

LINKAGE = Linkage(0.5)
LOOSE = Linkage(0.2)


def clock() -> Callable[[], int]:
    """A second later each time."""
    seconds = itertools.count(1_740_000_000)
    return lambda: next(seconds) * 1_000_000_000


def store_of(database: Database) -> GroupStore:
    numbers = itertools.count(1)
    return GroupStore(database, now_ns=clock(), new_id=lambda: f"split-{next(numbers)}")


def group_of(database: Database, *faces: TrackFace, linkage: Linkage = LINKAGE) -> list[str]:
    """Keep faces one after the other; the group that each went to."""
    grouper, ids = Grouper(database, KEY, linkage, now_ns=clock()), []
    for one in faces:
        FaceStore(database).keep([one])
        ids += [placed.group_id for placed in grouper.run()]
    return ids


def partition(database: Database) -> list[list[str]]:
    store = GroupStore(database)
    groups = store.groups((), limit=1000)
    return sorted(sorted(one.decision_id for one in store.members(group.id)) for group in groups)


def test_a_group_says_what_it_is_made_of(database: Database) -> None:
    group_id, _, _ = group_of(
        database,
        face(1, person(0), quality=0.2),
        face(2, like(0, 0.9), quality=0.8),
        face(3, like(0, 0.8), quality=0.4),
    )
    group = store_of(database).group(group_id)
    assert (group.id, group.size, group.state, group.label) == (group_id, 3, GroupState.OPEN, None)
    assert (group.first_seen_at, group.last_seen_at) == (
        "2025-03-01T12:01:00.000000Z",
        "2025-03-01T12:03:00.000000Z",
    )
    assert group.cover == "d002"
    newest, _, oldest = store_of(database).members(group_id)
    assert (newest.decision_id, newest.track.track_id, newest.quality) == ("d003", 3, 0.4)
    assert (oldest.decision_id, oldest.link, oldest.pinned) == ("d001", None, False)


def test_groups_are_listed_by_state_the_last_seen_first(database: Database) -> None:
    ids = group_of(database, *(face(number, person(number)) for number in range(4)))
    store = store_of(database)
    store.ignore(ids[1])
    assert [group.id for group in store.groups()] == [ids[3], ids[2], ids[0]]
    assert [group.id for group in store.groups((GroupState.IGNORED,))] == [ids[1]]
    assert [group.id for group in store.groups((), limit=2, offset=1)] == [ids[2], ids[1]]


def test_a_label_is_given_and_taken_away(database: Database) -> None:
    (group_id,) = group_of(database, face(1, person(0)))
    store = store_of(database)
    assert store.label(group_id, "  the postman ").label == "the postman"
    assert store.label(group_id, None).label is None
    with pytest.raises(UsageError, match="200 characters at most, not 201"):
        store.label(group_id, "x" * 201)


def test_assigning_says_whose_pictures_there_are_and_can_be_taken_back(
    database: Database, enrolled: str
) -> None:
    group_id, _ = group_of(database, face(1, person(0), quality=0.2), face(2, person(0), quality=0.9))
    store = store_of(database)
    assert store.assign(group_id, "Ada") == ["d002", "d001"]
    assigned = store.group(group_id)
    assert (assigned.state, assigned.subject_id) == (GroupState.ASSIGNED, enrolled)
    reopened = store.reopen(group_id)
    assert (reopened.state, reopened.subject_id) == (GroupState.OPEN, None)
    with pytest.raises(SubjectNotFound, match="'Bo'"):
        store.assign(group_id, "Bo")
    assert store.group(group_id) == reopened


def test_ignoring_is_taken_back_by_reopening(database: Database) -> None:
    (group_id,) = group_of(database, face(1, person(0)))
    store = store_of(database)
    assert store.ignore(group_id).state is GroupState.IGNORED
    assert store.reopen(group_id).state is GroupState.OPEN


def test_the_older_group_stays_and_the_other_id_leads_to_it(database: Database) -> None:
    old, new, newest = group_of(database, face(1, person(0)), face(2, person(1)), face(3, person(2)))
    store = store_of(database)
    store.label(new, "the postman")
    merged = store.merge(new, old)
    assert (merged.group_id, merged.moved) == (old, ("d002",))
    assert (store.group(new).id, store.group(new).label) == (old, "the postman")
    assert store.merge(newest, new).group_id == old
    assert [store.group(one).id for one in (old, new, newest)] == [old] * 3
    assert partition(database) == [["d001", "d002", "d003"]]
    with pytest.raises(UsageError, match="one group already"):
        store.merge(newest, new)


def test_an_id_leads_on_however_often_it_was_merged_away(database: Database) -> None:
    old, new, newest = group_of(database, face(1, person(0)), face(2, person(1)), face(3, person(2)))
    store = store_of(database)
    store.merge(new, newest)
    store.merge(old, new)
    assert [store.group(one).id for one in (old, new, newest)] == [old] * 3


def test_a_merge_is_taken_back_by_splitting_and_that_by_a_merge(database: Database) -> None:
    one, other = group_of(database, face(1, person(0)), face(2, person(1)))
    store = store_of(database)
    merged = store.merge(one, other)
    part = store.split(merged.group_id, merged.moved)
    assert partition(database) == [["d001"], ["d002"]]
    assert store.merge(part.id, merged.group_id).group_id == merged.group_id
    assert partition(database) == [["d001", "d002"]]


def test_merging_keeps_what_was_said_of_either(database: Database, enrolled: str) -> None:
    ids = group_of(database, *(face(number, person(number)) for number in range(4)))
    store = store_of(database)
    store.ignore(ids[0])
    store.assign(ids[1], enrolled)
    kept = store.group(store.merge(ids[0], ids[1]).group_id)
    assert (kept.id, kept.state, kept.subject_id) == (ids[0], GroupState.ASSIGNED, enrolled)
    store.ignore(ids[3])
    assert store.group(store.merge(ids[2], ids[3]).group_id).state is GroupState.IGNORED


def test_two_subjects_are_not_merged(database: Database, enrolled: str, another_subject: str) -> None:
    one, other = group_of(database, face(1, person(0)), face(2, person(1)))
    store = store_of(database)
    store.assign(one, enrolled)
    store.assign(other, another_subject)
    with pytest.raises(UsageError, match="assigned to different subjects: reopen one"):
        store.merge(one, other)
    assert partition(database) == [["d001"], ["d002"]]
    assert not any(member.link for member in store.members(one))


@pytest.mark.parametrize(
    ("wanted", "message"),
    [([], "0 of 2"), (["d001", "d002"], "2 of 2"), (["d001", "d003"], "d003 is not in the group")],
)
def test_only_a_part_is_split_off(database: Database, wanted: list[str], message: str) -> None:
    group_id, _, _ = group_of(database, face(1, person(0)), face(2, person(0)), face(3, person(1)))
    with pytest.raises(UsageError, match=message):
        store_of(database).split(group_id, wanted)
    assert partition(database) == [["d001", "d002"], ["d003"]]


def test_a_group_that_is_not_there_is_named(database: Database) -> None:
    store = store_of(database)
    for change in (store.group, store.members, store.ignore, store.reopen):
        with pytest.raises(UsageError, match="no group of unknowns 'gone'"):
            change("gone")


def test_what_was_joined_and_taken_apart_outlives_grouping_anew(database: Database) -> None:
    """Faces 1 and 2 look alike and are not one person; 3 and 4 are, and do not look alike."""
    twins, _, one, other = group_of(
        database, face(1, person(0)), face(2, like(0, 0.9)), face(3, person(5)), face(4, person(6))
    )
    store = store_of(database)
    store.split(twins, ["d002"])
    store.merge(one, other)
    wanted = [["d001"], ["d002"], ["d003", "d004"]]
    assert partition(database) == wanted
    regroup(database, KEY, LINKAGE)
    assert partition(database) == wanted
    ids = group_of(database, face(5, like(0, 0.9)), face(6, person(6)))
    assert ids == ["split-1", one]
    regroup(database, KEY, Linkage(-1.0, best_of=1))
    assert partition(database) == [["d001"], ["d002", "d005"], ["d003", "d004", "d006"]]


def test_grouping_anew_with_another_threshold_keeps_ids_where_it_can(database: Database) -> None:
    loose = group_of(database, face(1, person(0)), face(2, like(0, 0.6)), face(3, person(1)), linkage=LINKAGE)
    assert loose[0] == loose[1] != loose[2]
    placed = {one.decision_id: one.group_id for one in regroup(database, KEY, Linkage(0.7))}
    assert (placed["d001"], placed["d003"]) == (loose[0], loose[2])
    assert len(set(placed.values())) == 3
    again = {one.decision_id: one.group_id for one in regroup(database, KEY, LINKAGE)}
    assert again == dict(zip(["d001", "d002", "d003"], loose, strict=True))
    assert partition(database) == [["d001", "d002"], ["d003"]]


def test_groups_that_look_alike_are_shown_but_not_those_taken_apart(database: Database) -> None:
    one, other, _, fourth = group_of(
        database,
        face(1, person(0)),
        face(2, like(0, 0.4)),
        face(3, person(1)),
        face(4, like(0, 0.3, other=3)),
    )
    store = store_of(database)
    found = store.alike(one, KEY, LOOSE)
    assert [(group.id, link) for group, link in found] == [(other, 0.4), (fourth, 0.3)]
    assert [group.id for group, _ in store.alike(one, KEY, LOOSE, limit=1)] == [other]
    merged = store.merge(one, other)
    part = store.split(merged.group_id, ["d002"])
    assert [group.id for group, _ in store.alike(one, KEY, LOOSE)] == [fourth]
    assert one not in {group.id for group, _ in store.alike(part.id, KEY, LOOSE)}


def test_what_was_taken_apart_stays_so_through_merges_and_splits(database: Database) -> None:
    """1 was taken from 2; then 3 joins 1, and 3 is not 2 either."""
    twins, _, third = group_of(
        database, face(1, person(0)), face(2, like(0, 0.9)), face(3, like(0, 0.45, other=2))
    )
    store = store_of(database)
    part = store.split(twins, ["d002"])
    store.merge(third, twins)
    assert store.alike(part.id, KEY, LOOSE) == []
    off = store.split(twins, ["d001"])
    assert store.alike(part.id, KEY, LOOSE) == []
    store.merge(part.id, off.id)
    assert store.alike(off.id, KEY, LOOSE) == []


def test_what_was_taken_apart_stays_so_when_it_becomes_part_of_an_older_group(database: Database) -> None:
    first, twins, _ = group_of(
        database, face(1, like(0, 0.45, other=2)), face(2, person(0)), face(3, like(0, 0.9))
    )
    store = store_of(database)
    part = store.split(twins, ["d003"])
    assert [group.id for group, _ in store.alike(twins, KEY, LOOSE)] == [first]
    assert store.merge(part.id, first).group_id == first
    assert store.alike(twins, KEY, LOOSE) == []


def test_tracks_join_a_merged_group_as_they_would_have_before(database: Database) -> None:
    """A front view and a profile: neither keeps the other's likes out, nor lets half-likes in."""
    front, profile = group_of(database, face(1, person(0)), face(2, person(1)))
    store = store_of(database)
    merged = store.merge(front, profile)
    assert group_of(database, face(3, like(0, 0.8)), face(4, like(1, 0.8))) == [merged.group_id] * 2
    part = store.split(merged.group_id, ["d002"])
    assert group_of(database, face(5, like(1, 0.8, other=14))) == [part.id]
    store.merge(part.id, merged.group_id)
    assert group_of(database, face(6, like(1, 0.8, other=13))) == [merged.group_id]


def test_who_joined_wrongly_later_may_be_whom_the_group_was_taken_from(database: Database) -> None:
    """Nobody said anything of 3 when 1 and 2 were taken apart."""
    twins, _ = group_of(database, face(1, person(0)), face(2, like(0, 0.9)))
    store = store_of(database)
    part = store.split(twins, ["d002"])
    assert group_of(database, face(3, like(0, 0.96))) == [part.id]
    off = store.split(part.id, ["d003"])
    assert [group.id for group, _ in store.alike(off.id, KEY, LOOSE)] == [twins]


def test_old_faces_go_and_empty_groups_with_them(database: Database) -> None:
    one, _, other = group_of(database, face(1, person(0)), face(5, person(0)), face(2, person(1)))
    store = store_of(database)
    gone = expire(database, NOON + timedelta(minutes=5))
    assert (gone.faces, gone.groups) == (2, 1)
    assert partition(database) == [["d005"]]
    assert store.group(one).size == 1
    with pytest.raises(UsageError, match="may have expired"):
        store.group(other)


def test_known_tracks_and_later_ones_do_not_expire(database: Database) -> None:
    known = face(1, person(0), outcome=Outcome.KNOWN, subject_id="s1")
    FaceStore(database).keep([known, face(2, person(1))])
    assert expire(database, NOON + timedelta(minutes=2)).faces == 0
    with pytest.raises(UsageError, match="no zone"):
        expire(database, NOON.replace(tzinfo=None))


def test_a_track_without_wall_time_expires_by_when_it_was_kept(database: Database) -> None:
    timeless = TrackFace(
        "d1", face(1, person(0)).track, None, Outcome.UNKNOWN, None, face(1, person(0)).embedding, 0.5
    )
    FaceStore(database, now_ns=lambda: int(NOON.timestamp()) * 10**9).keep([timeless])
    assert expire(database, NOON).faces == 0
    assert expire(database, NOON + timedelta(seconds=1)).faces == 1


def test_ids_that_led_to_an_expired_group_go_as_well(database: Database) -> None:
    one, other, _ = group_of(database, face(1, person(0)), face(2, person(1)), face(3, person(2)))
    store = store_of(database)
    part = store.split(store.merge(one, other).group_id, ["d002"])
    store.merge(one, part.id)
    expire(database, NOON + timedelta(minutes=3))
    with database.read() as connection:
        assert len(connection.execute(select(unknown_groups)).all()) == 1
        assert connection.execute(select(unknown_apart)).all() == []


WHAT = ("keep", "merge", "split", "ignore", "assign", "reopen", "expire", "regroup", "forget")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["keep", "merge", "split", "ignore", "assign", "reopen", "expire", "regroup", "forget"]
        ),
        st.integers(0, 30),
        st.integers(0, 30),
    ),
    max_size=14,
)


class Model:
    """Does steps on a database, and remembers what a person said."""

    def __init__(self, database: Database, subject_id: str) -> None:
        self._database, self._subject_id = database, subject_id
        self.store = store_of(database)
        self.together: list[set[str]] = []
        self.apart: list[tuple[set[str], set[str]]] = []
        self._kept = 0

    def do(self, step: str, first: int, second: int) -> None:
        if step == "keep":
            self._kept += 1
            group_of(self._database, face(self._kept, like(first % 4, 0.6 + second / 100, other=9)))
        elif step == "expire":
            expire(self._database, NOON + timedelta(minutes=first / 3))
        elif step == "forget":
            FaceStore(self._database).forget([f"d{first:03d}"])
        elif step == "regroup":
            regroup(self._database, KEY, Linkage(0.3 + second / 60))
        else:
            self._say(step, first, second)

    def _say(self, step: str, first: int, second: int) -> None:
        groups = self.store.groups((), limit=1000)
        if not groups:
            return
        one, other = groups[first % len(groups)], groups[second % len(groups)]
        mine, theirs = self.members(one.id), self.members(other.id)
        if step == "merge" and one.id != other.id:
            self.store.merge(one.id, other.id)
            # The last word counts.
            self.apart = [(a - mine - theirs, b - mine - theirs) for a, b in self.apart]
            self.together.append(mine | theirs)
        elif step == "split" and len(mine) > 1:
            off = set(sorted(mine)[: 1 + second % (len(mine) - 1)])
            self.store.split(one.id, sorted(off))
            self.together = [kept for whole in self.together for kept in (whole - off, whole & off)]
            self.apart.append((off, mine - off))
        elif step == "ignore":
            self.store.ignore(one.id)
        elif step == "assign":
            self.store.assign(one.id, self._subject_id)
        elif step == "reopen":
            self.store.reopen(one.id)

    def members(self, group_id: str) -> set[str]:
        return {member.decision_id for member in self.store.members(group_id)}

    def check(self) -> None:
        where = self._where()
        for whole in self.together:
            assert len({where[one] for one in whole if one in where}) <= 1
        for some, rest in self.apart:
            assert not {where[one] for one in some if one in where} & {
                where[one] for one in rest if one in where
            }
        groups = self.store.groups((), limit=1000)
        assert sorted(where.values()) == sorted(group.id for group in groups for _ in range(group.size))
        assert all((group.state is GroupState.ASSIGNED) == (group.subject_id is not None) for group in groups)

    def _where(self) -> dict[str, str]:
        query = select(sighting_faces.c.decision_id, sighting_faces.c.group_id)
        with self._database.read() as connection:
            return {row.decision_id: row.group_id for row in connection.execute(query)}


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_a_person_s_word_holds_whatever_happens(
    database: Database, enrolled: str, steps: list[tuple[str, int, int]]
) -> None:
    with database.write() as connection:
        for table in (unknown_apart, sighting_faces, unknown_groups):
            connection.execute(table.delete())
    model = Model(database, enrolled)
    for number in range(5):
        model.do("keep", number, number)
    for step in steps:
        model.do(*step)
        model.check()
