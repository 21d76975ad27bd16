"""A folder of people: what is taken, what is refused, and what a kill at any instant leaves."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gallery.database import Database
from gallery.enroll import Enroller, Enrollment, Refusal, Status
from gallery.importer import ImportReport, import_items, plan_import
from gallery.photo_files import PhotoFiles
from gallery.store import GalleryStore
from pipeline.errors import StorageError, UsageError
from pipeline.types import Thresholds
from tests.gallery.fakes import KEY, make_vision, pattern, picture, write_person, write_picture

REPOSITORY = Path(__file__).resolve().parents[2]


def run_import(enroller: Enroller, folder: Path) -> ImportReport:
    return import_items(plan_import(folder), enroller)


def test_everybody_is_enrolled_under_the_name_of_the_folder(
    enroller: Enroller, store: GalleryStore, people: Path
) -> None:
    report = run_import(enroller, people)
    assert (report.enrolled, report.skipped, report.subjects, report.refused) == (7, 0, 4, ())
    assert [(subject.name, subject.templates) for subject in store.subjects()] == [
        ("Ada_L", 2),
        ("Bo", 2),
        ("Chloé", 2),
        ("Dmitri", 1),
    ]


def test_a_second_run_skips_everything(enroller: Enroller, store: GalleryStore, people: Path) -> None:
    run_import(enroller, people)
    again = run_import(enroller, people)
    assert (again.enrolled, again.skipped, again.subjects) == (0, 7, 4)
    assert store.epoch() == 7


def test_a_second_run_takes_what_is_new(enroller: Enroller, people: Path) -> None:
    run_import(enroller, people)
    write_person(people / "Dmitri" / "1.png", 3, variation=1)
    write_person(people / "Erik" / "0.png", 9)
    again = run_import(enroller, people)
    assert (again.enrolled, again.skipped, again.subjects) == (2, 7, 5)


def test_the_largest_face_is_taken_and_said(enroller: Enroller, tmp_path: Path) -> None:
    both = picture([(pattern(2), 90, (10, 10)), (pattern(1), 100, (200, 20))])
    write_picture(tmp_path / "people" / "Ada" / "two.png", both)
    report = run_import(enroller, tmp_path / "people")
    assert report.enrolled == 1
    assert [note.detail for note in report.notes] == ["the largest of 2 faces was taken"]


def test_what_is_refused_is_reported_with_its_reason_and_the_rest_is_enrolled(
    enroller: Enroller, people: Path
) -> None:
    (people / "Ada_L" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    write_picture(people / "Bo" / "tiny.png", np.zeros((1, 1, 3), np.uint8))
    write_picture(people / "Bo" / "wall.png", np.zeros((90, 90, 3), np.uint8))
    write_person(people / "Copycat" / "0.png", 0, variation=7)
    (people / "Nobody").mkdir()
    (people / "Bo" / "notes.txt").write_text("not a photograph, and does not say so")
    (people / ".hidden").mkdir()
    report = run_import(enroller, people)
    refused = {(item.name, item.photo.name): item.refusal for item in report.refused}
    assert refused == {
        ("Ada_L", "broken.jpg"): Refusal.UNREADABLE,
        ("Bo", "tiny.png"): Refusal.UNREADABLE,
        ("Bo", "wall.png"): Refusal.NO_FACE,
        ("Copycat", "0.png"): Refusal.LOOKALIKE,
        ("Nobody", "Nobody"): Refusal.UNREADABLE,
    }
    assert all(item.detail for item in report.refused)
    assert (report.enrolled, report.subjects) == (7, 4)
    assert report.refused_by_reason == {"lookalike": 1, "no_face": 1, "unreadable": 3}


def test_every_result_is_told_as_it_comes(enroller: Enroller, people: Path) -> None:
    told: list[Enrollment] = []
    plan = plan_import(people)
    import_items(plan, enroller, on_result=told.append)
    assert len(told) == len(plan.items) == 7
    assert {item.status for item in told} == {Status.ENROLLED}


@pytest.mark.parametrize("content", ["missing", "empty", "only files", "a file"])
def test_a_folder_without_people_is_refused(tmp_path: Path, content: str) -> None:
    folder = tmp_path / "people"
    if content == "a file":
        folder.write_text("not a folder")
    elif content != "missing":
        folder.mkdir()
    if content == "only files":
        write_person(folder / "ada.png", 1)
    with pytest.raises(UsageError, match="people"):
        plan_import(folder)


def test_folders_with_names_that_cannot_be_are_reported(tmp_path: Path) -> None:
    write_person(tmp_path / "people" / "a\nb" / "0.png", 1)
    write_person(tmp_path / "people" / "Bo" / "0.png", 2)
    plan = plan_import(tmp_path / "people")
    assert [item.name for item in plan.items] == ["Bo"]
    assert ["control character" in problem.detail for problem in plan.problems] == [True]


UNREADABLE = """
import os, sys
from pathlib import Path
from gallery.importer import plan_import
if os.getuid() == 0:
    os.setgid(65534), os.setuid(65534)
