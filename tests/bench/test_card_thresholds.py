"""What strangers score by the size of a gallery, where it can be worked out."""

from __future__ import annotations

import numpy as np

from bench.card_thresholds import Templates, stranger_scores
from bench.lfw import Cut


def templates(people: int, alike: float, seed: int = 0) -> Templates:
    """A photograph a person, at random in eight dimensions; `alike` draws them together."""
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(people, 8)) + alike
    unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    black = np.zeros((112, 112, 3), np.uint8)
    cuts = [Cut(f"{n:04d}_0001", f"{n:04d}", 4, black) for n in range(people)]
    return Templates(cuts, unit, unit)


def test_strangers_score_more_the_more_are_enrolled() -> None:
    found = stranger_scores([templates(250, 0.0)])
    assert [entry.gallery for entry in found] == [10, 30, 100], "300 people of 250 cannot be enrolled"
    assert found[0].similarity < found[1].similarity < found[2].similarity
    assert all(entry.fpir == 0.01 for entry in found)


def test_strangers_score_more_where_people_look_more_alike() -> None:
    apart, alike = (stranger_scores([templates(60, shift)])[0].similarity for shift in (0.0, 2.0))
    assert apart < alike
    assert not stranger_scores([templates(15, 0.0)])
