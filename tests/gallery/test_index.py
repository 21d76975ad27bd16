"""Both indexes keep the contract, and give the same answers on anything that is thrown at them."""

from __future__ import annotations

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gallery.code_scan import CANDIDATE_VALUES
from gallery.exact import ExactIndex
from gallery.index import EXACT_VALUES, FaissIndex
from gallery.records import Delta, Snapshot
from pipeline.types import Embedding, TemplateKey
from tests.contracts.gallery_index import KEY, GalleryIndexContract, Make

# Products of these are exact in float32 in any order of summation, so equal answers must be equal
# to the bit, and there are plenty of ties.
HALVES = [np.array(signs, np.float32) / 2 for signs in np.ndindex(2, 2, 2, 2)]
UNITS = [vector * 2 - 0.5 for vector in HALVES] + [np.eye(4, dtype=np.float32)[axis] for axis in range(4)]

vectors = st.sampled_from(UNITS)
subject_ids = st.sampled_from([f"s{number}" for number in range(6)])
templates = st.lists(st.tuples(subject_ids, vectors), max_size=60)
changes = st.lists(st.tuples(templates, st.sets(st.integers(0, 200), max_size=40)), max_size=4)


class TestFaissIndex(GalleryIndexContract):
    @pytest.fixture
    def make(self) -> Make:
        return FaissIndex


class TestLargeGallery(GalleryIndexContract):
    """The same with codes scanned first, which small galleries do not need."""

    @pytest.fixture
    def make(self) -> Make:
        return lambda snapshot: FaissIndex(snapshot, exact_values=0)


class TestExactIndex(GalleryIndexContract):
    @pytest.fixture
    def make(self) -> Make:
        return ExactIndex


def as_delta(since: int, first_id: int, added: list[tuple[str, np.ndarray]], gone: list[int]) -> Delta:
    table = np.array([vector for _, vector in added], np.float32).reshape(len(added), 4)
    ids = np.arange(first_id, first_id + len(added), dtype=np.int64)
    owners = tuple(owner for owner, _ in added)
    return Delta(KEY, since, since + 1, ids, owners, table, np.array(gone, np.int64))


@pytest.mark.parametrize("exact_values", [EXACT_VALUES, 0, 200])
@given(changes=changes, probe=vectors, count=st.integers(1, 8))
@settings(max_examples=150)
def test_both_give_the_same_answers(
    changes: list[tuple[list[tuple[str, np.ndarray]], set[int]]],
    probe: np.ndarray,
    count: int,
    exact_values: int,
) -> None:
    empty = Snapshot(KEY, 0, np.empty(0, np.int64), (), np.empty((0, 0), np.float32))
    fast, exact = FaissIndex(empty, exact_values), ExactIndex(empty)
    live: set[int] = set()
    next_id = 1
    for epoch, (added, picks) in enumerate(changes):
        gone = sorted({sorted(live)[pick % len(live)] for pick in picks} if live else set())
        change = as_delta(epoch, next_id, added, gone)
        live = (live - set(gone)) | set(change.added_ids.tolist())
        next_id += len(added)
        fast.apply(change)
        exact.apply(change)
        wanted = Embedding(probe, KEY)
        assert fast.search(wanted, count) == exact.search(wanted, count)
        assert len(fast) == len(exact) == len(live)


def random_snapshot(templates: int, dim: int, seed: int = 0) -> Snapshot:
    table = np.random.default_rng(seed).normal(size=(templates, dim)).astype(np.float32)
    table /= np.linalg.norm(table, axis=1, keepdims=True)
    ids = np.arange(1, templates + 1, dtype=np.int64)
    return Snapshot(KEY, 1, ids, tuple(f"s{n // 3:04}" for n in range(templates)), table)


@pytest.mark.parametrize("dim", [128, 256, 512])
def test_they_agree_on_vectors_as_embedders_make_them(dim: int) -> None:
    gallery = random_snapshot(1000, dim)
    fast, exact = FaissIndex(gallery), ExactIndex(gallery)
    for row in gallery.vectors[::97]:
        probe = Embedding(row, KEY)
        for ours, truth in zip(fast.search(probe, 5), exact.search(probe, 5), strict=True):
            assert ours.subject_id == truth.subject_id
            assert ours.similarity == pytest.approx(truth.similarity, abs=2e-6)


def test_the_same_template_scores_the_same_wherever_it_stands() -> None:
    """Else the index after many changes and the one rebuilt from the database could decide differently."""
    gallery = random_snapshot(301, 256)
    backwards = Snapshot(
        KEY, 1, gallery.template_ids, gallery.subject_ids[::-1], np.ascontiguousarray(gallery.vectors[::-1])
    )
    one, other = FaissIndex(gallery), FaissIndex(backwards)
    for row in random_snapshot(20, 256, seed=1).vectors:
        probe = Embedding(row, KEY)
        assert one.search(probe, 150) == other.search(probe, 150)


