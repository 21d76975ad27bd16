"""A program with the supplied models, a data folder of its own, and a short clip with people in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import supplied


@dataclass(frozen=True)
class Done:
    """What a finished command left behind."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Standard output as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines() if line.startswith("{")]


Run = Callable[..., Done]


@pytest.fixture
def environment(models: Path, tmp_path: Path) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("PINWATCH_")},
        "PINWATCH_MODELS": str(models),
        **supplied.ENVIRONMENT,
        "PINWATCH_DATA": str(tmp_path / "data"),
        "COLUMNS": "160",
    }


@pytest.fixture
def pinwatch(environment: dict[str, str]) -> Run:
    """Runs the installed program in a process of its own."""
    program = Path(sys.executable).with_name("pinwatch")

    def run(*arguments: object, stdin: str | None = None, env: dict[str, str] | None = None) -> Done:
        done = subprocess.run(
            [str(program), *map(str, arguments)],
            input=stdin,
            capture_output=True,
            text=True,
            env={**environment, **(env or {})},
            timeout=300,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return run


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