plan = plan_import(Path(sys.argv[1]))
print([item.name for item in plan.items], [problem.detail for problem in plan.problems])
"""


def test_an_unreadable_folder_is_reported_and_the_others_are_taken(shared_folder: Path) -> None:
    for person, name in enumerate(("Ada", "Bo")):
        write_person(shared_folder / name / "0.png", person)
        (shared_folder / name).chmod(0o755)
    (shared_folder / "Bo").chmod(0o000)
    done = subprocess.run(
        [sys.executable, "-c", UNREADABLE, str(shared_folder)],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("['Ada'] ")
    assert "Bo cannot be read: Permission denied" in done.stdout


class FullDisk(PhotoFiles):
    """Runs out of space after some photographs."""

    left = 3

    def put(self, photo: object, data: bytes) -> Path:
        if not self.left:
            raise StorageError("cannot keep the photograph: No space left on device")
        self.left -= 1
        return super().put(photo, data)  # type: ignore[arg-type]


def test_a_full_disk_ends_the_import_and_keeps_what_was_enrolled(
    enroller: Enroller, store: GalleryStore, people: Path
) -> None:
    roomy, store.photos = store.photos, FullDisk(store.photos.root)
    with pytest.raises(StorageError, match="No space left"):
        run_import(enroller, people)
    assert len(store.templates()) == store.epoch() == 3
    store.photos = roomy
    report = run_import(enroller, people)
    assert (report.enrolled, report.skipped) == (4, 3)


WORKER = """
import os, signal, sys, threading
from pathlib import Path
from gallery.database import Database
from gallery.enroll import Enroller
from gallery.importer import import_items, plan_import
from gallery.photo_files import PhotoFiles
from gallery.store import GalleryStore
from pipeline.types import Thresholds
from tests.gallery.fakes import make_vision

def die():
    os.kill(os.getpid(), signal.SIGKILL)

class Deadly(PhotoFiles):
    def put(self, photo, data):
        if where == "half written":
            self.path(photo).parent.mkdir(parents=True, exist_ok=True)
            self.path(photo).with_suffix(".tmp").write_bytes(data[:100])
            die()
        super().put(photo, data)
        if where == "before the commit":
            die()

def on_result(result):
    if where == "after the commit":
        die()
    if where == "any instant" and result.status == "enrolled" and threading.active_count() == 1:
        threading.Timer(float(when), die).start()

data, people, where, when = sys.argv[1:]
store = GalleryStore(Database.open(Path(data)))
store.photos = Deadly(store.photos.root)
enroller = Enroller(store, make_vision(), Thresholds(0.995, 0.0))
import_items(plan_import(Path(people)), enroller, on_result=on_result)
"""


def start_import(data: Path, people: Path, where: str = "", when: float = 0.0) -> subprocess.Popen[bytes]:
    """An import in a process of its own, which kills itself at the place and time that are given."""
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(data), str(people), where, str(when)], cwd=REPOSITORY
    )


def check_whole(data: Path) -> set[tuple[str, str]]:
    """Open the gallery and hold every row to its photograph. Returns who is enrolled with what."""
    database = Database.open(data)
    with database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
    store = GalleryStore(database)
    templates = store.templates()
    for template in templates:
        store.photos.read(template.photo)
    snapshot = store.snapshot(KEY)
    assert len(snapshot.template_ids) == len(templates) == store.epoch()
    assert all(subject.templates for subject in store.subjects())
    store.sweep()
    kept = {path.stem for path in store.photos.root.glob("??/*")}
    assert kept == {template.photo.sha256 for template in templates}
    names = store.names([template.subject_id for template in templates])
    database.close()
    return {(names[template.subject_id], template.photo.sha256) for template in templates}


def test_killed_at_any_instant_the_gallery_opens_and_a_rerun_completes_it(tmp_path: Path) -> None:
    people, data = tmp_path / "people", tmp_path / "data"
    for person in range(20):
        for variation in range(3):
            write_person(people / f"person {person:02}" / f"{variation}.png", person, variation)
    assert start_import(tmp_path / "undisturbed", people).wait(60) == 0
    wanted = check_whole(tmp_path / "undisturbed")
    chance = random.Random(7)
    progress = []
    for _ in range(5):
        process = start_import(data, people, "any instant", chance.uniform(0.0, 0.05))
        assert process.wait(60) == -signal.SIGKILL
        progress.append(len(check_whole(data)))
    assert progress == sorted(set(progress))
    assert 0 < progress[0] < progress[-1] < len(wanted)
    assert start_import(data, people).wait(60) == 0
    assert check_whole(data) == wanted


@pytest.mark.parametrize(
    ("where", "kept"), [("half written", 0), ("before the commit", 0), ("after the commit", 1)]
)
def test_killed_at_the_worst_instants(tmp_path: Path, people: Path, where: str, kept: int) -> None:
    data = tmp_path / "killed"
    assert start_import(data, people, where).wait(60) == -signal.SIGKILL
    assert len(check_whole(data)) == kept
    assert start_import(data, people).wait(60) == 0
    assert len(check_whole(data)) == 7


def test_two_imports_at_once_enroll_everything_once(tmp_path: Path, people: Path) -> None:
    data = tmp_path / "shared data"
    both = [start_import(data, people) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert len(check_whole(data)) == 7


def test_an_import_from_copies_of_the_photographs_is_the_same(
    store: GalleryStore, people: Path, tmp_path: Path, thresholds: Thresholds
) -> None:
    run_import(Enroller(store, make_vision(), thresholds), people)
    shutil.copytree(people, tmp_path / "elsewhere")
    report = run_import(Enroller(store, make_vision(), thresholds), tmp_path / "elsewhere")
    assert (report.enrolled, report.skipped) == (0, 7)
