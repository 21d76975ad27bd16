"""What the doctor says of thresholds for fewer people than are enrolled, and of licences."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.models import CardThresholds, StrangerScore
from pipeline.types import Thresholds
from tests import supplied
from workers.build import Context
from workers.doctor import State, _licences, _thresholds

CARD = CardThresholds("none", 0.5, 0.1, 1e-4, 0.1, 1000, "some photographs")
STRANGERS = (StrangerScore(10, 0.01, 0.4), StrangerScore(100, 0.01, 0.55))


def machine(folder: Path, subjects: int, card: CardThresholds | None) -> Any:
    (folder / "pinwatch.db").touch()
    return SimpleNamespace(
        settings=SimpleNamespace(data=folder),
        thresholds=lambda: Thresholds(match=0.5, margin=0.1),
        card_thresholds=lambda: card,
        store=lambda: SimpleNamespace(subjects=lambda: [None] * subjects),
    )


@pytest.mark.parametrize(
    ("subjects", "noted"), [(0, False), (10, False), (11, True), (100, True), (5000, True)]
)
def test_a_gallery_too_large_for_its_threshold_is_noted(tmp_path: Path, subjects: int, noted: bool) -> None:
    findings = list(_thresholds(machine(tmp_path, subjects, replace(CARD, strangers=STRANGERS))))
    assert [finding.state for finding in findings] == [State.OK, State.NOTE][: 1 + noted]
    if noted:
        assert "1% of strangers were at least 0.550 similar" in findings[1].text
        assert "pinwatch gallery calibrate" in findings[1].text


def test_a_card_that_says_nothing_of_strangers_is_no_fault(tmp_path: Path) -> None:
    for card in (CARD, None):
        assert len(list(_thresholds(machine(tmp_path, 50, card)))) == 1


def test_an_entry_must_make_sense() -> None:
    with pytest.raises(ValueError, match="gallery"):
        StrangerScore(0, 0.01, 0.5)
    with pytest.raises(ValueError, match="fpir"):
        StrangerScore(10, 1.0, 0.5)


@pytest.mark.parametrize(
    ("cards", "noted"),
    [({}, ["pinwatch-detector", "pinwatch-face", "pinwatch-pin"]), (supplied.CARDS, [])],
    ids=["bundled", "supplied"],
)
def test_models_that_are_for_evaluation_only_are_noted(
    tmp_path: Path, cards: dict[str, Any], noted: list[str]
) -> None:
    context = Context({})
    context.override(data=tmp_path, **cards)
    findings = list(_licences(context))
    assert [finding.state for finding in findings] == [State.NOTE] * bool(noted)
    assert all(name in finding.text for finding in findings for name in noted)
