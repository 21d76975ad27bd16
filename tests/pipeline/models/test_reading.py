"""Cards from YAML: what is unknown or does not fit is refused by its dotted path."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.errors import ConfigError
from pipeline.models import Catalogue, FileState, ModelCard, ModelKind, card_document
from pipeline.models.reading import bundled_cards, parse_card, read_card


@pytest.fixture
def document(make_card: Callable[..., ModelCard]) -> dict[str, Any]:
    return card_document(make_card())


def test_a_written_card_reads_as_the_same_card(make_card: Callable[..., ModelCard], tmp_path: Path) -> None:
    card = make_card(options={"strides": (8, 16), "sizes": ((1, 2), (3, 4)), "keep": 5})
    path = tmp_path / "net.card.yaml"
    plain = yaml.safe_dump(parse_to_plain(card))
    path.write_text(plain)
    assert read_card(path) == card


def parse_to_plain(card: ModelCard) -> Any:
    """Dictionaries and lists only, as a person would write them."""
    import json

    return json.loads(json.dumps(card_document(card)))


def test_an_unknown_key_is_named_by_its_path(document: dict[str, Any]) -> None:
    document["input"]["colour_oder"] = "rgb"
    document["fils"] = []
    with pytest.raises(ConfigError) as caught:
        parse_card(document, "mine.card.yaml")
    assert "mine.card.yaml" in str(caught.value)
    assert "input.colour_oder: unknown key" in str(caught.value)
    assert "fils: unknown key" in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value"), [("dim", "128"), ("kind", "detectr"), ("files", "net.bin"), ("licence", None)]
)
def test_a_value_of_the_wrong_kind_is_named(document: dict[str, Any], key: str, value: object) -> None:
    document[key] = value
    with pytest.raises(ConfigError, match=f"{key}: "):
        parse_card(document, "here")


def test_a_missing_key_is_named(document: dict[str, Any]) -> None:
    del document["licence"]
    with pytest.raises(ConfigError, match="licence"):
        parse_card(document, "here")


@pytest.mark.parametrize("text", ["just text", "[1, 2]", "a: [", "when: 2020-01-01"])
def test_what_is_no_card_is_refused_with_the_file_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "odd.card.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"odd\.card\.yaml"):
        read_card(path)


def test_a_card_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "odd.card.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"odd\.card\.yaml"):
        read_card(path)


def test_every_bundled_card_says_where_it_is_from_and_under_which_licence() -> None:
    cards = bundled_cards()
    assert {card.kind for card in cards} == set(ModelKind)
    for card in cards:
        assert card.licence
        assert card.source
        assert card.description.endswith(".")


def test_every_bundled_embedder_has_thresholds_with_and_without_the_bundled_purifier() -> None:
    for card in bundled_cards():
        if card.kind is ModelKind.EMBEDDER:
            assert {"none", "pinwatch-pin"} <= {entry.purifier for entry in card.thresholds}
            for entry in card.thresholds:
                assert entry.fmr * entry.impostor_pairs >= 30, "fewer than 30 false matches support this FMR"


def test_the_model_files_at_hand_are_those_of_the_cards(models: Path) -> None:
    catalogue = Catalogue.load([models])
    states = {
        card.name: {status.state for status in catalogue.status(card)}
        for card in catalogue.cards()
        if card.files and card.name != "retinaface"
    }
    assert set(states) >= {"yunet", "mobilefacenet", "face-reidentification-retail-0095"}
    assert all(found == {FileState.OK} for found in states.values())
