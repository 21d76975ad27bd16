"""Sightings page by page."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.search.sightings import Cursor, SightingFilter, SightingSearch
from audit.sightings import SightingStore
from gallery.database import Database
from pipeline.errors import UsageError
from pipeline.types import Outcome, Revision, Sighting
from tests.audit.test_sightings import EXAMPLE, NOON


def at_minute(number: int, minute: int | None, **changes: object) -> Sighting:
    seen = None if minute is None else (NOON + timedelta(minutes=minute)).isoformat()
    return replace(
        EXAMPLE,
        decision_id=f"d{number:03d}",
        track_id=number,
        last_seen_at=seen,
        **changes,  # type: ignore[arg-type]
    )


def decisions(found: tuple[Sighting, ...]) -> list[str]:
    return [sighting.decision_id for sighting in found]


def all_pages(search: SightingSearch, which: SightingFilter, limit: int) -> list[list[str]]:
    pages, after = [], None
    while True:
        page = search.page(which, after=after, limit=limit)
        pages.append(decisions(page.sightings))
        if page.next is None:
            return pages
        after = Cursor.parse(page.next.text())


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    minutes=st.lists(st.one_of(st.none(), st.integers(0, 3)), max_size=12),
    limit=st.integers(1, 5),
)
def test_the_pages_together_are_everything_once(
    database: Database, minutes: list[int | None], limit: int
) -> None:
    with database.write() as connection:
        connection.exec_driver_sql("DELETE FROM sightings")
    SightingStore(database).write([at_minute(number, minute) for number, minute in enumerate(minutes)])
    pages = all_pages(SightingSearch(database), SightingFilter(), limit)
    dated = sorted(((m, n) for n, m in enumerate(minutes) if m is not None), reverse=True)
    undated = sorted((n for n, m in enumerate(minutes) if m is None), reverse=True)
    wanted = [f"d{n:03d}" for n in [*(n for _, n in dated), *undated]]
    assert [decision for page in pages for decision in page] == wanted
    assert all(len(page) == limit for page in pages[:-1])
    assert len(pages[-1]) > 0 or not minutes


def test_what_comes_in_meanwhile_moves_nothing(database: Database) -> None:
    store, search = SightingStore(database), SightingSearch(database)
    store.write([at_minute(number, number) for number in range(6)])
    first = search.page(limit=2)
    store.write([at_minute(number, number) for number in (7, 8)])
    second = search.page(after=first.next, limit=2)
    assert decisions(first.sightings) + decisions(second.sightings) == ["d005", "d004", "d003", "d002"]


def test_conditions_are_combined(database: Database) -> None:
    store, search = SightingStore(database), SightingSearch(database)
    unknown = {"outcome": Outcome.UNKNOWN, "subject_id": None, "candidate_id": "s2"}
    store.write(
        [
            at_minute(1, 1),
            at_minute(2, 2, camera_id="gate", **unknown),
            at_minute(3, 3, camera_id="yard", outcome=Outcome.AMBIGUOUS, subject_id=None),
            at_minute(4, 4, camera_id="gate", run_id="other", revision=Revision.NEW),
            at_minute(5, None, subject_id="s3", candidate_id="s3"),
        ]
    )

    def found(**conditions: object) -> list[str]:
        which = SightingFilter(**conditions)  # type: ignore[arg-type]
        page = decisions(search.page(which).sightings)
        assert search.count(which) == len(page)
        return page

    assert found() == ["d004", "d003", "d002", "d001", "d005"]
    assert found(camera_ids=("gate", "yard")) == ["d004", "d003", "d002"]
    assert found(outcomes=(Outcome.UNKNOWN, Outcome.AMBIGUOUS)) == ["d003", "d002"]
    assert found(subject_ids=("s1", "s3")) == ["d004", "d001", "d005"]
    assert found(candidate_ids=("s2",)) == ["d002"]
    assert found(run_id="other") == ["d004"]
    assert found(final=True) == ["d003", "d002", "d001", "d005"]
    assert found(since=NOON + timedelta(minutes=2), until=NOON + timedelta(minutes=4)) == ["d003", "d002"]
    assert found(camera_ids=("gate",), outcomes=(Outcome.UNKNOWN,), final=True) == ["d002"]


@pytest.mark.parametrize("text", ["", "nonsense!", "e30=", "W10=", "é"])
def test_a_place_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="begin with the first page"):
        Cursor.parse(text)


def test_a_page_of_nothing_is_refused(database: Database) -> None:
    with pytest.raises(UsageError, match="1 or more"):
        SightingSearch(database).page(limit=0)
