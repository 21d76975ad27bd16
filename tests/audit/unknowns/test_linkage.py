"""Which group a face joins, held against a plain reading of the rule."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.unknowns.linkage import Grouped, Linkage, Near, Pool
from pipeline.types import FloatArray, Thresholds
from tests.audit.unknowns.people import like, person, unit


def pool_of(faces: Iterable[tuple[str, FloatArray]]) -> Pool:
    """Groups of one look each."""
    return Pool(Grouped(name, name, vector) for name, vector in faces)


def by_hand(
    faces: list[tuple[str, FloatArray]], vector: FloatArray, linkage: Linkage
) -> tuple[str, float] | None:
    links = []
    for group in sorted({name for name, _ in faces}):
        found = sorted(
            round(float(np.dot(face.astype(np.float64), vector.astype(np.float64))), 6)
            for name, face in faces
            if name == group
        )
        best = found[-linkage.best_of :]
        links.append((group, round(sum(best) / len(best), 6)))
    near = [pair for pair in links if pair[1] >= linkage.threshold]
    return min(near, key=lambda pair: (-pair[1], pair[0]), default=None)


@given(
    names=st.lists(st.sampled_from("abcde"), max_size=30),
    seed=st.integers(0, 1000),
    threshold=st.sampled_from([-0.5, 0.0, 0.3, 0.6]),
    best_of=st.integers(1, 5),
)
def test_the_nearest_group_is_the_one_that_the_rule_says(
    names: list[str], seed: int, threshold: float, best_of: int
) -> None:
    random = np.random.default_rng(seed)
    vectors = [unit(random.normal(size=5).astype(np.float32)) for _ in range(len(names) + 1)]
    faces = list(zip(names, vectors, strict=False))
    linkage = Linkage(threshold, best_of)
    pool, wanted = pool_of(faces), by_hand(faces, vectors[-1], linkage)
    found = pool.nearest(vectors[-1], linkage)
    assert len(pool) == len(names)
    assert (found is None) == (wanted is None)
    if found is not None and wanted is not None:
        assert found.link == pytest.approx(wanted[1], abs=2e-6)


def test_one_bad_picture_does_not_draw_strangers_in() -> None:
    faces = [("a", person(0)), ("a", like(0, 0.95)), ("a", like(0, 0.6, other=5))]
    stranger = person(5)
    assert pool_of(faces).nearest(stranger, Linkage(0.45, best_of=1)) == Near("a", "a", 0.8)
    assert pool_of(faces).nearest(stranger, Linkage(0.45, best_of=3)) is None


def test_somebody_s_profile_joins_a_group_of_front_views() -> None:
    """Two members look alike; most do not."""
    front = [("a", like(0, 0.99, other=number)) for number in range(1, 9)]
    profile = like(0, 0.3, other=14)
    turned = [("a", like(0, 0.5, other=14)), ("a", like(0, 0.45, other=14)), ("a", like(0, 0.6, other=14))]
    pool = pool_of(front + turned)
    assert pool.nearest(profile, Linkage(0.6, best_of=3)) is not None
    assert pool.nearest(profile, Linkage(0.6, best_of=11)) is None


def test_ties_go_to_the_smaller_id() -> None:
    for order in ("ab", "ba"):
        pool = pool_of((name, person(0)) for name in order)
        assert pool.nearest(person(0), Linkage(0.5)) == Near("a", "a", 1.0)


def test_an_empty_pool_has_no_groups() -> None:
    assert Pool().nearest(person(0), Linkage(-1.0)) is None
    assert Pool().alike("a", Linkage(-1.0)) == []


def test_groups_are_alike_by_their_most_similar_pairs() -> None:
    pool = pool_of(
        [
            ("a", person(0)),
            ("a", like(0, 0.8)),
            ("b", like(0, 0.9, other=1)),
            ("c", person(2)),
            ("d", like(0, 0.5, other=3)),
        ]
    )
    found = pool.alike("a", Linkage(0.4, best_of=2))
    assert [(name, round(link, 3)) for name, link in found] == [("b", 0.81), ("d", 0.45)]
    assert pool.alike("nobody", Linkage(-1.0)) == []


def test_the_threshold_that_names_subjects_is_the_default() -> None:
    assert Linkage.of(Thresholds(0.454, 0.05)) == Linkage(0.454, 3)


@pytest.mark.parametrize("values", [(1.5, 3), (float("nan"), 3), (0.5, 0)])
def test_a_rule_that_cannot_be_is_refused(values: tuple[float, int]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Linkage(*values)


def test_a_face_joins_a_group_by_one_of_its_looks() -> None:
    front = [Grouped("a", "front", person(0)), Grouped("a", "front", like(0, 0.9))]
    profile = [Grouped("a", "profile", person(1))]
    pool = Pool(front + profile)
    assert pool.nearest(like(1, 0.8), Linkage(0.5)) == Near("a", "profile", 0.8)
    near = pool.nearest(like(0, 0.9, other=1), Linkage(0.5))
    assert near is not None
    assert near.look == "front"
    assert Pool([*front, Grouped("a", "front", person(1))]).nearest(like(1, 0.8), Linkage(0.5)) is None
