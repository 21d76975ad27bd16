"""Pictures with many faces of all sizes, put together from photographs of one face each.

Tiles of a scene are photographs turned, scaled and cut, or something without faces; a detector that learnt
seams instead of faces would find them there. Faces cut out along their outline and pasted on other things
teach it not to. Photographs show faces from the front: some are bent as if the head were turned or
lowered, and some have a part covered. What is left of a face then is for a teacher to say: no label counts.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.types import ByteArray, FloatArray
from training.labels import LabelledPhoto

SIDE_PX = 320

_TILES_A_SIDE = (1, 2, 3, 4, 6, 8)
_TILES_SHARES = (0.25, 0.28, 0.2, 0.13, 0.09, 0.05)
_TURN_DEGREES = 30.0
_EMPTY_SHARE = 0.3
_ERASED_SHARE = 0.4
_PASTED_SHARE = 0.25
_BENT_SHARE = 0.4
_COVERED_SHARE = 0.12
_SMALLEST_PX = 8.0
_VISIBLE, _GONE = 0.8, 0.1
_WHOLE = np.array([0, 0, SIDE_PX, SIDE_PX], np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A picture and its faces.

    Attributes:
        image_bgr: uint8 (320, 320, 3).
        boxes: float32 (N, 4).
        landmarks: float32 (N, 5, 2).
        ignored: float32 (M, 4).
    """

    image_bgr: ByteArray
    boxes: FloatArray
    landmarks: FloatArray
    ignored: FloatArray


@dataclass(slots=True)
class _Canvas:
    image: ByteArray
    boxes: list[FloatArray]
    landmarks: list[FloatArray]
    ignored: list[FloatArray]


class SceneMaker:
    """Composes scenes.

    Args:
        photos: With their labels.
        empty_bgr: Pictures without faces, uint8 (H, W, 3) each; may be none.
    """

    def __init__(self, photos: Sequence[LabelledPhoto], empty_bgr: Sequence[ByteArray]) -> None:
        self._photos, self._empty = photos, empty_bgr
        # Decoded once: a scene shows dozens, and decoding them would take half of its time.
        self._decoded: dict[int, ByteArray] = {}

    def scene(self, random: np.random.Generator) -> Scene:
        """One, which depends on `random` alone."""
        canvas = _Canvas(np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8), [], [], [])
        tiles = int(random.choice(_TILES_A_SIDE, p=_TILES_SHARES))
        for tile in _tiles(tiles, random):
            self._fill(canvas, tile, random)
        self._cover(canvas, random)
        if random.random() < _PASTED_SHARE:
            self._paste(canvas, random)
        return _finished(canvas, random)

    def _fill(self, canvas: _Canvas, tile: tuple[int, int, int, int], random: np.random.Generator) -> None:
        x0, y0, x1, y1 = tile
        if random.random() < _EMPTY_SHARE:
            canvas.image[y0:y1, x0:x1] = self._without_faces(x1 - x0, y1 - y0, random)
            return
        photo, image = self._photo(random)
        if len(photo.boxes) and random.random() < _BENT_SHARE:
            photo, image = bent(photo, image, random)
        matrix = _placement(photo, image.shape[:2], (x1 - x0, y1 - y0), random)
        canvas.image[y0:y1, x0:x1] = _warped(image, matrix, (x1 - x0, y1 - y0))
        matrix[:, 2] += (x0, y0)
        _add_labels(canvas, photo, matrix, tile)

    def _photo(self, random: np.random.Generator) -> tuple[LabelledPhoto, ByteArray]:
        """One of them, and what it shows."""
        number = int(random.integers(len(self._photos)))
        if number not in self._decoded:
            self._decoded[number] = self._photos[number].image_bgr()
        return self._photos[number], self._decoded[number]

    def _without_faces(self, width: int, height: int, random: np.random.Generator) -> ByteArray:
        """uint8 (height, width, 3): a photograph whose faces were painted over, a texture, a slope, noise."""
        if random.random() < _ERASED_SHARE:
            image = erased(*self._photo(random))
        elif self._empty and random.random() < 0.8:
            image = self._empty[int(random.integers(len(self._empty)))]
        else:
            image = _abstract(random)
        scale = max(width / image.shape[1], height / image.shape[0]) * random.uniform(1.0, 2.0)
        matrix = _about_middle(image.shape[:2], (width, height), scale, random.uniform(-90, 90))
        return _warped(image, matrix, (width, height))

    def _cover(self, canvas: _Canvas, random: np.random.Generator) -> None:
        """Something in front of a part of some faces."""
        uncovered = [number for number in range(len(canvas.boxes)) if random.random() >= _COVERED_SHARE]
        for box in (box for number, box in enumerate(canvas.boxes) if number not in uncovered):
            canvas.ignored.append(box)
            x0, y0, x1, y1 = (int(each) for each in _cut(_in_front_of(box, random), _WHOLE))
            if x1 - x0 < 2 or y1 - y0 < 2:
                continue
            thing = self._without_faces(x1 - x0, y1 - y0, random)
            weight = _outline(x1 - x0, y1 - y0, random)
            under = canvas.image[y0:y1, x0:x1]
            under[:] = _blended(under, thing, weight)
        canvas.boxes = [canvas.boxes[number] for number in uncovered]
        canvas.landmarks = [canvas.landmarks[number] for number in uncovered]

    def _paste(self, canvas: _Canvas, random: np.random.Generator) -> None:
        """A head cut out along an ellipse, where there is no face yet."""
        photo, image = self._photo(random)
        if len(photo.boxes) != 1 or len(photo.ignored):
            return
        size = float(np.exp(random.uniform(np.log(16), np.log(120))))
        box = photo.boxes[0]
        scale = size / float(np.sqrt(np.prod(box[2:] - box[:2])))
        middle = random.uniform(size / 2, SIDE_PX - size / 2, 2)
        turn = random.uniform(-_TURN_DEGREES, _TURN_DEGREES)
        matrix = _around((box[:2] + box[2:]) / 2, middle, scale, turn)
        head = np.concatenate([middle - size, middle + size]).astype(np.float32)
        if any(_share_inside(head, other) or _share_inside(other, head) for other in _all_boxes(canvas)):
            return
        whole = (SIDE_PX, SIDE_PX)
        mask = np.zeros(image.shape[:2], np.float32)
        centre, axes = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) * random.uniform(0.6, 0.9)
        cv2.ellipse(mask, (centre.tolist(), (2 * axes).tolist(), 0.0), 1.0, -1)
        weight = cv2.warpAffine(mask, matrix, whole)[..., None]
        pasted = cv2.warpAffine(image, matrix, whole)
        canvas.image[:] = _blended(canvas.image, np.asarray(pasted, np.uint8), weight)
        _add_labels(canvas, photo, matrix, (0, 0, *whole))


