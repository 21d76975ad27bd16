"""From pictures of any size to a network's fixed batches and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pipeline.detect.candidates import Candidates, suppress, to_faces
from pipeline.detect.letterbox import Letterbox
from pipeline.types import ByteArray, Face, check_array

Propose = Callable[[ByteArray], list[Candidates]]
"""Runs uint8 (N, H, W, 3) and gives the proposals of each, in pixels of the batch."""


def detect_batched(
    images_bgr: Sequence[ByteArray], propose: Propose, *, size_px: int, batch_size: int, max_iou: float
) -> list[list[Face]]:
    """Faces of each picture, best first, in its own pixels.

    Pictures that fit the same input shape share batches; the last batch is filled up with black, so
    that a network only ever sees whole batches. A picture without pixels has no faces.

    Args:
        images_bgr: uint8 (H, W, 3) each.
        propose: The network with its decoding.
        size_px: See ``Letterbox.plan``.
        batch_size: How many pictures the network takes at once.
        max_iou: See ``suppress``.

    Raises:
        ValueError: an array is not a picture.
    """
    faces: list[list[Face]] = [[] for _ in images_bgr]
    groups: dict[tuple[int, int], list[tuple[int, Letterbox]]] = {}
    for index, image in enumerate(images_bgr):
        check_array("image_bgr", image, np.uint8, (None, None, 3))
        if image.size:
            letterbox = Letterbox.plan(image.shape[0], image.shape[1], size_px)
            groups.setdefault(letterbox.input_px, []).append((index, letterbox))
    for shape, members in groups.items():
        for start in range(0, len(members), batch_size):
            chunk = members[start : start + batch_size]
            batch = _fill(shape, batch_size, [(box, images_bgr[index]) for index, box in chunk])
            for (index, box), candidates in zip(chunk, propose(batch), strict=False):
                faces[index] = to_faces(suppress(candidates, max_iou), box)
    return faces


def _fill(
    shape: tuple[int, int], batch_size: int, pictures: Sequence[tuple[Letterbox, ByteArray]]
) -> ByteArray:
    if batch_size == 1:
        letterbox, image = pictures[0]
        return letterbox.apply(image)[None]
    batch = np.zeros((batch_size, *shape, 3), np.uint8)
    for row, (letterbox, image) in zip(batch, pictures, strict=False):
        row[:] = letterbox.apply(image)
    return batch
