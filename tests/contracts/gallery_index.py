"""What every gallery index must do; subclass with a `make` fixture that builds one from a snapshot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
import pytest

from gallery.records import Delta, Snapshot
from pipeline.errors import TemplateKeyMismatch
from pipeline.seams import GalleryIndex
from pipeline.types import Embedding, Match, TemplateKey

KEY = TemplateKey("model@1", "none")
DIM = 4

Rows = Mapping[int, tuple[str, Sequence[float]]]


class ChangingIndex(GalleryIndex, Protocol):
    """An index that follows the gallery."""

    def apply(self, delta: Delta) -> None: ...
    def __len__(self) -> int: ...


Make = Callable[[Snapshot], ChangingIndex]


def _arrays(rows: Rows) -> tuple[np.ndarray, tuple[str, ...], np.ndarray]:
    vectors = [vector for _, vector in rows.values()]
    table = np.array(vectors, np.float32).reshape(len(vectors), -1 if vectors else 0)
    return np.array(list(rows), np.int64), tuple(subject for subject, _ in rows.values()), table


def snapshot(rows: Rows, epoch: int = 1) -> Snapshot:
    return Snapshot(KEY, epoch, *_arrays(rows))


def delta(added: Rows, removed: Sequence[int] = (), since: int = 1) -> Delta:
    return Delta(KEY, since, since + 1, *_arrays(added), np.array(removed, np.int64))


def probe(*vector: float, key: TemplateKey = KEY) -> Embedding:
    return Embedding(np.array(vector, np.float32), key)


class GalleryIndexContract:
    """Ranking, ties, changes, and refusal of what cannot be compared."""

    def test_nearest_subjects_first(self, make: Make) -> None:
        index = make(snapshot({1: ("a", (1, 0, 0, 0)), 2: ("b", (0.6, 0.8, 0, 0)), 3: ("c", (0, 0, 1, 0))}))
        found = index.search(probe(1, 0, 0, 0), 2)
        assert [match.subject_id for match in found] == ["a", "b"]
        assert found[0].similarity == 1.0
        assert found[1].similarity == pytest.approx(0.6, abs=1e-6)

    def test_a_subject_counts_once_by_its_best_template(self, make: Make) -> None:
        index = make(
            snapshot(dict.fromkeys(range(1, 100), ("many", (0.6, 0.8, 0, 0))) | {200: ("one", (0, 1, 0, 0))})
        )
        assert index.search(probe(1, 0, 0, 0), 3) == [
            Match("many", pytest.approx(0.6, abs=1e-6)),  # type: ignore[arg-type]
            Match("one", 0.0),
        ]

    def test_ties_are_broken_by_subject_id(self, make: Make) -> None:
        ids = [f"s{number:03}" for number in range(200)]
        backwards = {number + 1: (name, (1.0, 0, 0, 0)) for number, name in enumerate(reversed(ids))}
        found = make(snapshot(backwards)).search(probe(1, 0, 0, 0), 3)
        assert found == [Match("s000", 1.0), Match("s001", 1.0), Match("s002", 1.0)]

    def test_fewer_subjects_than_asked_give_a_shorter_list(self, make: Make) -> None:
        index = make(snapshot({1: ("a", (1, 0, 0, 0)), 2: ("a", (0, 1, 0, 0))}))
        assert index.search(probe(0, 1, 0, 0), 5) == [Match("a", 1.0)]

    def test_an_empty_index_finds_nobody_and_can_be_filled(self, make: Make) -> None:
        index = make(snapshot({}))
        assert index.search(probe(1, 0, 0, 0), 2) == []
        assert len(index) == 0
        index.apply(delta({7: ("a", (1, 0, 0, 0))}))
        assert index.search(probe(1, 0, 0, 0), 2) == [Match("a", 1.0)]
        assert index.gallery_epoch == 2

    def test_changes_are_seen(self, make: Make) -> None:
        index = make(snapshot({1: ("a", (1, 0, 0, 0)), 2: ("b", (0, 1, 0, 0))}))
        index.apply(delta({3: ("c", (0, 0, 1, 0))}, removed=[1]))
        found = index.search(probe(1, 0, 0, 0), 9)
        assert [match.subject_id for match in found] == ["b", "c"]
        assert len(index) == 2

    def test_emptied_and_filled_again(self, make: Make) -> None:
        index = make(snapshot({1: ("a", (1, 0, 0, 0))}))
        index.apply(delta({}, removed=[1]))
        assert index.search(probe(1, 0, 0, 0), 1) == []
        index.apply(delta({2: ("b", (1, 0, 0, 0))}, since=2))
        assert index.search(probe(1, 0, 0, 0), 1) == [Match("b", 1.0)]

    def test_similarities_stay_within_their_range(self, make: Make) -> None:
        rows = np.random.default_rng(0).normal(size=(50, DIM))
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        index = make(snapshot({n + 1: (f"s{n}", row.tolist()) for n, row in enumerate(rows)}))
        for row in rows.astype(np.float32):
            found = index.search(probe(*row.tolist()), 50)
            assert all(-1.0 <= match.similarity <= 1.0 for match in found)

    def test_a_probe_of_another_model_is_refused_by_name(self, make: Make) -> None:
        index = make(snapshot({1: ("a", (1, 0, 0, 0))}))
        with pytest.raises(TemplateKeyMismatch, match=r"other@2\+none.*model@1\+none.*reembed"):
            index.search(probe(1, 0, 0, 0, key=TemplateKey("other@2", "none")), 1)

    def test_a_change_that_does_not_continue_is_refused(self, make: Make) -> None:
        index = make(snapshot({1: ("a", (1, 0, 0, 0))}, epoch=5))
        with pytest.raises(ValueError, match="since epoch 3"):
            index.apply(delta({}, since=3))
        assert index.gallery_epoch == 5
        assert index.key == KEY
