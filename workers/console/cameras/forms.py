"""What the form about a camera sends, as settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Form

from pipeline.errors import UsageError

Text = Annotated[str, Form()]


@dataclass(frozen=True, slots=True)
class CameraForm:
    """The fields as they were typed; empty is as by default."""

    address: str
    transport: str
    substream: str
    rate_limit_hz: str
    clock_offset_s: str
    purpose: str
    enabled: bool

    def settings(self) -> dict[str, Any]:
        """As :func:`workers.camera_settings.make_camera` takes them.

        Raises:
            UsageError: a number is none.
        """
        return {
            "address": self.address.strip(),
            "transport": self.transport,
            "substream": self.substream.strip() or None,
            "rate_limit_hz": _number("rate limit", self.rate_limit_hz),
            "clock_offset_s": _number("clock offset", self.clock_offset_s) or 0.0,
            "purpose": self.purpose.strip(),
            "enabled": self.enabled,
        }


def _form(
    address: Text,
    *,
    transport: Text = "tcp",
    substream: Text = "",
    rate_limit_hz: Text = "",
    clock_offset_s: Text = "",
    purpose: Text = "",
    enabled: Annotated[bool, Form()] = False,
) -> CameraForm:
    return CameraForm(address, transport, substream, rate_limit_hz, clock_offset_s, purpose, enabled)


Sent = Annotated[CameraForm, Depends(_form)]
"""The form that was sent."""


def _number(what: str, text: str) -> float | None:
    typed = text.strip().replace(",", ".")
    if not typed:
        return None
    try:
        return float(typed)
    except ValueError:
        raise UsageError(f"{what}: {text.strip()[:40]!r} is not a number") from None
