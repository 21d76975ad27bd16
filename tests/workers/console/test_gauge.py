"""The gauge's pages and API: numbers with their intervals, canaries, and who may see them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select

from gallery.database import Database
from gallery.tables import canary_photos, subjects, templates
from tests.gallery.fakes import pattern, picture, write_picture
from tests.workers.canary.faces import consent
from tests.workers.canary.faces import photos as kept_photos
from tests.workers.canary.test_numbers import many
from tests.workers.canary.test_runs import CLEAN, DODGE, OF, done
from tests.workers.console.world import Browser, World
from workers.canary.alarm import AlarmKind, AlarmStore
from workers.canary.records import Result
from workers.canary.runs import RunStore
from workers.canary.store import CanaryStore
from workers.console.access.roles import Role


@pytest.fixture
def root(world: World) -> Browser:
    return world.logged_in(Role.ADMINISTRATOR, "root")


@pytest.fixture
def runs(world: World) -> RunStore:
    return RunStore(world.database, world.clock.now_ns)


@pytest.fixture
def canaries(world: World) -> CanaryStore:
    return CanaryStore(world.database, world.clock.now_ns)


def uploads(folder: Path, person: int, count: int = 2) -> list[tuple[str, tuple[str, bytes, str]]]:
    made = []
    for number in range(count):
        image = picture([(pattern(person, number), 112, (100, 60))])
        path = write_picture(folder / f"{person}-{number}.png", image)
        made.append(("photos", (path.name, path.read_bytes(), "image/png")))
    return made


FORM = {"name": "Ada", "consent": "I agree, says Ada <b>", "until": "2024-12-31"}


def test_nothing_was_measured_yet(world: World, root: Browser) -> None:
    page = root.get("/robustness").text
    assert "nothing measured" in page
    assert "take somebody in" in page
    answer = root.get("/api/v1/gauge").json()
    assert (answer["figures"], answer["alarms"], answer["last"]) == ([], [], None)
    assert root.get("/api/v1/gauge/history").json() == {"points": [], "marks": [], "alarms": []}


def test_numbers_say_interval_threat_model_and_circumstances(root: Browser, runs: RunStore) -> None:
    suspected = [Result(one.photo_id, one.condition, one.correct, False, True) for one in many(DODGE, 15, 20)]
    done(runs, *many(CLEAN, 18, 20), *suspected)
    answer = root.get("/api/v1/gauge").json()
    figures = {figure["key"]: figure for figure in (*answer["figures"], *answer["beside"])}
    assert (figures["clean"]["value"], figures["clean"]["n"]) == (0.9, 20)
    assert figures["clean"]["low"] < 0.9 < figures["clean"]["high"]
    assert figures["attacked"]["value"] == 0.75
    assert "T2a: knows the embedder, not that there is a purifier" in figures["attacked"]["threat_model"]
    assert "at most 8 of 255" in figures["attacked"]["threat_model"]
    assert figures["attacked_bare"]["value"] is None
    assert figures["false_names"]["value"] == 0
    assert figures["suspected"]["value"] == 1
    assert answer["circumstances"]["thresholds"]["match"] == OF.thresholds.match
    assert answer["last"]["seed"] >= 0
    page = root.get("/robustness").text
    for shown in ("90 %", "75 %", "18 of 20", "toy@1", "epoch 3", "pgd-10x1", "What this does not show"):
        assert shown in page, shown


def test_a_chart_is_drawn_with_a_table_beside_it(world: World, root: Browser, runs: RunStore) -> None:
    done(runs, *many(CLEAN, 18, 20), *many(DODGE, 5, 20))
    world.clock.advance(20 * 60)
    done(runs, *many(CLEAN, 20, 20), of=replace(OF, embedder="toy@2"))
    page = root.get("/robustness?step=run").text
    assert page.count("<polyline") >= 3
    assert "models" in page
    assert "The same as a table" in page
    points = root.get("/api/v1/gauge/history?step=run").json()["points"]
    assert [point["value"] for point in points] == [0.9, 0.25, 1.0]
    assert root.get("/robustness?step=week").status_code == 422
    assert root.get("/api/v1/gauge/history?days=0").status_code == 422


def test_an_alarm_stands_first_with_since_when(world: World, root: Browser, runs: RunStore) -> None:
    done(runs, *many(CLEAN, 18, 20))
    AlarmStore(world.database, world.clock.now_ns).settle({AlarmKind.CLEAN: "too few <are> named"})
    page = root.get("/robustness").text
    assert page.index("too few &lt;are&gt; named") < page.index("<h2>Now</h2>")
    assert "since <time" in page
    assert root.get("/api/v1/gauge").json()["alarms"][0]["kind"] == "clean"


def test_what_came_to_nothing_says_why(root: Browser, runs: RunStore) -> None:
    run = runs.claim("root", every_s=0, limit_s=60)
    assert run is not None
    runs.fail(run.id, "its process was ended by SIGKILL")
    assert "its process was ended by SIGKILL" in root.get("/robustness").text


def test_somebody_is_taken_in_with_consent(
    world: World, root: Browser, database: Database, tmp_path: Path
) -> None:
    answer = root.send("/robustness/canaries", page="/account", files=uploads(tmp_path, 1, 3), **FORM)
    assert answer.status_code == 303, answer.text
    page = root.get(answer.headers["location"]).text
    assert "I agree, says Ada &lt;b&gt;" in page
    assert "by root" in page
    (listed,) = root.get("/api/v1/gauge/canaries").json()
    assert [photo["enrolled"] for photo in listed["photos"]] == [True, False, False]
    assert listed["consent"]["until"] == "2024-12-31T23:59:59.999999Z"
    photo = f"/robustness/canaries/{listed['id']}/photos/{listed['photos'][0]['id']}"
    answer = root.get(photo)
    assert (answer.headers["content-type"], answer.content[:4]) == ("image/png", b"\x89PNG")
    assert world.record.records[-1][1:] == ("canary's photograph shown", (listed["id"],))
    with database.read() as connection:
        for table in (subjects, templates):
            assert connection.execute(select(func.count()).select_from(table)).scalar_one() == 0
    assert world.ledger.entries == []  # nothing of the gallery changed


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"until": "2020-01-01"}, "has been"),
        ({"consent": "  "}, "say what was agreed to"),
        ({"until": "soon"}, "until"),
        ({"name": "a/b"}, "holds a slash"),
    ],
)
def test_what_is_no_consent(root: Browser, tmp_path: Path, changed: dict[str, str], said: str) -> None:
    answer = root.send("/robustness/canaries", files=uploads(tmp_path, 1), **{**FORM, **changed})
    assert answer.status_code == 422
    assert said in answer.text


def test_photographs_that_will_not_do(root: Browser, canaries: CanaryStore, tmp_path: Path) -> None:
    two = picture([(pattern(1), 100, (10, 60)), (pattern(2), 100, (180, 60))])
    path = write_picture(tmp_path / "two.png", two)
    both = [*uploads(tmp_path, 1, 1), ("photos", ("two.png", path.read_bytes(), "image/png"))]
    answer = root.send("/robustness/canaries", files=both, **FORM)
    assert (answer.status_code, "two.png: it shows a second person" in answer.text) == (422, True)
    answer = root.send("/robustness/canaries", files=uploads(tmp_path, 1, 1), **FORM)
    assert (answer.status_code, "too few" in answer.text) == (422, True)
    assert canaries.all() == []


def test_removing_is_recorded_first_and_leaves_nothing(
    world: World, root: Browser, canaries: CanaryStore, database: Database
) -> None:
    ada = canaries.add("Ada", consent(), kept_photos(1))
    bo = canaries.add("Bo", consent(), kept_photos(2))
    world.record.full = OSError("full")
    assert root.send(f"/robustness/canaries/{ada.id}/remove").status_code == 500
    assert len(canaries.all()) == 2
    world.record.full = None
    assert root.send(f"/robustness/canaries/{ada.id}/remove").status_code == 303
    assert world.record.records[-1][1:] == ("canary removed", (ada.id,))
    assert root.api("DELETE", f"/gauge/canaries/{bo.id}").status_code == 204
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(canary_photos)).scalar_one() == 0
    assert root.get(f"/robustness/canaries/{ada.id}").status_code == 404


def test_who_may_see_numbers_and_who_faces(world: World, canaries: CanaryStore, runs: RunStore) -> None:
    ada = canaries.add("Ada Particular", consent(), kept_photos(1))
    done(runs, *many(CLEAN, 18, 20))
    auditor = world.logged_in(Role.AUDITOR, "bo")
    viewer = world.logged_in(Role.VIEWER, "vi")
    assert auditor.get("/robustness").status_code == 200
    assert "Particular" not in auditor.get("/robustness").text + auditor.get("/api/v1/gauge").text
    photo = f"/robustness/canaries/{ada.id}/photos/{ada.photos[0].id}"
    for path in ("/robustness/canaries", f"/robustness/canaries/{ada.id}", photo):
        assert auditor.get(path).status_code == 403
    assert viewer.get("/robustness").status_code == 403


def test_where_nothing_measures_it_cannot_be_asked_for(root: Browser) -> None:
    assert "nothing measures beside this console" in root.send("/robustness/run").text
    assert root.api("POST", "/gauge/run").status_code == 422


def test_prometheus_finds_the_figures(root: Browser, runs: RunStore) -> None:
    done(runs, *many(CLEAN, 18, 20))
    text = root.get("/metrics").text
    assert 'pinwatch_canary_accuracy{attack="none",eps_255="0",goal="none",purified="true"' in text
    assert 'pinwatch_canary_runs_total{state="done"} 1.0' in text