def bent(
    photo: LabelledPhoto, image: ByteArray, random: np.random.Generator
) -> tuple[LabelledPhoto, ByteArray]:
    """A photograph with one of its faces as if the head were turned or lowered, and no label that counts.

    One half of the face becomes narrow, and what is above its middle longer than what is below.
    """
    height, width = image.shape[:2]
    x0, y0, x1, y1 = photo.boxes[int(random.integers(len(photo.boxes)))].tolist()
    near, far = random.uniform(0.8, 1.2), random.uniform(0.3, 1.0)
    halves = (near, far) if random.random() < 0.5 else (far, near)
    columns = _stretched([0.0, x0, (x0 + x1) / 2, x1, float(width)], [1.0, *halves, 1.0])
    above, below = random.uniform(0.9, 1.6), random.uniform(0.5, 1.1)
    rows = _stretched([0.0, y0, (y0 + y1) / 2, y1, float(height)], [1.0, above, below, 1.0])
    size = (max(8, round(float(columns[1][-1]))), max(8, round(float(rows[1][-1]))))
    # Where each new pixel comes from.
    x, y = np.meshgrid(
        np.interp(np.arange(size[0]), columns[1], columns[0]).astype(np.float32),
        np.interp(np.arange(size[1]), rows[1], rows[0]).astype(np.float32),
    )
    moved = cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    boxes = np.concatenate([photo.boxes, photo.ignored])
    for axis, knots in ((0, columns), (1, rows)):
        boxes[:, axis::2] = np.interp(boxes[:, axis::2], *knots)
    none = np.empty((0, 4), np.float32), np.empty((0, 5, 2), np.float32)
    return LabelledPhoto(photo.encoded, *none, boxes), np.asarray(moved, np.uint8)


