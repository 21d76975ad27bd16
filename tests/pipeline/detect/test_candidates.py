from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.detect.candidates import Candidates, pairwise_iou, suppress, to_faces
from pipeline.detect.letterbox import Letterbox
from pipeline.types import FloatArray

box = st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(1, 30), st.integers(1, 30))
Items = list[tuple[tuple[int, int, int, int], float]]
proposals = st.lists(st.tuples(box, st.sampled_from([0.3, 0.5, 0.5, 0.7, 0.9])), max_size=25)


def made(items: Items) -> Candidates:
    boxes = np.array([(x, y, x + w, y + h) for (x, y, w, h), _ in items], np.float32).reshape(-1, 4)
    scores = np.array([score for _, score in items], np.float32)
    return Candidates(boxes, np.zeros((len(items), 5, 2), np.float32), scores)


def slow_iou(a: FloatArray, b: FloatArray) -> float:
    """By counting cells of a grid: independent of the formula under test."""
    grid = np.zeros((80, 80), int)
    for left, top, right, bottom in (a.astype(int), b.astype(int)):
        grid[top:bottom, left:right] += 1
    return float((grid == 2).sum() / (grid > 0).sum())


@given(proposals, proposals)
def test_overlap_is_what_counting_cells_gives(a: Items, b: Items) -> None:
    first, second = made(a).boxes, made(b).boxes
    table = pairwise_iou(first, second)
    assert table.shape == (len(first), len(second))
    for i, j in np.ndindex(table.shape):
        assert abs(table[i, j] - slow_iou(first[i], second[j])) < 1e-5


@given(proposals, st.floats(0.05, 0.95))
def test_what_is_kept_does_not_overlap_and_what_is_dropped_has_a_better_neighbour(
    items: Items, limit: float
) -> None:
    before, after = made(items).best_first(), suppress(made(items), limit)
    among = pairwise_iou(after.boxes, after.boxes)
    np.fill_diagonal(among, 0)
    assert (among <= limit).all()
    kept_scores = list(after.scores)
    assert kept_scores == sorted(kept_scores, reverse=True)
    for candidate, score in zip(before.boxes, before.scores, strict=True):
        overlap = pairwise_iou(candidate[None], after.boxes)[0]
        assert ((overlap > limit) & (after.scores >= score)).any() or (after.boxes == candidate).all(
            axis=1
        ).any()


def test_equal_scores_keep_the_order_of_the_anchors() -> None:
    kept = suppress(made([((0, 0, 10, 10), 0.5), ((30, 30, 10, 10), 0.5), ((1, 1, 10, 10), 0.5)]), 0.3)
    assert kept.boxes[:, 0].tolist() == [0, 30]


def test_thousands_of_proposals_are_bounded() -> None:
    many = np.tile(np.array([[0, 0, 5, 5]], np.float32), (30_000, 1))
    flood = Candidates(many, np.zeros((30_000, 5, 2), np.float32), np.full(30_000, 0.9, np.float32))
    assert len(suppress(flood, 0.3).scores) == 1


def test_what_is_not_finite_is_left_out() -> None:
    wild = made([((0, 0, 10, 10), 0.9), ((20, 20, 10, 10), 0.8)])
    wild.boxes[0, 2] = np.inf
    (face,) = to_faces(wild, Letterbox.plan(64, 64, 64))
    assert face.bbox[0] == 20
