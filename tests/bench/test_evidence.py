"""What purification costs is judged by what it adds to embedding, not by what it takes by itself."""

from __future__ import annotations

from bench.evidence import ALONE, report


def test_the_verdict_is_on_what_purification_adds() -> None:
    seconds = {
        ALONE: [1.0, 2.0, 1.0],
        "cheap: purifier": [0.2, 0.4, 0.2],
        "cheap: purified": [1.05, 2.1, 9.0],
        "cheap: evidence": [2.05, 4.1, 2.05],
        "dear: purifier": [0.05, 0.1, 0.05],
        "dear: purified": [1.2, 2.4, 1.2],
        "dear: evidence": [2.2, 4.4, 2.2],
    }
    _, cheap, dear = report(seconds, ["cheap", "dear"])
    assert "purified 1.050, so it adds 0.050 (within 0.1); purifier by itself 0.200" in cheap
    assert "with evidence 2.050" in cheap
    assert "purified 1.200, so it adds 0.200 (OVER 0.1); purifier by itself 0.050" in dear
