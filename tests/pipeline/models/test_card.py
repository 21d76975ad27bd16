"""What a card may say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pipeline.models import CardThresholds, InputSpec, ModelCard, ModelFile, ModelKind

DIGEST = "f168fae3c" + "0" * 55


def thresholds(purifier: str, match: float) -> CardThresholds:
    return CardThresholds(purifier, match, 0.05, 1e-5, 0.1, 1000, "some data")


def test_model_id_is_name_and_first_digits_of_the_first_file(make_card: Callable[..., ModelCard]) -> None:
    card = make_card()
    assert card.model_id == f"net@{card.files[0].sha256[:8]}"


def test_a_card_without_files_is_known_by_its_name() -> None:
    card = ModelCard("none", ModelKind.PURIFIER, "none", "MIT", "us", "Nothing.")
    assert card.model_id == "none"


def test_thresholds_are_found_by_the_purifiers_architecture(make_card: Callable[..., ModelCard]) -> None:
    card = make_card(thresholds=(thresholds("none", 0.5), thresholds("pin_topk", 0.4)))
    pin = ModelCard("mine", ModelKind.PURIFIER, "pin_topk", "MIT", "us", "PIN.")
    assert card.thresholds_for(pin) == thresholds("pin_topk", 0.4)
    other = ModelCard("other", ModelKind.PURIFIER, "blur", "MIT", "us", "Blur.")
    assert card.thresholds_for(other) is None


def test_a_prefix_of_a_checksum_matches_only_as_a_prefix() -> None:
    file = ModelFile("a.zip", "f168fae3c", sha256_is_prefix=True)
    assert file.matches(DIGEST)
    assert not file.matches("0" + DIGEST[:-1])
    assert not ModelFile("a.zip", DIGEST).matches("f168fae3c" + "1" * 55)


@pytest.mark.parametrize(
    ("sha256", "prefix"),
    [("f168fae", True), ("f168fae3c", False), (DIGEST, True), (DIGEST.upper(), False), ("", True)],
)
def test_checksums_of_the_wrong_length_are_refused(sha256: str, prefix: bool) -> None:
    with pytest.raises(ValueError, match="sha256"):
        ModelFile("a.zip", sha256, sha256_is_prefix=prefix)


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "a b"])
def test_names_that_would_leave_the_folder_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        ModelFile(name, DIGEST)


def test_an_embedder_must_say_its_dimension_and_input(make_card: Callable[..., ModelCard]) -> None:
    with pytest.raises(ValueError, match="dim and input"):
        make_card(dim=None)


def test_two_files_of_one_name_are_refused(make_card: Callable[..., ModelCard]) -> None:
    file = ModelFile("a.bin", DIGEST)
    with pytest.raises(ValueError, match="same name"):
        make_card(files=(file, file))


def test_unknown_colour_order_and_zero_std_are_refused() -> None:
    with pytest.raises(ValueError, match="colour_order"):
        InputSpec(112, 112, "gbr")
    with pytest.raises(ValueError, match="std"):
        InputSpec(112, 112, "rgb", std=(1.0, 0.0, 1.0))


def test_attack_evidence_is_optional() -> None:
    entry = thresholds("none", 0.5)
    assert (entry.evidence, entry.evidence_far, entry.evidence_negatives) == (None, None, None)
    calibrated = replace(entry, evidence=0.42, evidence_far=0.0105, evidence_negatives=2876)
    assert calibrated.evidence == 0.42


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"evidence_far": None}, "together"),
        ({"evidence": None}, "together"),
        ({"evidence_negatives": None}, "together"),
        ({"evidence": 2.5}, "0..2"),
        ({"evidence": float("nan")}, "0..2"),
        ({"evidence_far": 0.0}, "evidence_far"),
        ({"evidence_far": 1.0}, "evidence_far"),
        ({"evidence_negatives": 0}, "evidence_negatives"),
    ],
)
def test_evidence_that_cannot_be_is_refused(changes: dict[str, Any], complaint: str) -> None:
    calibrated = replace(thresholds("none", 0.5), evidence=0.42, evidence_far=0.0105, evidence_negatives=2876)
    with pytest.raises(ValueError, match=complaint):
        replace(calibrated, **changes)


def test_impossible_thresholds_are_refused() -> None:
    with pytest.raises(ValueError, match="cosine"):
        thresholds("none", 1.5)
