"""From a name to files that may be loaded, or to an error that says the way out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.errors import ChecksumMismatch, ConfigError, ModelNotFound
from pipeline.models import Catalogue, FileState, ModelCard, ModelKind, card_document

MakeCard = Callable[..., ModelCard]


def catalogue(card: ModelCard, *folders: Path) -> Catalogue:
    return Catalogue([(card, "test")], folders)


def write_card(folder: Path, card: ModelCard) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{card.name}.card.yaml").write_text(json.dumps(card_document(card)))


def test_opening_gives_the_checked_paths(make_card: MakeCard, folder: Path) -> None:
    opened = catalogue(make_card(), folder).open("net", ModelKind.EMBEDDER)
    assert opened.paths == {"net.bin": folder / "net.bin"}
    assert opened.main_path == folder / "net.bin"


def test_the_first_folder_wins(make_card: MakeCard, folder: Path, tmp_path: Path) -> None:
    first = tmp_path / "first"
    first.mkdir()
    (first / "net.bin").write_bytes((folder / "net.bin").read_bytes())
    opened = catalogue(make_card(), tmp_path / "absent", first, folder).open("net", ModelKind.EMBEDDER)
    assert opened.main_path == first / "net.bin"


def test_a_wrong_file_is_refused_by_name_and_not_passed_over(
    make_card: MakeCard, folder: Path, tmp_path: Path
) -> None:
    first = tmp_path / "first"
    first.mkdir()
    (first / "net.bin").write_bytes(b"something else")
    with pytest.raises(ChecksumMismatch) as caught:
        catalogue(make_card(), first, folder).open("net", ModelKind.EMBEDDER)
    for part in ("net.bin", str(first), make_card().files[0].sha256, "got "):
        assert part in str(caught.value)


def test_one_flipped_bit_is_noticed(make_card: MakeCard, folder: Path, content: bytes) -> None:
    (folder / "net.bin").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ChecksumMismatch):
        catalogue(make_card(), folder).open("net", ModelKind.EMBEDDER)


def test_a_missing_file_names_the_ways_out(make_card: MakeCard, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound) as caught:
        catalogue(make_card(url="https://example.org/net.bin"), tmp_path).open("net", ModelKind.EMBEDDER)
    for part in ("pinwatch models pull net", "--from DIR", "PINWATCH_MODELS", str(tmp_path)):
        assert part in str(caught.value)


def test_an_unknown_name_lists_the_known_and_suggests_the_nearest() -> None:
    with pytest.raises(ModelNotFound, match="Did you mean 'mobilefacenet'") as caught:
        Catalogue.load([]).card("mobilfacenet", ModelKind.EMBEDDER)
    assert "face-reidentification-retail-0095" in str(caught.value)
    assert "yunet" not in str(caught.value)


def test_a_name_alone_finds_the_card_of_any_kind() -> None:
    bundled = Catalogue.load([])
    assert bundled.named("yunet").kind is ModelKind.DETECTOR
    with pytest.raises(ModelNotFound, match="Did you mean 'yunet'"):
        bundled.named("yunett")


def test_a_name_of_two_kinds_is_ambiguous(make_card: MakeCard) -> None:
    both = [(make_card(), "a"), (make_card(kind=ModelKind.DETECTOR), "b")]
    with pytest.raises(ModelNotFound, match="embedder and detector"):
        Catalogue(both, []).named("net")


def test_cards_beside_model_files_are_found(make_card: MakeCard, folder: Path) -> None:
    write_card(folder, make_card())
    loaded = Catalogue.load([folder])
    assert loaded.open("net", ModelKind.EMBEDDER).card == make_card()
    assert "net" in [card.name for card in loaded.cards(ModelKind.EMBEDDER)]


def test_the_same_card_twice_is_one_and_two_different_ones_are_refused(
    make_card: MakeCard, folder: Path, tmp_path: Path
) -> None:
    write_card(folder, make_card())
    write_card(tmp_path / "copy", make_card())
    assert Catalogue.load([folder, tmp_path / "copy"]).card("net", ModelKind.EMBEDDER) == make_card()
    write_card(tmp_path / "copy", make_card(dim=5))
    with pytest.raises(ConfigError, match="already defined, differently"):
        Catalogue.load([folder, tmp_path / "copy"])


def test_status_tells_each_files_state_and_raises_nothing(
    make_card: MakeCard, folder: Path, tmp_path: Path
) -> None:
    card = make_card()
    assert [status.state for status in catalogue(card, folder).status(card)] == [FileState.OK]
    assert [status.state for status in catalogue(card, tmp_path).status(card)] == [FileState.MISSING]
    (folder / "net.bin").write_bytes(b"x")
    (status,) = catalogue(card, folder).status(card)
    assert status.state is FileState.WRONG_CHECKSUM
    assert "expected sha256" in status.detail
