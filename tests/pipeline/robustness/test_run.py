"""A run from names to records and gates, on toys: what is refused at once, and what is told."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import ModelNotFound, UsageError
from pipeline.models import InputSpec, ModelCard, ModelFile, ModelKind, card_document
from pipeline.robustness import run as module
from pipeline.robustness.protocol import Split
from pipeline.robustness.run import Request, run
from tests.toys import ToyEmbedder

WEIGHTS = b"toy"


@pytest.fixture
def request_(pack_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Request:
    """Of the toy embedder, without a purifier and behind the one that ships."""
    models = tmp_path / "models"
    models.mkdir()
    card = ModelCard(
        name="toy",
        kind=ModelKind.EMBEDDER,
        architecture="toy",
        licence="Apache-2.0",
        source="tests",
        description="A toy.",
        files=(ModelFile("toy.bin", hashlib.sha256(WEIGHTS).hexdigest()),),
        input=InputSpec(112, 112, "rgb"),
        dim=24,
    )
    (models / "toy.bin").write_bytes(WEIGHTS)
    (models / "toy.card.yaml").write_text(json.dumps(card_document(card)))
    monkeypatch.setattr(module, "load_network", lambda model: ToyEmbedder().eval().requires_grad_(False))
    return Request(
        faces=pack_file,
        models=(models,),
        embedder="toy",
        defences=("none", "pinwatch-pin"),
        transfer=(),
        surrogates=("none",),
        plan="smoke",
        split=Split.SCORE,
        out=tmp_path / "results.jsonl",
        work=tmp_path / "work",
    )


def test_names_are_checked_before_anything_is_made(request_: Request, tmp_path: Path) -> None:
    """Even before the faces are read, let alone a surrogate fitted."""
    unread = replace(request_, faces=tmp_path / "nowhere.npz", surrogates=())
    with pytest.raises(UsageError, match=r"no defence 'pim': .* eigen-800"):
        run(replace(unread, defences=("none", "pim")))
    with pytest.raises(UsageError, match="no surrogate 'dct'"):
        run(replace(unread, surrogates=("dct-300", "dct")))
    with pytest.raises(UsageError, match=r"defence 'pinwatch-pin\+sampled': only .* paper"):
        run(replace(unread, defences=("pinwatch-pin+sampled",)))
    with pytest.raises(ModelNotFound, match="no embedder called 'other'"):
        run(replace(unread, transfer=("other",)))
    with pytest.raises(UsageError, match=r"nowhere\.npz"):
        run(unread)


def test_every_step_is_told_and_gates_are_of_both_goals(request_: Request) -> None:
    told: list[tuple[str, int, int]] = []
    gates = run(request_, lambda what, done, total: told.append((what, done, total)))
    making, rest = told[:3], told[3:]
    assert [(done, total) for _, done, total in making] == [(0, 3), (1, 3), (2, 3)]
    assert [done for _, done, _ in rest] == list(range(len(rest)))
    assert {total for _, _, total in rest} == {len(rest) - 1}
    names = {gate.name for gate in gates}
    for defence in request_.defences:
        for goal in ("dodge", "impersonate"):
            assert f"{defence}, {goal}: a large budget succeeds" in names
            assert f"{defence}, {goal}: gradients agree with finite differences" in names
