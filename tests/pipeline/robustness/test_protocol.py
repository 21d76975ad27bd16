"""Folds, splits, and the file that crops travel in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import UsageError
from pipeline.robustness.faces import FacePack, encode_crop, load_faces, save_faces
from pipeline.robustness.protocol import Pair, Split, fold_of_people, person_of, read_pairs, split_of
from tests.toys import toy_photo


def test_pairs_are_read_by_fold(tmp_path: Path) -> None:
    path = tmp_path / "pairs.txt"
    rows = ["Ann\t1\t2"] * 300 + ["Ann\t1\tBob\t3"] * 300 + ["Cid_the_First\t4\t5"]
    path.write_text("\n".join(["2\t300", *rows]) + "\n")
    pairs = read_pairs(path)
    assert pairs[0] == Pair("Ann_0001", "Ann_0002", True, 1)
    assert pairs[300] == Pair("Ann_0001", "Bob_0003", False, 1)
    assert pairs[600] == Pair("Cid_the_First_0004", "Cid_the_First_0005", True, 2)
    assert pairs[600].people == ("Cid_the_First", "Cid_the_First")


@pytest.mark.parametrize("content", [None, "", "nothing here\n"])
def test_a_file_without_pairs_is_refused(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "pairs.txt"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UsageError, match=r"pairs\.txt"):
        read_pairs(path)


def test_nobody_is_in_two_folds() -> None:
    with pytest.raises(ValueError, match="Ann"):
        fold_of_people([Pair("Ann_0001", "Ann_0002", True, 1), Pair("Ann_0001", "Bob_0001", False, 2)])


def test_fold_four_selects_fold_five_is_scored_everybody_else_trains() -> None:
    folds = {"A": 1, "B": 4, "C": 5}
    assert [split_of(name, folds) for name in "ABCD"] == [
        Split.TRAIN,
        Split.SELECT,
        Split.SCORE,
        Split.TRAIN,
    ]


def test_splits_share_nobody(pack: FacePack) -> None:
    people = [{person_of(pack.photos[row]) for row in pack.rows_of(split)} for split in Split]
    assert all(len(group) == 6 for group in people)
    assert not people[0] & people[1] | people[1] & people[2] | people[0] & people[2]
    assert {pair.fold for pair in pack.pairs_of(Split.SCORE)} == {5}


def test_a_pack_comes_back_the_same(pack: FacePack, pack_file: Path) -> None:
    loaded = load_faces(pack_file)
    assert loaded == pack
    assert np.array_equal(loaded.crop(loaded.rows["Person3_0002"]), toy_photo(3, 2))
    assert loaded.batch([0, 1]).shape == (2, 3, 112, 112)


def test_pairs_without_both_photographs_are_left_out(tmp_path: Path) -> None:
    crops = [("A_0001", encode_crop(toy_photo(0, 1))), ("A_0002", encode_crop(toy_photo(0, 2), 90))]
    pairs = [Pair("A_0001", "A_0002", True, 5), Pair("A_0001", "B_0001", False, 5)]
    assert save_faces(tmp_path / "faces.npz", crops, pairs).pairs == (pairs[0],)


@pytest.mark.parametrize("content", [None, b"", b"not a pack", b"PK\x03\x04 truncated"])
def test_other_files_are_refused_by_name(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "faces.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"faces\.npz"):
        load_faces(path)


def test_another_npz_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", numbers=np.arange(3))
    with pytest.raises(UsageError, match="not a pack"):
        load_faces(tmp_path / "other.npz")