def test_an_index_of_another_key_refuses_changes() -> None:
    gallery = random_snapshot(3, 4)
    none = np.empty(0, np.int64)
    change = Delta(TemplateKey("other", "none"), 1, 2, none, (), np.empty((0, 0), np.float32), none)
    with pytest.raises(ValueError, match="other"):
        FaissIndex(gallery).apply(change)


def as_probes_of(gallery: Snapshot, similarity: float, seed: int = 2) -> np.ndarray:
    """Float32 (N, D): of every 50th template somebody that similar to it, otherwise at random."""
    templates = gallery.vectors[::50]
    other = np.random.default_rng(seed).normal(size=templates.shape)
    other -= (other * templates).sum(axis=1, keepdims=True) * templates
    other /= np.linalg.norm(other, axis=1, keepdims=True)
    return np.asarray(similarity * templates + np.sqrt(1 - similarity**2) * other, np.float32)


@pytest.mark.parametrize("dim", [128, 256, 500, 512])
def test_a_large_gallery_finds_whom_comparing_everybody_finds(dim: int) -> None:
    gallery = random_snapshot(10_000, dim)
    large, exact = FaissIndex(gallery, exact_values=0), FaissIndex(gallery)
    for row in as_probes_of(gallery, 0.45):
        probe = Embedding(row, KEY)
        assert large.search(probe, 1) == exact.search(probe, 1), "to the bit"


def test_a_large_gallery_answers_the_same_however_it_came_to_be() -> None:
    gallery = random_snapshot(3 * CANDIDATE_VALUES // 512, 512)
    one = FaissIndex(gallery, exact_values=0)
    order = np.random.default_rng(3).permutation(len(gallery.template_ids))
    none = Snapshot(KEY, 0, np.empty(0, np.int64), (), np.empty((0, 0), np.float32))
    other = FaissIndex(none, exact_values=0)
    passing = random_snapshot(500, 512, seed=4)
    gone = passing.template_ids + 10**6
    nothing = np.empty(0, np.int64)
    owners = np.array(gallery.subject_ids, np.object_)
    for epoch, part in enumerate(np.array_split(order, 7)):
        ids, vectors = gallery.template_ids[part], gallery.vectors[part]
        removed = nothing
        if epoch == 2:
            ids, vectors = np.concatenate([ids, gone]), np.concatenate([vectors, passing.vectors])
        if epoch == 5:
            removed = gone
        names = (*owners[part], *passing.subject_ids)[: len(ids)]
        other.apply(Delta(KEY, epoch, epoch + 1, ids, names, vectors, removed))
    assert len(one) == len(other)
    for row in as_probes_of(gallery, 0.3):
        probe = Embedding(row, KEY)
        assert one.search(probe, 200) == other.search(probe, 200)


def test_a_gallery_that_shrinks_is_compared_as_a_whole_again() -> None:
    gallery = random_snapshot(300, 64)
    index = FaissIndex(gallery, exact_values=200 * 64)
    none = np.empty(0, np.int64)
    index.apply(Delta(KEY, 1, 2, none, (), np.empty((0, 64), np.float32), gallery.template_ids[:150]))
    rest = Snapshot(KEY, 2, gallery.template_ids[150:], gallery.subject_ids[150:], gallery.vectors[150:])
    for row in random_snapshot(20, 64, seed=5).vectors:
        probe = Embedding(row, KEY)
        assert index.search(probe, 50) == FaissIndex(rest).search(probe, 50)


@pytest.mark.parametrize("exact_values", [EXACT_VALUES, 0])
def test_similarities_do_not_depend_on_the_threads_of_the_machine(exact_values: int) -> None:
    """FAISS sums in another order where it has several threads and many templates."""
    index = FaissIndex(random_snapshot(10_000, 256), exact_values)
    probes = [Embedding(row, KEY) for row in random_snapshot(20, 256, seed=6).vectors]
    before = faiss.omp_get_max_threads()
    found = []
    for threads in (1, 4):
        faiss.omp_set_num_threads(threads)
        found.append([index.search(probe, 500) for probe in probes])
    faiss.omp_set_num_threads(before)
    assert found[0] == found[1]


def test_more_equal_templates_than_candidates_are_still_found() -> None:
    alike = random_snapshot(1, 512).vectors.repeat(CANDIDATE_VALUES // 512 + 50, axis=0)
    ids = np.arange(1, len(alike) + 1, dtype=np.int64)
    index = FaissIndex(Snapshot(KEY, 1, ids, ("a",) * len(alike), alike), exact_values=0)
    (match,) = index.search(Embedding(alike[0], KEY), 3)
    assert match.subject_id == "a"
    assert match.similarity == pytest.approx(1.0, abs=1e-6)