def _stretched(knots: list[float], factors: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Places along a side before and after each part between two of them is stretched by its factor."""
    before = np.maximum.accumulate(np.clip(np.array(knots), 0.0, knots[-1]))
    return before, np.concatenate([[0.0], np.cumsum(np.diff(before) * np.array(factors))])


def _in_front_of(box: FloatArray, random: np.random.Generator) -> FloatArray:
    """A box that covers a quarter to six tenths of a face from one of its sides."""
    covering, side = box.copy(), int(random.integers(4))
    share = random.uniform(0.25, 0.6)
    size = box[2:] - box[:2]
    axis, upper = side % 2, side // 2
    margin = 0.3 * size
    covering[:2] -= margin
    covering[2:] += margin
    inner = box[axis] + size[axis] * (1 - share if upper else share)
    covering[axis if upper else axis + 2] = inner
    return np.asarray(covering, np.float32)


def _outline(width: int, height: int, random: np.random.Generator) -> FloatArray:
    """float32 (height, width, 1): 1 where something with a round or a straight edge is."""
    if random.random() < 0.5:
        mask = np.ones((height, width), np.float32)
    else:
        mask = np.zeros((height, width), np.float32)
        centre, axes = (width / 2, height / 2), (width * 1.1, height * 1.1)
        cv2.ellipse(mask, (centre, axes, 0.0), 1.0, -1)
    return np.asarray(mask[..., None], np.float32)


def _blended(under: ByteArray, over: ByteArray, weight: np.ndarray) -> ByteArray:
    """`over` where the weight (H, W, 1) is 1, `under` where it is 0."""
    return np.asarray(np.rint(under * (1 - weight) + over * weight), np.uint8)


def _tiles(count: int, random: np.random.Generator) -> Iterator[tuple[int, int, int, int]]:
    """x0, y0, x1, y1 of rows and columns of uneven size."""
    rows, columns = (_cuts(count, random) for _ in range(2))
    for y0, y1 in itertools.pairwise(rows):
        for x0, x1 in itertools.pairwise(columns):
            yield int(x0), int(y0), int(x1), int(y1)


def _cuts(count: int, random: np.random.Generator) -> FloatArray:
    even = np.linspace(0, SIDE_PX, count + 1)
    even[1:-1] += random.uniform(-0.25, 0.25, count - 1) * SIDE_PX / count
    return np.asarray(np.rint(even), np.float32)


def _placement(
    photo: LabelledPhoto, shape: tuple[int, int], size: tuple[int, int], random: np.random.Generator
) -> np.ndarray:
    """The map (2, 3) from a photograph to a tile that shows a part of it, with a face if it can."""
    fits = max(size[0] / shape[1], size[1] / shape[0])
    scale = fits * float(np.exp(random.uniform(np.log(0.75), np.log(1.8))))
    turn = random.uniform(-_TURN_DEGREES, _TURN_DEGREES)
    if not len(photo.boxes):
        return _about_middle(shape, size, scale, turn)
    box = photo.boxes[int(random.integers(len(photo.boxes)))]
    middle = np.array(size) * random.uniform(0.3, 0.7, 2)
    return _around((box[:2] + box[2:]) / 2, middle, scale, turn)


def _about_middle(
    shape: tuple[int, int], size: tuple[int, int], scale: float, turn_degrees: float
) -> np.ndarray:
    return _around(
        np.array([shape[1] / 2, shape[0] / 2]), np.array([size[0] / 2, size[1] / 2]), scale, turn_degrees
    )


def _around(source: np.ndarray, target: np.ndarray, scale: float, turn_degrees: float) -> np.ndarray:
    """float64 (2, 3): turned and scaled about `source`, which comes to lie at `target`."""
    matrix = cv2.getRotationMatrix2D((float(source[0]), float(source[1])), turn_degrees, scale)
    matrix[:, 2] += np.asarray(target, np.float64) - source
    return np.asarray(matrix, np.float64)


def _warped(image: ByteArray, matrix: np.ndarray, size: tuple[int, int]) -> ByteArray:
    """A part of a picture; reduced by averaging first where it becomes much smaller."""
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    while scale < 0.6 and min(image.shape[:2]) >= 4:
        half = (image.shape[1] // 2, image.shape[0] // 2)
        factor = np.array([image.shape[1] / half[0], image.shape[0] / half[1]])
        image = np.asarray(cv2.resize(image, half, interpolation=cv2.INTER_AREA), np.uint8)
        shift = matrix[:, :2] @ ((factor - 1) / 2)
        matrix = np.column_stack([matrix[:, :2] * factor, matrix[:, 2] + shift])
        scale *= float(factor[0])
    warped = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, np.uint8)


def _add_labels(
    canvas: _Canvas, photo: LabelledPhoto, matrix: np.ndarray, tile: tuple[int, int, int, int]
) -> None:
    """The photograph's faces as the tile shows them; what is cut off or tiny is ignored."""
    bounds = np.array(tile, np.float32)
    for box, points in zip(photo.boxes, photo.landmarks, strict=True):
        moved, landmarks = _moved_box(box, matrix), _moved(points, matrix)
        visible = _share_inside(moved, bounds)
        small = float(np.sqrt(np.prod(moved[2:] - moved[:2]))) < _SMALLEST_PX
        inside = (landmarks >= bounds[:2]).all() and (landmarks <= bounds[2:]).all()
        if visible >= _VISIBLE and inside and not small:
            canvas.boxes.append(moved)
            canvas.landmarks.append(landmarks)
        elif visible > _GONE:
            canvas.ignored.append(_cut(moved, bounds))
    for box in photo.ignored:
        moved = _moved_box(box, matrix)
        if _share_inside(moved, bounds) > _GONE:
            canvas.ignored.append(_cut(moved, bounds))


def _moved(points: np.ndarray, matrix: np.ndarray) -> FloatArray:
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2], np.float32)


