"""What is changed about a camera, in words for the ledger: old and new, never with credentials."""

from __future__ import annotations

import json
from typing import Any

from workers.camera_settings import REVEAL, Camera


def changes(before: Camera, after: Camera) -> list[str]:
    """One text a setting that differs."""
    old, new = before.shown(), after.shown()
    found = [f"{key} {_text(old[key])} → {_text(new[key])}" for key in new if old[key] != new[key]]
    return found + [f"{key}: other credentials" for key in _secretly_changed(before, after)]


def _secretly_changed(before: Camera, after: Camera) -> list[str]:
    """Settings that look the same, and are not."""
    shown_old, shown_new = before.shown(), after.shown()
    full_old, full_new = (each.model_dump(mode="json", context=REVEAL) for each in (before, after))
    return [key for key in full_new if full_old[key] != full_new[key] and shown_old[key] == shown_new[key]]


def in_words(camera: Camera) -> str:
    """All settings that are not as they are by default."""
    shown = camera.shown()
    usual = Camera.model_fields
    said = [key for key in shown if usual[key].is_required() or shown[key] != _default(key)]
    return "; ".join(f"{key} {_text(shown[key])}" for key in said if key != "name")


def _default(key: str) -> Any:
    default = Camera.model_fields[key].default
    return [] if default == () else default


def _text(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
