"""The installation of a program: what the composition root makes of its settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from audit.recording.holds import Holds
from audit.recording.library import Recordings
from pipeline.sources.probe import Probe
from workers.camera_probe import probe_camera
from workers.camera_settings import Camera
from workers.console.auditing.evidence import Evidence
from workers.console.health.site import Site
from workers.console.health.status import NoPipeline, PipelineStatus

if TYPE_CHECKING:
    from workers.build import Context


def site_of(program: Context, pipeline: PipelineStatus | None = None) -> Site:
    """The installation.

    Args:
        program: Settings and what is built from them.
        pipeline: Whoever watches the cameras; ``None``: nobody here.
    """
    settings = program.settings

    def probing(camera: Camera, watch_s: float) -> Mapping[str, Probe]:
        return probe_camera(camera, watch_s, settings.live, program.clock)

    return Site(
        data=settings.data,
        evidence=evidence_of(program),
        probe=probing,
        model_ids=program.model_ids,
        privacy=settings.privacy,
        audit=settings.audit,
        recording=settings.recording,
        pipeline=pipeline or NoPipeline(),
    )


def evidence_of(program: Context) -> Evidence:
    """What is kept to prove decisions."""
    recordings = Recordings(program.settings.data)
    return Evidence(
        folder=program.ledger_folder(),
        keys=program.keys,
        crops=program.crops,
        recordings=recordings,
        holds=Holds(recordings.root, now_ns=program.clock.now_ns),
        ledger=program.ledger() if program.settings.audit.ledger else None,
    )
