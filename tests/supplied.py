"""The models of the assets, for tests that expect what these say, whichever models the program ships with."""

from __future__ import annotations

from typing import Any

CARDS: dict[str, Any] = {
    "detector": "yunet",
    "embedder": "face-reidentification-retail-0095",
    "purifier": "none",
}
"""As options of the command line."""

ENVIRONMENT = {
    "PINWATCH_DETECTOR__NAME": CARDS["detector"],
    "PINWATCH_EMBEDDER__NAME": CARDS["embedder"],
    "PINWATCH_PURIFIER": CARDS["purifier"],
}
