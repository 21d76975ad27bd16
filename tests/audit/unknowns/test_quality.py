"""What the benchmark counts, and that real faces find together with what ships."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest

from audit.unknowns.linkage import Linkage
from bench.lfw import cut_faces_of_people
from bench.program import program
from bench.unknowns import People, group, measure, score, suggestions
from tests.audit.unknowns.people import like, person


def test_scores_are_those_of_a_hand_count() -> None:
    """Of a's four, three are together and one is with b's only one."""
    found = score(np.array(["a", "a", "a", "a", "b"]), ["1", "1", "1", "2", "2"])
    assert found.pairs_right == pytest.approx(3 / 4)
    assert found.pairs_found == pytest.approx(3 / 6)
    assert found.right == pytest.approx((1 + 1 + 1 + 0.5 + 0.5) / 5)
    assert found.found == pytest.approx((3 / 4 * 3 + 1 / 4 + 1) / 5)
    assert found.groups == 2


def test_groups_and_suggestions_of_made_up_people() -> None:
    vectors = np.stack([person(0), like(0, 0.9), like(0, 0.42, other=3), person(1)])
    people = People(np.array(["a", "a", "a", "b"]), vectors)
    _, where = group(people, Linkage(0.5), [0, 1, 2, 3])
    assert where == ["000000", "000000", "000002", "000003"]
    assert measure(people, Linkage(0.5), 3).pairs_right == 1.0
    assert measure(people, Linkage(-1.0), 1).groups == 1
    assert suggestions(people, Linkage(0.5), 1) == (1.0, 1.0)


@pytest.mark.assets
def test_real_people_find_together_with_what_ships(assets: Path) -> None:
    options = argparse.Namespace(detector=None, embedder=None, purifier=None)
    folder = assets / "faces" / "lfw-dev"
    names = sorted(one.name for one in folder.iterdir() if 4 <= len(list(one.glob("*.jpg"))) <= 6)[:8]
    with program(options, assets) as context:
        vision = context.vision()
        cuts = cut_faces_of_people(folder, dict.fromkeys(names, 0), vision.detector)
        vectors = np.stack([one.vector for one in vision.embedder.embed([cut.crop_rgb for cut in cuts])])
        linkage = Linkage.of(context.thresholds())
    found = measure(People(np.array([cut.person for cut in cuts]), vectors), linkage, 3)
    assert found.right > 0.95
    assert found.found > 0.6
    assert found.groups < 2 * len(names)
