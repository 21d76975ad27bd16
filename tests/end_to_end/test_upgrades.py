"""Data folders of earlier versions open in this one, and nothing in them is lost."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from audit.ledger.signing import Verifier
from audit.replay import Changes, Result, Wanted, recorded_decisions
from audit.verification import verify_folder
from pipeline.types import Outcome
from workers.build import Context
from workers.build_audit import replay

ARCHIVES = sorted((Path(__file__).resolve().parents[1] / "data").glob("schema-*.zip"))
NAME, RUN = "Grace Hopper", "old"


def unpacked(archive: Path, folder: Path) -> Path:
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder)
    return folder / "data"


@pytest.fixture(params=ARCHIVES, ids=lambda archive: archive.stem)
def context(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Context]:
    with closing(Context({})) as made:
        made.override(data=unpacked(request.param, tmp_path))
        yield made


@pytest.fixture
def with_ledger(tmp_path: Path) -> Iterator[Context]:
    (archive,) = (each for each in ARCHIVES if each.stem == "schema-0005")
    with closing(Context({})) as made:
        made.override(data=unpacked(archive, tmp_path))
        yield made


def test_gallery_and_sightings_are_all_there(context: Context) -> None:
    (subject,) = context.store().subjects()
    assert subject.name == NAME
    (template,) = context.store().templates(subject.id)
    assert context.store().photos.read(template.photo)
    assert len(context.store().snapshot(context.template_key()).vectors) == 1
    named = context.sightings().query(run_id=RUN, outcome=Outcome.KNOWN, final=True)
    assert {sighting.subject_id for sighting in named} == {subject.id}
    assert context.sightings().query(run_id=RUN, final=True, outcome=Outcome.UNKNOWN)


def test_lists_and_cameras_came_along(tmp_path: Path) -> None:
    with closing(Context({})) as context:
        context.override(data=unpacked(ARCHIVES[0], tmp_path))
        (guests,) = context.lists().lists()
        assert (guests.name, guests.members) == ("guests", 1)
        assert context.cameras().names() == ["gate"]


def test_an_old_ledger_verifies_and_its_decisions_are_derived_again(with_ledger: Context) -> None:
    folder = with_ledger.ledger_folder()
    report = verify_folder(with_ledger.settings.data, folder, Verifier.read(folder.public_key))
    assert report.holds, report.problems
    entries = list(recorded_decisions(folder, Wanted(run_id=RUN)))
    found = [each.result for each in replay(with_ledger, anew=False).run(entries, Changes())]
    assert len(found) == len(with_ledger.sightings().query(run_id=RUN, final=True))
    assert set(found) <= {Result.IDENTICAL, Result.WITHIN_TOLERANCE}  # it may have been another processor


def test_an_old_gallery_begins_a_ledger(tmp_path: Path) -> None:
    data = unpacked(ARCHIVES[0], tmp_path)
    with closing(Context({})) as context:
        context.override(data=data)
        context.store().rename(NAME, "Grace Murray Hopper")
        folder = context.ledger_folder()
    assert verify_folder(data, folder, Verifier.read(folder.public_key)).holds
