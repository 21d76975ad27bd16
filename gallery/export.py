"""The gallery as a folder that anything can read, and `gallery import` as well."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gallery.lists import WatchLists
from gallery.records import StoredTemplate, Subject
from gallery.store import GalleryStore
from pipeline.errors import StorageError, UsageError

PEOPLE = "people"
INDEX = "gallery.json"


def export(store: GalleryStore, folder: Path) -> int:
    """Write ``people/<name>/<photo>`` for everybody, and ``gallery.json`` with all that is known of them.

    Templates are left out: they are worth nothing without the very embedder, and can be made again.

    Returns:
        The number of photographs written.

    Raises:
        UsageError: the folder is there and not empty.
        GalleryCorrupt: a photograph is missing or damaged.
        StorageError: the folder cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not empty: name a folder that does not exist yet")
    subjects = {subject.id: subject for subject in store.subjects()}
    templates = [found for found in store.templates() if found.subject_id in subjects]
    try:
        (folder / PEOPLE).mkdir(parents=True, exist_ok=True)
        for template in templates:
            _copy(store, template, folder / PEOPLE / subjects[template.subject_id].name)
        text = json.dumps(_document(store, subjects, templates), indent=1, ensure_ascii=False)
        (folder / INDEX).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise StorageError(f"cannot write the export {folder}: {error.strerror}") from error
    return len(templates)


def _copy(store: GalleryStore, template: StoredTemplate, person: Path) -> None:
    store.photos.read(template.photo)  # refuses what is not the photograph that was enrolled
    person.mkdir(exist_ok=True)
    shutil.copyfile(store.photos.path(template.photo), person / _file_name(template))


def _file_name(template: StoredTemplate) -> str:
    return f"{template.photo.sha256}.{template.photo.extension}"


def _document(
    store: GalleryStore, subjects: dict[str, Subject], templates: list[StoredTemplate]
) -> dict[str, Any]:
    return {
        "epoch": store.epoch(),
        "subjects": [
            {
                "id": subject.id,
                "name": subject.name,
                "created_at": subject.created_at,
                "photos": [_photo(found) for found in templates if found.subject_id == subject.id],
            }
            for subject in subjects.values()
        ],
        "lists": [asdict(found) for found in WatchLists(store.database).lists()],
    }


def _photo(template: StoredTemplate) -> dict[str, Any]:
    return {
        "file": _file_name(template),
        "original_name": template.photo.original_name,
        "bbox": template.face.bbox.tolist(),
        "landmarks": template.face.landmarks.tolist(),
        "quality": template.quality,
        "detector": template.detector_id,
        "embedder": template.key.model_id,
        "purifier": template.key.purifier_id,
        "align_version": template.key.align_version,
    }
