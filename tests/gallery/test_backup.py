"""Backups are consistent while others write; restores are verified and all or nothing."""

from __future__ import annotations

import json
import shutil
import stat
import threading
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from gallery.backup import MANIFEST, backup
from gallery.database import DATABASE_NAME, Database
from gallery.enroll import Enroller
from gallery.export import export
from gallery.importer import import_items, plan_import
from gallery.lists import WatchLists
from gallery.restore import KEPT_AS, restore
from gallery.store import GalleryStore
from pipeline.errors import GalleryBusy, GalleryCorrupt, StorageError, UsageError
from pipeline.types import Thresholds
from tests.gallery.fakes import KEY, make_vision, write_person


@pytest.fixture
def filled(enroller: Enroller, store: GalleryStore, people: Path) -> GalleryStore:
    import_items(plan_import(people), enroller)
    return store


def contents(folder: Path) -> list[tuple[str, int, bytes]]:
    """Name, number of photographs and the photographs' bytes of everybody in a data folder."""
    database = Database.open(folder)
    store = GalleryStore(database)
    found = [
        (
            subject.name,
            subject.templates,
            b"".join(store.photos.read(template.photo) for template in store.templates(subject.id)),
        )
        for subject in store.subjects()
    ]
    database.close()
    return found


def test_what_was_backed_up_comes_back(filled: GalleryStore, tmp_path: Path) -> None:
    before = contents(tmp_path / "data")
    report = backup(filled.database, tmp_path / "gallery.backup")
    assert (report.photos, report.missing) == (7, ())
    assert restore(tmp_path / "gallery.backup", tmp_path / "new") == 7
    assert contents(tmp_path / "new") == before
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["photos", DATABASE_NAME]


