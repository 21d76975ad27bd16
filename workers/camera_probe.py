"""Tries a saved camera: all its streams, a picture, and the findings in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2

from pipeline.errors import StorageError
from pipeline.seams import Clock
from pipeline.sources.channel import DropCounter
from pipeline.sources.opening import connector
from pipeline.sources.options import LiveOptions
from pipeline.sources.probe import Probe, probe
from workers.camera_settings import Camera


def probe_camera(camera: Camera, watch_s: float, options: LiveOptions, clock: Clock) -> dict[str, Probe]:
    """What ``main``, and ``substream`` if there is one, deliver in `watch_s` seconds each.

    Raises:
        SourceNotFound, SourceUnreadable, SourceLost: one of them gave no picture.
    """
    streams = {"main": camera.address, "substream": camera.substream}
    return {
        stream: probe(connector(spec, camera.transport, options, clock, DropCounter()), watch_s, clock)
        for stream, spec in streams.items()
        if spec is not None
    }


def write_snapshot(path: Path, camera: Camera, probed: Probe) -> None:
    """Save the last picture as JPEG, with the camera's privacy masks.

    Raises:
        StorageError: it cannot be written.
    """
    if camera.mask is not None:
        camera.mask.apply(probed.picture)
    encoded = cv2.imencode(".jpg", probed.picture)[1].tobytes()
    try:
        path.write_bytes(encoded)
    except OSError as error:
        raise StorageError(
            f"cannot write {path}: {error.strerror}; choose another with --snapshot"
        ) from error


def as_record(probed: Probe) -> dict[str, Any]:
    """The findings for scripts."""
    return {
        "codec": probed.info.codec,
        "width_px": probed.info.width_px,
        "height_px": probed.info.height_px,
        "nominal_rate_hz": round(probed.info.rate_hz, 3),
        "rate_hz": round(probed.rate_hz, 3),
        "pictures": probed.pictures,
        "connect_s": round(probed.connect_s, 3),
        "first_picture_s": round(probed.first_picture_s, 3),
        "delay_s": None if probed.delay_s is None else round(probed.delay_s, 3),
    }


def as_sentence(probed: Probe) -> str:
    """The findings for people."""
    info = probed.info
    delay = "" if probed.delay_s is None else f", {probed.delay_s:.2f} s from the camera's clock to ours"
    return (
        f"{info.codec} {info.width_px}x{info.height_px}, {probed.rate_hz:.1f} fps "
        f"(nominal {info.rate_hz:g}), first picture after {probed.first_picture_s:.2f} s{delay}"
    )