def _moved_box(box: FloatArray, matrix: np.ndarray) -> FloatArray:
    """A turned face keeps its box's size: heads are round enough, and corners would make it larger."""
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    middle, half = _moved((box[:2] + box[2:]) / 2, matrix), (box[2:] - box[:2]) * scale / 2
    return np.asarray(np.concatenate([middle - half, middle + half]), np.float32)


def _cut(box: FloatArray, bounds: FloatArray) -> FloatArray:
    return np.concatenate([np.maximum(box[:2], bounds[:2]), np.minimum(box[2:], bounds[2:])])


def _share_inside(box: FloatArray, bounds: FloatArray) -> float:
    """Share of the area of `box` that lies in `bounds`."""
    inside = np.clip(np.minimum(box[2:], bounds[2:]) - np.maximum(box[:2], bounds[:2]), 0, None)
    return float(np.prod(inside) / max(1e-6, float(np.prod(box[2:] - box[:2]))))


def _all_boxes(canvas: _Canvas) -> list[FloatArray]:
    return [*canvas.boxes, *canvas.ignored]


def erased(photo: LabelledPhoto, image: ByteArray) -> ByteArray:
    """The photograph, uint8 (H, W, 3) BGR, with every face painted over from what surrounds it."""
    mask = np.zeros(image.shape[:2], np.uint8)
    for box in (*photo.boxes, *photo.ignored):
        middle, size = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) * 1.25
        cv2.ellipse(mask, (middle.tolist(), size.tolist(), 0.0), 255, -1)
    small = (image.shape[1] // 4, image.shape[0] // 4)
    # Painted at a quarter of the size: telea's method takes its time, and the result is smooth anyway.
    reduced = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    covered = cv2.resize(mask, small, interpolation=cv2.INTER_NEAREST)
    painted = cv2.inpaint(reduced, covered, 3, cv2.INPAINT_TELEA)
    smooth = cv2.resize(painted, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    weight = cv2.GaussianBlur(mask, (0, 0), 2).astype(np.float32)[..., None] / 255
    return _blended(image, np.asarray(smooth, np.uint8), weight)


def _abstract(random: np.random.Generator) -> ByteArray:
    """uint8 (96, 96, 3): coloured noise of some coarseness, as smooth as a wall or as rough as leaves."""
    coarse = int(random.choice([2, 4, 12, 96]))
    noise = random.normal(random.uniform(30, 225), random.uniform(5, 70), (coarse, coarse, 3))
    grown = cv2.resize(noise, (96, 96), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(grown, 0, 255), np.uint8)


def _finished(canvas: _Canvas, random: np.random.Generator) -> Scene:
    """As a camera hands it over: light, blur, noise, compression; mirrored half of the time."""
    image = _as_seen(canvas.image, random)
    boxes = np.reshape(np.array(canvas.boxes, np.float32), (-1, 4))
    landmarks = np.reshape(np.array(canvas.landmarks, np.float32), (-1, 5, 2))
    ignored = np.reshape(np.array(canvas.ignored, np.float32), (-1, 4))
    if random.random() < 0.5:
        image = np.ascontiguousarray(image[:, ::-1])
        boxes, ignored = _mirrored_boxes(boxes), _mirrored_boxes(ignored)
        landmarks = landmarks[:, [1, 0, 2, 4, 3]]
        landmarks[..., 0] = SIDE_PX - 1 - landmarks[..., 0]
    return Scene(image, boxes, landmarks, ignored)


def _mirrored_boxes(boxes: FloatArray) -> FloatArray:
    mirrored = boxes.copy()
    mirrored[:, [0, 2]] = SIDE_PX - 1 - boxes[:, [2, 0]]
    return mirrored


def _as_seen(image: ByteArray, random: np.random.Generator) -> ByteArray:
    if random.random() < 0.5:
        curve = np.arange(256) / 255.0
        curve = 255.0 * curve ** random.uniform(0.5, 1.8) * random.uniform(0.6, 1.3)
        image = np.asarray(cv2.LUT(image, np.clip(np.rint(curve), 0, 255).astype(np.uint8)), np.uint8)
    if random.random() < 0.1:
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        image = np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)
    if random.random() < 0.25:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), random.uniform(0.4, 2.0)), np.uint8)
    if random.random() < 0.25:
        noise = random.normal(0.0, random.uniform(2.0, 14.0), image.shape)
        image = np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)
    if random.random() < 0.5:
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(25, 95))])
        image = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return image