def test_only_the_owner_may_read_a_backup(filled: GalleryStore, tmp_path: Path) -> None:
    backup(filled.database, tmp_path / "gallery.backup")
    assert stat.S_IMODE((tmp_path / "gallery.backup").stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_a_backup_made_while_others_write_is_whole(
    store: GalleryStore, thresholds: Thresholds, tmp_path: Path
) -> None:
    done = threading.Event()

    def enroll() -> None:
        enroller = Enroller(GalleryStore(store.database), make_vision(), thresholds)
        number = 0
        while not done.is_set():
            number += 1
            enroller.enroll(f"person {number}", [write_person(tmp_path / f"{number}.png", number * 100)])

    writer = threading.Thread(target=enroll)
    writer.start()
    try:
        for number in range(4):
            report = backup(store.database, tmp_path / f"{number}.backup")
            assert report.missing == ()
            restore(tmp_path / f"{number}.backup", tmp_path / f"restored {number}")
            assert len(contents(tmp_path / f"restored {number}")) == report.photos
    finally:
        done.set()
        writer.join()


def test_an_existing_gallery_is_replaced_only_by_force_and_is_kept(
    filled: GalleryStore, tmp_path: Path
) -> None:
    backup(filled.database, tmp_path / "gallery.backup")
    wanted = contents(tmp_path / "data")
    filled.remove("Bo")
    filled.rename("Dmitri", "Renamed")
    filled.database.close()
    with pytest.raises(UsageError, match="--force"):
        restore(tmp_path / "gallery.backup", tmp_path / "data")
    restore(tmp_path / "gallery.backup", tmp_path / "data", force=True)
    assert contents(tmp_path / "data") == wanted
    (tmp_path / "data" / DATABASE_NAME).unlink()
    (tmp_path / "data" / KEPT_AS).rename(tmp_path / "data" / DATABASE_NAME)
    assert [name for name, _, _ in contents(tmp_path / "data")] == ["Ada_L", "Chloé", "Renamed"]


def test_a_damaged_database_can_be_restored_over(filled: GalleryStore, tmp_path: Path) -> None:
    backup(filled.database, tmp_path / "gallery.backup")
    wanted = contents(tmp_path / "data")
    filled.database.close()
    (tmp_path / "data" / DATABASE_NAME).write_bytes(b"damage" * 1000)
    (tmp_path / "data" / (DATABASE_NAME + "-wal")).write_bytes(b"old log" * 1000)
    restore(tmp_path / "gallery.backup", tmp_path / "data", force=True)
    assert contents(tmp_path / "data") == wanted


def test_a_gallery_in_use_is_not_replaced(filled: GalleryStore, tmp_path: Path) -> None:
    backup(filled.database, tmp_path / "gallery.backup")
    with filled.database.read() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM subjects").scalar()
        with pytest.raises(GalleryBusy, match="held by another process"):
            restore(tmp_path / "gallery.backup", tmp_path / "data", force=True, wait_s=0.05)
    assert len(filled.subjects()) == 4


def rewrite(source: Path, target: Path, change: dict[str, bytes | None]) -> Path:
    """A copy of a backup with members replaced, or left out."""
    with zipfile.ZipFile(source) as before, zipfile.ZipFile(target, "w") as after:
        for name in before.namelist():
            data = change.get(name, before.read(name))
            if data is not None:
                after.writestr(name, data)
    return target


def test_damaged_backups_are_refused_and_change_nothing(filled: GalleryStore, tmp_path: Path) -> None:
    good = tmp_path / "good.backup"
    backup(filled.database, good)
    with zipfile.ZipFile(good) as archive:
        photo = next(name for name in archive.namelist() if name.startswith("photos/"))
        manifest = json.loads(archive.read(MANIFEST))
    bad = [
        rewrite(good, tmp_path / "1", {photo: b"something else"}),
        rewrite(good, tmp_path / "2", {photo: None}),
        rewrite(good, tmp_path / "3", {DATABASE_NAME: b"something else"}),
        rewrite(good, tmp_path / "4", {MANIFEST: None}),
        rewrite(good, tmp_path / "5", {MANIFEST: b"{"}),
        rewrite(good, tmp_path / "6", {MANIFEST: json.dumps(manifest | {"format": "other"}).encode()}),
        tmp_path / "7",
        tmp_path / "8",
    ]
    (tmp_path / "7").write_bytes(good.read_bytes()[:-200])
    (tmp_path / "8").write_text("not a backup")
    before = contents(tmp_path / "data")
    for path in bad:
        with pytest.raises(GalleryCorrupt, match=str(path)):
            restore(path, tmp_path / "data", force=True)
        assert contents(tmp_path / "data") == before
        assert not list((tmp_path / "data").glob(".restore-*"))


def test_a_newer_backup_is_refused(filled: GalleryStore, tmp_path: Path) -> None:
    backup(filled.database, tmp_path / "gallery.backup")
    with zipfile.ZipFile(tmp_path / "gallery.backup") as archive:
        manifest = json.loads(archive.read(MANIFEST)) | {"schema": "9999"}
    newer = rewrite(
        tmp_path / "gallery.backup", tmp_path / "newer", {MANIFEST: json.dumps(manifest).encode()}
    )
    with pytest.raises(UsageError, match="newer Pinwatch"):
        restore(newer, tmp_path / "new")


def test_a_missing_backup_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no backup .*nowhere"):
        restore(tmp_path / "nowhere", tmp_path / "new")


def test_a_lost_photograph_does_not_stop_a_backup_but_is_told(filled: GalleryStore, tmp_path: Path) -> None:
    lost = filled.templates()[2].photo
    filled.photos.path(lost).unlink()
    report = backup(filled.database, tmp_path / "gallery.backup")
    assert report.missing == (lost.sha256,)
    assert restore(tmp_path / "gallery.backup", tmp_path / "new") == 6


def test_a_backup_that_cannot_be_written_is_a_storage_error(filled: GalleryStore, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot write the backup"):
        backup(filled.database, tmp_path / "nowhere" / "gallery.backup")


def test_a_full_disk_keeps_the_former_backup_and_the_former_gallery(
    filled: GalleryStore, tmp_path: Path, full_disk: Callable[[int], AbstractContextManager[None]]
) -> None:
    target = tmp_path / "gallery.backup"
    backup(filled.database, target)
    former = target.read_bytes()
    with full_disk(50_000), pytest.raises(StorageError):
        backup(filled.database, target)
    assert target.read_bytes() == former
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    before = contents(tmp_path / "data")
    with full_disk(50_000), pytest.raises(StorageError, match="cannot restore"):
        restore(target, tmp_path / "data", force=True)
    assert contents(tmp_path / "data") == before
    assert not list((tmp_path / "data").glob(".restore-*"))


def test_an_export_can_be_imported_again(
    filled: GalleryStore, tmp_path: Path, thresholds: Thresholds
) -> None:
    WatchLists(filled.database).add("Banned", purpose="thieves")
    assert export(filled, tmp_path / "out") == 7
    document = json.loads((tmp_path / "out" / "gallery.json").read_text())
    assert [subject["name"] for subject in document["subjects"]] == ["Ada_L", "Bo", "Chloé", "Dmitri"]
    assert [found["purpose"] for found in document["lists"]] == ["thieves"]
    assert document["subjects"][0]["photos"][0]["embedder"] == "fake@1"
    other = Database.open(tmp_path / "again")
    again = GalleryStore(other)
    report = import_items(
        plan_import(tmp_path / "out" / "people"), Enroller(again, make_vision(), thresholds)
    )
    assert (report.enrolled, report.subjects, report.refused) == (7, 4, ())
    assert sorted(again.snapshot(KEY).vectors.tolist()) == sorted(filled.snapshot(KEY).vectors.tolist())
    other.close()


def test_an_export_overwrites_nothing(filled: GalleryStore, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        export(filled, tmp_path / "out")
    shutil.rmtree(tmp_path / "out")
    (tmp_path / "out").write_text("a file")
    with pytest.raises(UsageError, match="not empty"):
        export(filled, tmp_path / "out")
