"""What the console knows of the installation that it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from workers.config import AuditSettings, PrivacySettings, RecordingSettings
from workers.console.auditing.evidence import Evidence
from workers.console.cameras.pictures import ProbeCamera
from workers.console.health.status import NoPipeline, PipelineStatus


@dataclass(frozen=True, slots=True)
class Site:
    """An installation.

    Attributes:
        data: The data folder.
        evidence: Ledger, crops and footage in it.
        probe: Connects to a camera.
        model_ids: What detects, embeds and purifies, with digests.
        privacy: Settings.
        audit: Settings.
        recording: Settings.
        pipeline: Whoever watches the cameras.
    """

    data: Path
    evidence: Evidence
    probe: ProbeCamera
    model_ids: Callable[[], Mapping[str, str]]
    privacy: PrivacySettings = field(default_factory=PrivacySettings)
    audit: AuditSettings = field(default_factory=AuditSettings)
    recording: RecordingSettings = field(default_factory=RecordingSettings)
    pipeline: PipelineStatus = field(default_factory=NoPipeline)
