"""The timeline and its pages, whom it shows them to, and why something was decided."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest

from pipeline.types import Outcome, Revision
from tests.workers.console.world import Browser, World, make_sighting
from workers.console.access.roles import Role
from workers.console.sightings.explain import explain


@pytest.fixture
def root(world: World) -> Browser:
    return world.logged_in(Role.ADMINISTRATOR, "root")


def ids(browser: Browser, query: str = "") -> list[str]:
    answer = browser.get(f"/api/v1/sightings{query}")
    assert answer.status_code == 200, answer.text
    return [sighting["decision_id"] for sighting in answer.json()["sightings"]]


def at(minute: int) -> str:
    return f"2025-01-31T08:{minute:02d}:00.000Z"


def test_only_the_last_word_on_a_track_the_newest_first(world: World, root: Browser) -> None:
    world.sightings.write(
        [
            make_sighting("early", last_seen_at=at(1)),
            make_sighting("open", last_seen_at=at(9), track_id=2, revision=Revision.NEW),
            make_sighting("late", last_seen_at=at(5), track_id=3),
            make_sighting("untimed", last_seen_at=None, first_seen_at=None, track_id=4),
        ]
    )
    assert ids(root) == ["late", "early", "untimed"]
    page = root.get("/sightings").text
    assert page.index("late") < page.index("early") < page.index("untimed")
    assert "1.00 s into the footage" in page


def test_filters(world: World, root: Browser, tmp_path: Path) -> None:
    ada = world.enroll(tmp_path, "Ada", 1)
    world.sightings.write(
        [
            make_sighting("a", last_seen_at=at(1), camera_id="gate"),
            make_sighting("b", last_seen_at=at(2), camera_id="yard", candidate_id=ada),
            make_sighting(
                "c",
                last_seen_at=at(3),
                camera_id="yard",
                candidate_id=ada,
                subject_id=ada,
                outcome=Outcome.KNOWN,
            ),
            make_sighting(
                "d", last_seen_at=at(4), camera_id="door", outcome=Outcome.AMBIGUOUS, run_id="other"
            ),
        ]
    )
    assert ids(root, "?camera=gate&camera=door") == ["d", "a"]
    assert ids(root, "?outcome=known&outcome=ambiguous") == ["d", "c"]
    assert ids(root, "?who=Ada") == ids(root, f"?who={ada}") == ["c", "b"]
    assert ids(root, "?run_id=other") == ["d"]
    assert ids(root, f"?since={at(2)}&until={at(4)}") == ["c", "b"]
    assert root.get("/api/v1/sightings?who=Nobody").status_code == 404
    assert root.get("/api/v1/sightings?since=2025-01-31T08:00:00").status_code == 422
    assert root.get("/api/v1/sightings?outcome=nonsense").status_code == 422
    page = root.get("/sightings?camera=&who=Ada&since=2025-01-31T08:02&until=2025-01-31T08:03").text
    assert 'href="/sightings/b"' in page
    assert 'href="/sightings/c"' not in page
    assert "nobody is enrolled as &#39;Nobody&#39;" in root.get("/sightings?who=Nobody").text
    assert root.get("/sightings?since=yesterday").status_code == 422


def test_pages_stay_where_they_are_while_new_sightings_come_in(world: World, root: Browser) -> None:
    world.sightings.write([make_sighting(f"{n:02}", last_seen_at=at(n), track_id=n) for n in range(6)])
    first = root.get("/api/v1/sightings?limit=2").json()
    world.sightings.write([make_sighting("new", last_seen_at=at(59), track_id=99)])
    second = root.get(f"/api/v1/sightings?limit=2&after={first['next']}").json()
    assert [one["decision_id"] for one in second["sightings"]] == ["03", "02"]


def test_what_is_no_place_in_the_list_is_said_to_be_none(root: Browser) -> None:
    for after in ("nonsense", "eyJ9", "%00", "A" * 5000):
        assert root.get(f"/api/v1/sightings?after={after}").status_code == 422


def test_nobody_sees_cameras_beside_their_groups(world: World, root: Browser) -> None:
    group = world.access.groups.add("north", ["gate"])
    viewer = world.logged_in(Role.VIEWER, "ada", [group.id])
    blind = world.logged_in(Role.AUDITOR, "bo")
    world.sightings.write([make_sighting("mine"), make_sighting("theirs", camera_id="vault", track_id=2)])
    assert ids(viewer) == ["mine"]
    assert ids(viewer, "?camera=vault") == []
    assert ids(blind) == []
    assert ids(root) == ["theirs", "mine"]
    assert viewer.get("/sightings/mine").status_code == 200
    missing, hidden = viewer.get("/api/v1/sightings/none"), viewer.get("/api/v1/sightings/theirs")
    assert (hidden.status_code, hidden.json()) == (404, missing.json())
    assert "vault" not in viewer.get("/sightings").text
    assert root.get("/sightings/theirs").status_code == 200


def test_a_page_says_why(world: World, tmp_path: Path) -> None:
    ada = world.enroll(tmp_path, "Ada", 1)
    group = world.access.groups.add("all", ["gate"])
    operator = world.logged_in(Role.OPERATOR, "op", [group.id])
    viewer = world.logged_in(Role.VIEWER, "view", [group.id])
    decided = make_sighting(
        "k",
        outcome=Outcome.KNOWN,
        subject_id=ada,
        candidate_id=ada,
        similarity=0.8214,
        runner_up=0.3111,
        margin=0.5103,
        votes=0.75,
        attack_evidence=0.0123,
        reason="similarity 0.821 reaches the threshold 0.500",
    )
    first = make_sighting("n", revision=Revision.NEW, revision_number=0, crops=1)
    world.sightings.write([first, decided])
    page = operator.get("/sightings/k").text
    for shown in (
        "Ada",
        "0.821",
        "0.311",
        "0.510",
        "75%",
        "0.012",
        "detector@1",
        "fake@1",
        "2025-01-31 08:00:01",
    ):
        assert shown in page, shown
    assert f'href="/people/{ada}"' in page
    assert 'href="/sightings/n"' in page
    assert f'href="/people/{ada}"' not in viewer.get("/sightings/k").text
    api = operator.get("/api/v1/sightings/k").json()
    assert api["sighting"]["subject"] == "Ada"
    assert [one["decision_id"] for one in api["history"]] == ["n", "k"]
    assert world.record.records[-1][1:] == ("decision k shown", (ada,))


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_is_explained_with_whatever_was_measured(outcome: Outcome) -> None:
    bare = make_sighting(outcome=outcome)
    full = make_sighting(outcome=outcome, candidate_id="s1", similarity=0.4, attack_evidence=0.9)
    assert [fact.label for fact in explain(bare, {})] == [
        "attack evidence",
        "similarity",
        "pictures",
        "left out",
    ]
    facts = {fact.label: fact for fact in explain(full, {"s1": "Ada"})}
    assert "to Ada" in facts["similarity"].meaning
    assert "is below the threshold 0.500 (card)" in facts["similarity"].meaning
    assert ("nobody attacked" in facts["attack evidence"].meaning) == (outcome is Outcome.SUSPECTED_ATTACK)


def test_what_cameras_and_reasons_are_called_is_never_code(world: World, root: Browser) -> None:
    evil = "<img src=x onerror=alert(1)>"
    world.sightings.write([make_sighting("e", camera_id=evil, reason=evil, run_id=evil, detector=evil)])
    for path in (
        "/sightings",
        "/sightings/e",
        f"/sightings?camera={quote(evil)}&who={quote(evil)}",
        "/users",
    ):
        assert "<img src=x" not in root.get(path).text


def test_lists_record_whom_they_mention(world: World, root: Browser, tmp_path: Path) -> None:
    ada = world.enroll(tmp_path, "Ada", 1)
    world.sightings.write([make_sighting("a", candidate_id=ada), make_sighting("b", track_id=2)])
    root.get("/sightings")
    assert world.record.records[-1][1:] == ("sightings listed", (ada,))
