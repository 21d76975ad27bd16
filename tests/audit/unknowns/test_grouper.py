"""Tracks of strangers find together, the same way every time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import event

from audit.search.faces import FaceStore, TrackFace
from audit.unknowns.grouper import Grouper
from audit.unknowns.groups import GroupStore
from audit.unknowns.linkage import Linkage
from audit.unknowns.records import GroupState
from gallery.database import Database
from pipeline.types import Outcome
from tests.audit.unknowns.people import KEY, OTHER_KEY, face, like, person, unit

LINKAGE = Linkage(0.5)


def crowd(count: int = 60, people: int = 8) -> list[TrackFace]:
    """Tracks of some people in a mixed order; each face is near its person's."""
    random = np.random.default_rng(11)
    return [
        face(number, unit(np.asarray(person(number % people) + random.normal(size=16) * 0.15, np.float32)))
        for number in random.permutation(count).tolist()
    ]


def partition(database: Database) -> dict[str, list[str]]:
    store = GroupStore(database)
    groups = store.groups((), limit=1000)
    return {group.id: sorted(one.decision_id for one in store.members(group.id)) for group in groups}


def test_tracks_of_one_person_make_one_group(database: Database) -> None:
    faces = crowd()
    FaceStore(database).keep(faces)
    placed = Grouper(database, KEY, LINKAGE).run()
    wanted = defaultdict(list)
    for one in sorted(faces, key=lambda one: one.decision_id):
        wanted[one.track.track_id % 8].append(one.decision_id)
    assert sorted(partition(database).values()) == sorted(wanted.values())
    assert len(placed) == 60
    assert sum(one.link is None for one in placed) == 8
    assert all(one.link >= 0.5 for one in placed if one.link is not None)


def test_the_same_tracks_in_the_same_order_give_the_same_groups(
    database: Database, another_database: Callable[[], Database]
) -> None:
    """However they are cut into batches, and whichever process places them; ids and all."""
    faces = sorted(crowd(), key=lambda one: one.decision_id)
    FaceStore(database).keep(faces)
    Grouper(database, KEY, LINKAGE).run()
    other = another_database()
    kept = FaceStore(other)
    first, second = Grouper(other, KEY, LINKAGE), Grouper(other, KEY, LINKAGE)
    for start in range(0, 60, 7):
        kept.keep(faces[start : start + 7])
        first.run(limit=3)
        second.run()
    assert partition(other) == partition(database)


def test_a_track_stays_where_it_is(database: Database) -> None:
    """The third lies between the first two: it joins one, and nothing else moves."""
    store, grouper = FaceStore(database), Grouper(database, KEY, Linkage(0.6))
    store.keep([face(1, person(0)), face(2, like(0, 0.5, other=1))])
    before = partition(database) if grouper.run() else {}
    assert sorted(before.values()) == [["d001"], ["d002"]]
    store.keep([face(3, like(0, 0.8, other=1))])
    (placed,) = grouper.run()
    after = partition(database)
    assert placed.group_id in before
    assert {group: [one for one in members if one != "d003"] for group, members in after.items()} == before


def test_placing_again_changes_nothing(database: Database) -> None:
    FaceStore(database).keep(crowd(12))
    grouper = Grouper(database, KEY, LINKAGE)
    assert len(grouper.run(limit=5)) == 5
    assert len(grouper.run()) == 7
    before = partition(database)
    FaceStore(database).keep(crowd(12))
    assert grouper.run() == []
    assert Grouper(database, KEY, LINKAGE).run() == []
    assert partition(database) == before


