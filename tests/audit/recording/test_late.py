"""Streams that are joined between two key frames and say nothing of themselves before the next."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import av
import pytest

from audit.recording.library import Recordings
from audit.recording.muxing import is_described
from pipeline.sources.channel import DropCounter
from pipeline.sources.ffmpeg import decoded
from pipeline.sources.picture import BgrConverter
from pipeline.types import Frame
from tests.audit.recording.footage import CAMERA, SECOND_NS, Told, pixels, recorder, write_clip


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_a_stream_that_leaves_its_description_to_its_key_frames(tmp_path: Path, codec: str) -> None:
    """Connected to between two key frames, as to a camera without parameter sets in its SDP."""
    how: dict[str, Any] = {"options": {"x264-params": "repeat-headers=1", "bf": "0"}}
    if codec == "hevc":
        parameters = "log-level=none:repeat-headers=1:keyint=10:bframes=0"
        how = {"codec": "libx265", "options": {"x265-params": parameters}}
    clip = write_clip(tmp_path / f"clip.{codec}", **how)
    with av.open(str(clip)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0)]
    cut = io.BytesIO(b"".join(packets[1:]))
    into = recorder(tmp_path, told := Told())
    seen: list[bytes] = []
    with av.open(cut, "r", format=codec, options={"probesize": "32", "analyzeduration": "0"}) as container:
        stream = container.streams.video[0]
        stream.codec_context.copy_opaque = True
        assert not is_described(stream)
        into.open_stream(stream)
        for packet in container.demux(stream):
            packet.opaque = (into.packet(packet),)
            for frame in decoded(packet, DropCounter()):
                assert isinstance(frame.opaque, tuple)
                pts_ns = len(seen) * SECOND_NS // 10
                into.frame(frame.opaque[0], 0, pts_ns, None)
                seen.append(pixels(Frame(CAMERA, 0, pts_ns, None, BgrConverter()(frame))))
    into.close_stream()
    into.close()
    assert told.errors == []
    assert into.dropped_by_cause == {"before_key_frame": 9}
    found = list(Recordings(tmp_path).frames(CAMERA, 0, threads=1))
    assert [pixels(frame) for frame in found] == seen[-50:]
