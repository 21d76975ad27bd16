"""OpenVINO tells nobody that it is used."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

USE_A_NETWORK = """
import sys, threading
import torch
from pipeline.embed.runtimes import convert
convert(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 112 * 112, 2)), 1)
told = [name for name, module in sys.modules.items() if name.startswith("openvino_telemetry") and module]
print(told, threading.active_count())
"""


def test_importing_it_and_converting_a_network_starts_no_telemetry(tmp_path: Path) -> None:
    # The telemetry itself lets continuous integration off: be somebody's machine, where it was never used.
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    done = subprocess.run(
        [sys.executable, "-c", USE_A_NETWORK],
        env={**environment, "HOME": str(tmp_path)},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout.strip() == "[] 1"
    assert list(tmp_path.iterdir()) == [], "no client id either"


def test_nobody_imports_it_otherwise() -> None:
    rooms = ("pipeline", "gallery", "audit", "workers", "training", "bench", "tests")
    files = [path for room in rooms for path in (REPOSITORY / room).rglob("*.py")]
    assert [str(path) for path in files if _imports_openvino(path)] == [
        str(REPOSITORY / "pipeline" / "silent_openvino.py")
    ]


def _imports_openvino(path: Path) -> bool:
    """At run time; parts of it can be imported once it is there."""
    return any(
        isinstance(node, ast.Import) and any(alias.name == "openvino" for alias in node.names)
        for node in _at_run_time(ast.parse(path.read_text(encoding="utf-8")))
    )


def _at_run_time(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield from _at_run_time(child)