def test_only_unknown_tracks_of_this_model_are_grouped(database: Database) -> None:
    FaceStore(database).keep(
        [
            face(1, person(0)),
            face(2, person(0), outcome=Outcome.KNOWN, subject_id="s1"),
            face(3, person(0), outcome=Outcome.SUSPECTED_ATTACK),
            face(4, person(0), key=OTHER_KEY),
        ]
    )
    assert [one.decision_id for one in Grouper(database, KEY, LINKAGE).run()] == ["d001"]
    assert [one.decision_id for one in Grouper(database, OTHER_KEY, LINKAGE).run()] == ["d004"]
    assert sorted(partition(database).values()) == [["d001"], ["d004"]]


@pytest.mark.parametrize("state", [GroupState.IGNORED, GroupState.ASSIGNED])
def test_ignored_and_assigned_groups_take_tracks_in(
    database: Database, enrolled: str, state: GroupState
) -> None:
    store, grouper, groups = FaceStore(database), Grouper(database, KEY, LINKAGE), GroupStore(database)
    store.keep([face(1, person(0))])
    (founded,) = grouper.run()
    if state is GroupState.IGNORED:
        groups.ignore(founded.group_id)
    else:
        groups.assign(founded.group_id, enrolled)
    store.keep([face(2, like(0, 0.8))])
    (joined,) = grouper.run()
    assert (joined.group_id, joined.link) == (founded.group_id, 0.8)
    assert groups.group(founded.group_id).state is state
    assert [one.pinned for one in groups.members(founded.group_id)] == [False, True]


def test_what_a_person_changed_meanwhile_is_seen(database: Database) -> None:
    store, grouper, groups = FaceStore(database), Grouper(database, KEY, Linkage(0.9)), GroupStore(database)
    store.keep([face(1, person(0)), face(2, person(1))])
    one, other = (placed.group_id for placed in grouper.run())
    merged = groups.merge(one, other)
    store.keep([face(3, person(1)), face(4, person(0))])
    assert {placed.group_id for placed in grouper.run()} == {merged.group_id}


def test_a_failure_leaves_nothing_half_done(database: Database) -> None:
    """The database refuses the last statement: no track is placed, and the next run places all."""
    FaceStore(database).keep([face(1, person(0))])
    grouper = Grouper(database, KEY, LINKAGE)
    grouper.run()
    FaceStore(database).keep([face(2, like(0, 0.9)), face(3, person(1))])

    def refuse(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("UPDATE unknown_version"):
            raise OSError("the plug was pulled")

    event.listen(database.engine, "before_cursor_execute", refuse)
    with pytest.raises(OSError, match="plug"):
        grouper.run()
    event.remove(database.engine, "before_cursor_execute", refuse)
    assert list(partition(database).values()) == [["d001"]]
    assert len(grouper.run()) == 2
    assert sorted(partition(database).values()) == [["d001", "d002"], ["d003"]]


def test_ids_do_not_say_who_founded_a_group(database: Database) -> None:
    FaceStore(database).keep([face(1, person(0))])
    (placed,) = Grouper(database, KEY, LINKAGE).run()
    assert len(placed.group_id) == 16
    assert "d001" not in placed.group_id


def test_a_group_s_id_is_not_given_twice(database: Database) -> None:
    """The founder's face is forgotten and comes again, while others are still in its group."""
    store, grouper = FaceStore(database), Grouper(database, KEY, Linkage(0.6))
    store.keep([face(1, person(0)), face(2, like(0, 0.7))])
    first, _ = grouper.run()
    store.forget(["d001"])
    store.keep([face(1, person(9))])
    (again,) = grouper.run()
    assert again.link is None
    assert again.group_id != first.group_id
    assert sorted(partition(database).values()) == [["d001"], ["d002"]]


def test_it_is_durable_and_another_process_goes_on(tmp_path: Path, database: Database) -> None:
    FaceStore(database).keep([face(1, person(0))])
    Grouper(database, KEY, LINKAGE).run()
    other = Database.open(database.folder)
    FaceStore(other).keep([face(2, person(0))])
    (placed,) = Grouper(other, KEY, LINKAGE).run()
    other.close()
    assert partition(database) == {placed.group_id: ["d001", "d002"]}
