"""Real footage against a real gallery: five hundred people are enrolled, and none of them is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gallery.importer import import_items, plan_import
from pipeline.types import Outcome
from tests import supplied
from workers.build import Context, WatchRequest
from workers.session import SessionResult

pytestmark = pytest.mark.assets

PEOPLE = 500
COMPARED = {"pinwatch-detector": 6, "yunet": 8}
"""Of the eleven people in the crowd, so many are seen well enough by each detector, at least."""


@pytest.fixture(scope="module", params=[{}, supplied.CARDS], ids=["bundled", "supplied"])
def gallery(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, assets: Path, models: Path
) -> Iterator[Context]:
    """A data folder with one photograph each of the first five hundred people."""
    folder = tmp_path_factory.mktemp("five-hundred")
    for person in sorted((assets / "faces" / "lfw-dev").iterdir())[:PEOPLE]:
        own = folder / "people" / person.name
        own.mkdir(parents=True)
        (own / "1.jpg").symlink_to(sorted(person.iterdir())[0])
    context = Context({})
    context.override(data=folder / "data", models=models, **request.param)
    report = import_items(plan_import(folder / "people"), context.enroller())
    assert report.subjects >= 0.95 * PEOPLE, report.refused_by_reason
    yield context
    context.close()


def watch(context: Context, clip: Path) -> SessionResult:
    with context.session(WatchRequest(sources=(str(clip),))) as session:
        return session.run()


def test_nobody_in_the_crowd_is_taken_for_one_of_them(gallery: Context, assets: Path) -> None:
    result = watch(gallery, assets / "clips" / "crowd.mp4")
    outcomes = Counter(sighting.outcome for sighting in result.sightings)
    assert outcomes[Outcome.UNKNOWN] >= COMPARED[gallery.settings.detector.name]
    assert set(outcomes) <= {Outcome.UNKNOWN, Outcome.LOW_QUALITY}, [s.reason for s in result.sightings]
    seen = [s for s in result.sightings if s.outcome is Outcome.UNKNOWN]
    assert all(s.candidate_id and s.similarity is not None and s.runner_up is not None for s in seen)
    kept = gallery.sightings().query(run_id=result.run_id, final=True)
    assert {s.decision_id for s in kept} == {s.decision_id for s in result.sightings}


def test_the_long_clip_with_few_faces_names_nobody(gallery: Context, assets: Path) -> None:
    result = watch(gallery, assets / "clips" / "one-by-one.mp4")
    (report,) = result.reports
    assert report.frames == 1394
    assert result.counts.get(Outcome.KNOWN, 0) == 0


@pytest.mark.parametrize("cards", [{}, supplied.CARDS], ids=["bundled", "supplied"])
def test_behind_the_bundled_purifier_nobody_in_the_crowd_is_suspected(
    cards: dict[str, Any], tmp_path: Path, assets: Path, models: Path
) -> None:
    """Evidence is measured on every track that is compared, and stays below its threshold."""
    context = Context({})
    context.override(data=tmp_path / "data", models=models, **{**cards, "purifier": "pinwatch-pin"})
    result = watch(context, assets / "clips" / "crowd.mp4")
    context.close()
    compared = [s for s in result.sightings if s.outcome is not Outcome.LOW_QUALITY]
    assert len(compared) >= COMPARED[context.settings.detector.name]
    assert {sighting.outcome for sighting in compared} == {Outcome.UNKNOWN}
    assert all(s.attack_evidence is not None and s.attack_evidence < 1.0 for s in compared)
