"""Cards and files small enough to make on the spot."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.models import InputSpec, ModelCard, ModelFile, ModelKind

CONTENT = bytes(range(256)) * 1024
MakeCard = Callable[..., ModelCard]


@pytest.fixture
def content() -> bytes:
    return CONTENT


@pytest.fixture
def make_card() -> MakeCard:
    """An embedder's card for the file ``net.bin`` with the bytes `content`; any field can be replaced."""

    def make(content: bytes = CONTENT, url: str | None = None, **fields: object) -> ModelCard:
        file = ModelFile("net.bin", hashlib.sha256(content).hexdigest(), url, len(content))
        given: dict[str, object] = {
            "name": "net",
            "kind": ModelKind.EMBEDDER,
            "architecture": "mobilefacenet",
            "licence": "MIT",
            "source": "https://example.org",
            "description": "A network.",
            "files": (file,),
            "input": InputSpec(112, 112, "rgb"),
            "dim": 4,
        }
        return ModelCard(**(given | fields))  # type: ignore[arg-type]

    return make


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of models that holds ``net.bin``."""
    made = tmp_path / "models"
    made.mkdir()
    (made / "net.bin").write_bytes(CONTENT)
    return made
