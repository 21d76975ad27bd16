"""Watch lists: their thresholds belong to epochs, and time counts only when it is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gallery.enroll import Enroller
from gallery.lists import Member, WatchLists
from gallery.store import GalleryStore
from pipeline.errors import SubjectNotFound, UsageError
from tests.gallery.fakes import KEY, write_person

NOW = datetime.fromtimestamp(1_700_000_000, UTC)
DAY = timedelta(days=1)


@pytest.fixture
def lists(store: GalleryStore, enroller: Enroller, tmp_path: Path) -> WatchLists:
    """Ada and Bo are enrolled, in epochs 1 and 2."""
    for person, name in ((1, "Ada"), (2, "Bo")):
        enroller.enroll(name, [write_person(tmp_path / f"{name}.png", person)])
    return WatchLists(store.database, now_ns=lambda: int(NOW.timestamp()) * 10**9)


def thresholds_of(store: GalleryStore, epoch: int | None = None) -> dict[str, float]:
    return dict(store.snapshot(KEY, epoch).thresholds_by_subject)


def test_a_list_and_its_members_are_shown(lists: WatchLists) -> None:
    made = lists.add(
        "Banned", purpose="thieves", priority=5, owner="desk", threshold=0.35, expires_at=NOW + DAY
    )
    assert made.expires_at == "2023-11-15T22:13:20.000000Z"
    lists.put("Banned", "Ada", NOW + DAY / 2)
    lists.put("Banned", "Bo")
    shown, members = lists.show("Banned")
    assert (shown.purpose, shown.priority, shown.owner, shown.threshold, shown.members) == (
        "thieves",
        5,
        "desk",
        0.35,
        2,
    )
    assert (lists.lists_of("s1"), lists.lists_of("nobody")) == (["Banned"], [])
    assert members == [Member("s1", "Ada", "2023-11-15T10:13:20.000000Z"), Member("s2", "Bo", None)]


def test_a_note_stays_until_another_is_said(lists: WatchLists) -> None:
    lists.add("Banned")
    lists.put("Banned", "Ada", note="stole a bicycle")
    lists.put("Banned", "Ada", NOW + DAY)
    (member,) = lists.show("Banned")[1]
    assert (member.note, member.expires_at) == ("stole a bicycle", "2023-11-15T22:13:20.000000Z")
    lists.put("Banned", "Ada", note="")
    assert lists.show("Banned")[1][0].note == ""


def test_a_renamed_list_keeps_what_it_is(lists: WatchLists, store: GalleryStore) -> None:
    made = lists.add("Banned", purpose="thieves", threshold=0.35)
    lists.put("Banned", "Ada")
    epoch = store.epoch()
    lists.rename("Banned", "Barred")
    (found,) = lists.lists()
    assert (found.id, found.name, found.purpose, found.members) == (made.id, "Barred", "thieves", 1)
    assert [one.name for one in lists.lists(epoch)] == ["Banned"]
    assert thresholds_of(store) == {"s1": 0.35}
    lists.add("Guests")
    with pytest.raises(UsageError, match="a watch list 'Guests' already"):
        lists.rename("Barred", "Guests")
    lists.rename("Barred", "Barred")


def test_a_removed_list_sets_nothing_any_more(lists: WatchLists, store: GalleryStore) -> None:
    lists.add("Banned", threshold=0.35)
    epoch = lists.put("Banned", "Ada")
    lists.remove("Banned")
    assert (lists.lists(), lists.lists_of("s1"), thresholds_of(store)) == ([], [], {})
    assert thresholds_of(store, epoch) == {"s1": 0.35}
    with pytest.raises(UsageError, match="no watch list"):
        lists.remove("Banned")
    assert lists.add("Banned").members == 0


def test_a_threshold_holds_from_the_epoch_of_the_membership_on(
    lists: WatchLists, store: GalleryStore
) -> None:
    lists.add("Banned", threshold=0.35)
    epoch = lists.put("Banned", "Ada")
    assert thresholds_of(store, epoch - 1) == {}
    assert thresholds_of(store) == {"s1": 0.35}
    assert dict(store.delta(KEY, epoch - 1).thresholds_by_subject) == {"s1": 0.35}
    changed = lists.take_off("Banned", "Ada")
    assert thresholds_of(store) == {}
    assert thresholds_of(store, changed - 1) == {"s1": 0.35}


def test_changing_a_list_makes_an_epoch_and_keeps_its_members(lists: WatchLists, store: GalleryStore) -> None:
    first = lists.add("Banned", threshold=0.35)
    before = lists.put("Banned", "Ada")
    second = lists.add("Banned", threshold=0.5)
    assert (second.id, second.members) == (first.id, 1)
    assert thresholds_of(store) == {"s1": 0.5}
    assert thresholds_of(store, before) == {"s1": 0.35}
    assert [found.threshold for found in lists.lists(before)] == [0.35]


@pytest.mark.parametrize(("other_priority", "wanted"), [(4, 0.3), (5, 0.6), (6, 0.6)])
def test_of_several_lists_the_most_urgent_decides_and_between_equals_the_strictest(
    lists: WatchLists, store: GalleryStore, other_priority: int, wanted: float
) -> None:
    lists.add("Banned", threshold=0.3, priority=5)
    lists.add("Guests", threshold=0.6, priority=other_priority)
    lists.add("Staff", priority=99)
    for name in ("Banned", "Guests", "Staff"):
        lists.put(name, "Ada")
    assert thresholds_of(store) == {"s1": wanted}


def test_expiry_takes_effect_when_told_and_in_an_epoch_of_its_own(
    lists: WatchLists, store: GalleryStore
) -> None:
    lists.add("Banned", threshold=0.35, expires_at=NOW + 3 * DAY)
    lists.put("Banned", "Ada", NOW + DAY)
    lists.put("Banned", "Bo")
    epoch = store.epoch()
    assert lists.expire(NOW + DAY - timedelta(seconds=1)) == 0
    assert store.epoch() == epoch
    assert lists.expire(NOW + DAY) == 1
    assert store.epoch() == epoch + 1
    assert thresholds_of(store) == {"s2": 0.35}
    assert thresholds_of(store, epoch) == {"s1": 0.35, "s2": 0.35}
    assert lists.expire(NOW + 3 * DAY) == 1
    assert thresholds_of(store) == {}
    assert lists.expire(NOW + 9 * DAY) == 0


def test_an_expired_list_takes_nobody_until_it_has_a_new_time(lists: WatchLists) -> None:
    lists.add("Banned", expires_at=NOW - DAY)
    with pytest.raises(UsageError, match="expired on 2023-11-13"):
        lists.put("Banned", "Ada")
    lists.add("Banned", expires_at=NOW + DAY)
    lists.put("Banned", "Ada")


def test_removing_a_subject_takes_it_off_its_lists(lists: WatchLists, store: GalleryStore) -> None:
    lists.add("Banned", threshold=0.35)
    lists.put("Banned", "Ada")
    store.remove("Ada")
    assert lists.show("Banned")[1] == []
    assert thresholds_of(store) == {}


def test_putting_somebody_on_a_list_again_changes_their_time(lists: WatchLists) -> None:
    lists.add("Banned")
    lists.put("Banned", "Ada", NOW + DAY)
    lists.put("Banned", "Ada")
    assert lists.show("Banned")[1] == [Member("s1", "Ada", None)]


def test_what_is_not_there_is_named(lists: WatchLists, store: GalleryStore) -> None:
    lists.add("Banned")
    epoch = store.epoch()
    with pytest.raises(UsageError, match="no watch list 'Baned'"):
        lists.put("Baned", "Ada")
    with pytest.raises(SubjectNotFound, match="'Zoe'"):
        lists.put("Banned", "Zoe")
    with pytest.raises(UsageError, match="Ada is not on"):
        lists.take_off("Banned", "Ada")
    with pytest.raises(UsageError, match="similarity between -1 and 1"):
        lists.add("Banned", threshold=35)
    with pytest.raises(UsageError, match="has no zone"):
        lists.add("Banned", expires_at=datetime(2030, 1, 1))  # noqa: DTZ001
    with pytest.raises(UsageError, match="watch list"):
        lists.add(" ")
    assert store.epoch() == epoch
