"""How long what is kept of whom, in words: for every page that shows pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from workers.camera_settings import Camera
from workers.config import AuditSettings, KeepSettings, PrivacySettings, RecordingSettings


@dataclass(frozen=True, slots=True)
class CameraNotice:
    """What people in front of one camera can expect.

    Attributes:
        camera_id: Which camera.
        purpose: Why they are filmed; empty where nobody said.
        footage: How long footage is kept.
        masks: How many parts of the picture are black.
    """

    camera_id: str
    purpose: str
    footage: str
    masks: int


@dataclass(frozen=True, slots=True)
class Retention:
    """What the settings say; templates know it as ``retention``.

    Attributes:
        privacy: Settings.
        audit: Settings.
        recording: Settings.
        cameras: Those that are set up.
    """

    privacy: PrivacySettings
    audit: AuditSettings
    recording: RecordingSettings
    cameras: Callable[[], Sequence[Camera]]

    def purpose(self, camera_id: str) -> str:
        """Why people are filmed by the camera: its own purpose, else that of all."""
        own = next((one.purpose for one in self.cameras() if one.name == camera_id), "")
        return own or self.privacy.purpose

    def footage(self, camera_id: str) -> str:
        """How long its footage is kept."""
        days, size_gb = self.limits(camera_id)
        if days is None and size_gb is None:
            return "Footage that is recorded is kept without a limit"
        parts = [*([_days(days)] if days is not None else []), *([f"{size_gb:g} GB"] if size_gb else [])]
        return f"Footage is kept for up to {' and '.join(parts)}, longer only where somebody holds it"

    def limits(self, camera_id: str) -> tuple[float | None, float | None]:
        """Days and gigabytes (10^9 bytes); ``None`` is no limit."""
        common, own = self.recording, self.recording.cameras.get(camera_id, KeepSettings())
        days = common.max_age_days if own.max_age_days is None else own.max_age_days
        return days, common.max_gb if own.max_gb is None else own.max_gb

    def unknown(self) -> str:
        """How long what was seen of people whom nobody named."""
        days = self.audit.keep_unknown_days
        if not days:
            return "What was seen of people who are not enrolled is kept without a limit"
        return f"What was seen of people who are not enrolled becomes unreadable after {_days(days)}"

    def blurring(self) -> str:
        """What is done to the faces of people whom nobody named."""
        if self.privacy.blur_unknown:
            return "Faces of people who are not recognised are blurred in the live pictures"
        return "Faces of people who are not recognised are not blurred"

    def notices(self, names: Sequence[str]) -> list[CameraNotice]:
        """Of each of these cameras."""
        known = {one.name: one for one in self.cameras()}
        return [
            CameraNotice(
                name,
                (known[name].purpose if name in known else "") or self.privacy.purpose,
                self.footage(name),
                len(known[name].privacy_masks) if name in known else 0,
            )
            for name in names
        ]


def _days(days: float) -> str:
    if days < 2:
        hours = round(days * 24)
        return "one day" if days == 1 else f"{hours} hour{'s' if hours != 1 else ''}"
    return f"{days:g} days"
