"""When attack evidence is measured, and where its threshold comes from."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gallery.calibrations import CalibrationStore
from pipeline.embed.evidence import EvidenceEmbedder
from pipeline.errors import ConfigError
from pipeline.models import CardThresholds, InputSpec, ModelCard, ModelFile, ModelKind, card_document
from pipeline.seams import FaceEmbedder
from pipeline.types import TemplateKey
from tests.gallery.fakes import PatternEmbedder
from workers.build import Context
from workers.config import load_settings

ENTRY = CardThresholds(
    "pin_topk",
    0.5,
    0.1,
    0.0002,
    0.3,
    1000,
    "LFW",
    evidence=0.42,
    evidence_far=0.0105,
    evidence_negatives=2876,
)
PIN = ModelCard("pin", ModelKind.PURIFIER, "pin_topk", "MIT", "us", "PIN.", (ModelFile("pin.bin", "1" * 64),))
NET = ModelCard(
    "net",
    ModelKind.EMBEDDER,
    "mobilefacenet",
    "MIT",
    "us",
    "A network.",
    files=(ModelFile("net.bin", "0" * 64),),
    input=InputSpec(112, 112, "rgb"),
    dim=48,
    thresholds=(
        ENTRY,
        replace(ENTRY, purifier="none", evidence=None, evidence_far=None, evidence_negatives=None),
    ),
)


class Program(Context):
    """A program whose networks are fakes; the cards are real."""

    def __init__(self, config: Path) -> None:
        super().__init__({})
        self.override(config=config)
        self.loaded: list[str] = []

    def _embedder_behind(self, purifier: str) -> FaceEmbedder:
        self.loaded.append(purifier)
        return PatternEmbedder(TemplateKey("net@00000000", purifier))


@pytest.fixture
def program(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., Program]:
    """``program(purifier="pin", decision={"evidence": 0.3})``: these keys in the configuration."""
    folder = tmp_path / "data" / "models"
    folder.mkdir(parents=True)
    for card in (PIN, NET):
        (folder / f"{card.name}.card.yaml").write_text(json.dumps(card_document(card)))

    def make(**document: object) -> Program:
        path = tmp_path / "pinwatch.yaml"
        settings = {"data": str(tmp_path / "data"), "embedder": {"name": "net"}, **document}
        path.write_text(json.dumps(settings))
        made = Program(path)
        request.addfinalizer(made.close)
        return made

    return make


def test_with_a_purifier_evidence_is_measured(program: Callable[..., Program]) -> None:
    context = program(purifier="pin")
    embedder = context.with_evidence(context.embedder())
    assert isinstance(embedder, EvidenceEmbedder)
    assert embedder.key == context.embedder().key
    assert context.loaded == ["pin", "none"]


def test_without_a_purifier_nothing_changes(program: Callable[..., Program]) -> None:
    context = program(purifier="none")
    assert context.with_evidence(context.embedder()) is context.embedder()
    assert context.loaded == ["none"]


@pytest.mark.parametrize("purifier", ["pin", "none"])
def test_it_can_be_turned_off(program: Callable[..., Program], purifier: str) -> None:
    context = program(purifier=purifier, evidence={"enabled": False})
    assert context.with_evidence(context.embedder()) is context.embedder()


def test_insisting_on_it_needs_a_purifier(program: Callable[..., Program]) -> None:
    context = program(purifier="pin", evidence={"enabled": True})
    assert isinstance(context.with_evidence(context.embedder()), EvidenceEmbedder)
    without = program(purifier="none", evidence={"enabled": True})
    with pytest.raises(ConfigError, match=r"evidence\.enabled .* set purifier"):
        without.with_evidence(without.embedder())


def test_the_card_has_the_threshold_and_the_settings_override_it(program: Callable[..., Program]) -> None:
    assert program(purifier="pin").thresholds().evidence == 0.42
    assert program(purifier="none").thresholds().evidence is None
    own = program(purifier="pin", decision={"evidence": 0.3}).thresholds()
    assert (own.evidence, own.match, own.origin) == (0.3, 0.5, "card")
    both = program(purifier="pin", decision={"match": 0.6}).thresholds()
    assert (both.evidence, both.match, both.origin) == (0.42, 0.6, "settings")


def test_a_calibration_of_similarities_keeps_the_cards_evidence(program: Callable[..., Program]) -> None:
    context = program(purifier="pin")
    saved = CalibrationStore(context.database())
    saved.save(context.template_key(), match=0.61, margin=0.1, fmr=1e-3, report={})
    found = context.thresholds()
    assert (found.origin, found.match, found.evidence) == ("calibration:1", 0.61, 0.42)


@pytest.mark.parametrize("value", ["auto", "true", "false"])
def test_the_environment_can_say_it(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("PINWATCH_EVIDENCE__ENABLED", value)
    expected = {"auto": "auto", "true": True, "false": False}[value]
    assert load_settings(None, {}).evidence.enabled == expected


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("evidence: {enabled: sometimes}", r"evidence\.enabled"),
        ("evidence: {crops: 3}", r"evidence\.crops"),
        ("decision: {evidence: 2.5}", r"decision\.evidence"),
        ("decision: {evidence: -0.1}", r"decision\.evidence"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(tmp_path: Path, text: str, key: str) -> None:
    path = tmp_path / "pinwatch.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=key):
        load_settings(path, {})
