"""Layers point down only: pipeline <- gallery <- audit <- workers, and pipeline <- training <- workers."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
FORBIDDEN = {
    "pipeline": {
        "gallery",
        "audit",
        "workers",
        "training",
        "kafka",
        "faiss",
        "sqlalchemy",
        "alembic",
        "fastapi",
    },
    "training": {"gallery", "audit", "workers", "kafka", "faiss", "sqlalchemy", "alembic", "fastapi"},
    "gallery": {"audit", "workers", "kafka", "fastapi"},
    "audit": {"workers", "kafka", "fastapi"},
}


def imports(source: str) -> set[str]:
    """Top-level names of every module that `source` imports, also inside functions."""
    nodes = list(ast.walk(ast.parse(source)))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    named = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and node.level == 0}
    return {name.partition(".")[0] for name in plain | named}


@pytest.mark.parametrize("room", FORBIDDEN)
def test_imports_point_down(room: str) -> None:
    files = sorted((REPOSITORY / room).rglob("*.py"))
    assert files
    wrong = {str(file): names for file in files if (names := imports(file.read_text()) & FORBIDDEN[room])}
    assert not wrong


NOT_WHERE_A_GPU_IS = (
    "pydantic",
    "yaml",
    "faiss",
    "openvino",
    "msgspec",
    "sqlalchemy",
    "requests",
    "typer",
    "av",
)


@pytest.mark.parametrize(
    "module", ["training.pinwatch_pin", "training.harden", "training.paper_pin", "pipeline.robustness.run"]
)
def test_training_and_evaluation_run_where_little_is_installed(module: str) -> None:
    """Another process, in which importing what only the program needs fails."""
    blocked = "; ".join(f"sys.modules[{name!r}] = None" for name in NOT_WHERE_A_GPU_IS)
    source = f"import sys; {blocked}; import {module}"
    subprocess.run([sys.executable, "-c", source], cwd=REPOSITORY, check=True)


def test_imports_inside_functions_are_seen() -> None:
    source = "import a.b\ndef f():\n    from c.d import e\n    import g as h\nfrom . import i\n"
    assert imports(source) == {"a", "c", "g"}
