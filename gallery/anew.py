"""The gallery of an epoch as another embedder or purifier would have made it; nothing is kept."""

from __future__ import annotations

import numpy as np

from gallery.records import Snapshot
from gallery.reembed import embedded_anew
from gallery.store import GalleryStore
from gallery.vision import Vision
from pipeline.errors import GalleryCorrupt


def snapshot_anew(store: GalleryStore, vision: Vision, epoch: int) -> Snapshot:
    """All templates of an epoch, made again from the kept photographs with ``vision.embedder``.

    Raises:
        GalleryCorrupt: a photograph is missing or damaged.
        UsageError: that epoch has not been yet.
    """
    pairs, broken = embedded_anew(store, store.templates(epoch=epoch), vision)
    if broken:
        raise GalleryCorrupt(
            f"{len(broken)} photographs of gallery epoch {epoch} cannot be embedded again: "
            f"{next(iter(broken.values()))}"
        )
    vectors = [new.embedding.vector for _, new in pairs]
    return Snapshot(
        vision.embedder.key,
        epoch,
        np.array([old.id for old, _ in pairs], np.int64),
        tuple(old.subject_id for old, _ in pairs),
        np.stack(vectors) if vectors else np.empty((0, 0), np.float32),
        store.list_thresholds(epoch),
    )
