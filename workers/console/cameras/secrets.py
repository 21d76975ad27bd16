"""Addresses come back from forms as they were shown, without credentials: what was not touched stays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.errors import UsageError
from pipeline.redact import HIDDEN
from workers.camera_settings import Camera

_ADDRESSES = ("address", "substream")


def with_secrets(settings: Mapping[str, Any], saved: Camera | None) -> dict[str, Any]:
    """`settings` with the saved address wherever exactly what is shown of it came back.

    Only then: an address whose host was changed must not take the old password along.

    Raises:
        UsageError: part of an address is hidden, and it is not the one that is saved.
    """
    completed = dict(settings)
    for key in _ADDRESSES:
        given = completed.get(key)
        if not isinstance(given, str):
            continue
        kept = None if saved is None else getattr(saved, key)
        if kept is not None and given.strip() == str(shown_address(kept)):
            completed[key] = kept
        elif HIDDEN in given:
            raise UsageError(
                f"{key}: what is shown as {HIDDEN} is kept only where nothing of the address is changed: "
                "type user and password again"
            )
    return completed


def shown_address(spec: Any) -> str:
    """An address, or the number of a camera of this machine, as people may see it."""
    return str(getattr(spec, "address", getattr(spec, "index", spec)))
