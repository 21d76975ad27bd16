"""Canaries are taken in with consent, kept apart from the gallery, and deleted when it is over."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import func, select

from gallery.database import Database
from gallery.store import GalleryStore
from gallery.tables import canaries, canary_photos, photos, subjects, templates
from pipeline.clock import ManualClock
from pipeline.errors import SubjectExists, SubjectNotFound, UsageError
from tests.toys import toy_photo
from tests.workers.canary.faces import consent
from tests.workers.canary.faces import photos as given
from workers.canary.records import Consent, NewPhoto, enrolled_of
from workers.canary.store import CanaryStore


def rows(database: Database, *tables: object) -> list[int]:
    with database.read() as connection:
        return [
            connection.execute(select(func.count()).select_from(table)).scalar_one()  # type: ignore[arg-type]
            for table in tables
        ]


def test_faces_come_back_as_they_were_given(store: CanaryStore) -> None:
    added = store.add(" Ada ", consent(), given(1, 5))
    assert (added.name, added.consent, added.probes) == ("Ada", consent(), 3)
    assert [photo.enrolled for photo in added.photos] == [True, True, False, False, False]
    for number, photo in enumerate(added.photos):
        assert np.array_equal(store.crop(added.id, photo.id), toy_photo(1, number))
    assert [face.photo_id for face in store.faces()] == [photo.id for photo in added.photos]
    assert store.get("Ada") == store.get(added.id) == added
    assert store.probes() == 3


def test_at_least_one_is_enrolled_and_one_a_probe() -> None:
    assert [enrolled_of(count) for count in (2, 3, 4, 7)] == [1, 1, 2, 3]


def test_nobody_gets_into_the_gallery_through_them(database: Database, store: CanaryStore) -> None:
    store.add("Ada", consent(), given(1))
    assert rows(database, subjects, templates, photos) == [0, 0, 0]
    assert GalleryStore(database).epoch() == 0
    assert list(database.folder.glob("photos/**/*.*")) == []


@pytest.mark.parametrize(
    ("name", "agreed", "chosen", "said"),
    [
        ("", consent(), given(1), "cannot be the name of a canary"),
        ("Ada", consent(), given(1, 1), "are too few"),
        ("Ada", consent(until="2023-06-01T00:00:00.000000Z"), given(1), "is over already"),
        ("Ada", consent(), [given(1)[0], given(1)[0]], "are the same"),
    ],
)
def test_who_is_not_taken_in(
    database: Database, store: CanaryStore, name: str, agreed: Consent, chosen: list[NewPhoto], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        store.add(name, agreed, chosen)
    assert rows(database, canaries, canary_photos) == [0, 0]


def test_a_name_is_taken_once(store: CanaryStore) -> None:
    store.add("Ada", consent(), given(1))
    with pytest.raises(SubjectExists, match="there is a canary called 'Ada'"):
        store.add("Ada", consent(), given(2))


def test_removing_leaves_nothing_in_the_file(database: Database, store: CanaryStore) -> None:
    ada, bo = store.add("Ada", consent(), given(1)), store.add("Bo", consent(), given(2))
    store.remove(ada.id)
    assert [canary.name for canary in store.all()] == ["Bo"]
    assert rows(database, canaries, canary_photos) == [1, 3]
    for gone in (lambda: store.get(ada.id), lambda: store.remove(ada.id), lambda: store.crop(ada.id, "x")):
        with pytest.raises(SubjectNotFound, match="there is no canary"):
            gone()
    with pytest.raises(SubjectNotFound, match="has no photograph"):
        store.crop(bo.id, ada.photos[0].id)


def test_whose_consent_is_over_is_seen_nowhere_and_then_deleted(
    database: Database, store: CanaryStore, clock: ManualClock
) -> None:
    ada = store.add("Ada", consent(until="2023-11-20T00:00:00.000000Z"), given(1))
    store.add("Bo", consent(), given(2))
    assert store.expire() == []
    clock.advance(6 * 24 * 3600)
    assert [canary.name for canary in store.all()] == ["Bo"]
    assert {face.canary_id for face in store.faces()} == {store.get("Bo").id}
    assert store.probes() == 2
    with pytest.raises(SubjectNotFound):
        store.crop(ada.id, ada.photos[0].id)
    assert rows(database, canaries, canary_photos) == [2, 6]
    assert store.expire() == [ada.id]
    assert rows(database, canaries, canary_photos) == [1, 3]


def test_a_consent_says_something_and_lasts() -> None:
    with pytest.raises(ValueError, match="without words"):
        Consent("  ", "the desk", "2023", "2024")
    with pytest.raises(ValueError, match="must last"):
        Consent("yes", "the desk", "2024", "2024")
