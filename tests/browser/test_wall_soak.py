"""A minute of the wall with everything connected; ten of them are `make soak`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.browser.wall_soak import Load, soak
from tests.conftest import Requirement, need

pytestmark = [pytest.mark.browser, pytest.mark.rtsp, pytest.mark.slow]

PILED_UP_MS = 5_000.0
"""No speed is asked for here; but in a minute of pictures that pile up they get much older."""


def test_nothing_is_lost_or_piles_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    need(Requirement.BROWSER)
    need(Requirement.RTSP)
    pytest.importorskip("skimage")
    result = soak(Load(seconds=60.0), None, tmp_path)
    with capsys.disabled():
        sys.stdout.write(f"\n{result}\n")
    assert result.nothing_lost, result
    assert result.flat, result
    assert result.p99_ms < PILED_UP_MS
