"""Between rows of the database and the values that they hold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from sqlalchemy import RowMapping

from gallery.records import NewTemplate, PhotoRecord, StoredTemplate
from pipeline.errors import GalleryCorrupt
from pipeline.types import Face, FloatArray, TemplateKey

_LITTLE_FLOAT = np.dtype("<f4")


def key_values(key: TemplateKey) -> dict[str, str]:
    return {
        "model_id": key.model_id,
        "purifier_id": key.purifier_id,
        "align_version": key.align_version,
    }


def key_of(row: RowMapping) -> TemplateKey:
    return TemplateKey(row["model_id"], row["purifier_id"], row["align_version"])


def vector_blob(vector: FloatArray) -> bytes:
    """float32 (D,) as little-endian bytes, the same on every machine."""
    return vector.astype(_LITTLE_FLOAT).tobytes()


def vectors_of(blobs: Sequence[bytes]) -> FloatArray:
    """float32 (N, D) from N blobs; (0, 0) from none.

    Raises:
        GalleryCorrupt: the blobs are not of one length, or hold no numbers.
    """
    if not blobs:
        return np.empty((0, 0), np.float32)
    lengths = {len(blob) for blob in blobs}
    if len(lengths) != 1 or lengths.pop() % _LITTLE_FLOAT.itemsize:
        raise GalleryCorrupt(
            "templates of one model differ in length: bring back a backup, or make them again with "
            "`pinwatch gallery reembed --force`"
        )
    vectors = np.frombuffer(b"".join(blobs), _LITTLE_FLOAT).reshape(len(blobs), -1).astype(np.float32)
    if not np.isfinite(vectors).all():
        raise GalleryCorrupt(
            "a template holds values that are not numbers: bring back a backup, or make the templates "
            "again with `pinwatch gallery reembed --force`"
        )
    return vectors


def face_text(face: Face) -> str:
    """A face as JSON; float32 values pass through it unchanged."""
    return json.dumps(
        {"bbox": face.bbox.tolist(), "landmarks": face.landmarks.tolist(), "score": face.score},
        separators=(",", ":"),
    )


def face_of(text: str) -> Face:
    parts = json.loads(text)
    return Face(
        np.array(parts["bbox"], np.float32),
        np.array(parts["landmarks"], np.float32),
        float(parts["score"]),
    )


def photo_values(photo: PhotoRecord) -> dict[str, Any]:
    return {
        "sha256": photo.sha256,
        "extension": photo.extension,
        "original_name": photo.original_name,
        "width_px": photo.width_px,
        "height_px": photo.height_px,
        "size_bytes": photo.size_bytes,
    }


def photo_of(row: RowMapping) -> PhotoRecord:
    return PhotoRecord(
        sha256=row["sha256"],
        extension=row["extension"],
        original_name=row["original_name"],
        width_px=row["width_px"],
        height_px=row["height_px"],
        size_bytes=row["size_bytes"],
    )


def template_values(template: NewTemplate) -> dict[str, Any]:
    return {
        **key_values(template.embedding.key),
        "vector": vector_blob(template.embedding.vector),
        "quality": template.quality,
        "detector_id": template.detector_id,
        "face": face_text(template.face),
    }


def template_of(row: RowMapping) -> StoredTemplate:
    return StoredTemplate(
        id=row["id"],
        subject_id=row["subject_id"],
        photo=photo_of(row),
        key=key_of(row),
        face=face_of(row["face"]),
        quality=row["quality"],
        detector_id=row["detector_id"],
        epoch_added=row["epoch_added"],
    )
