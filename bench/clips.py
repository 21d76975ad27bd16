"""Longer footage out of a short clip, without encoding anything anew."""

from __future__ import annotations

from pathlib import Path

import av


def looped(clip: Path, times: int, target: Path) -> Path:
    """Write `clip` to `target` `times` times in a row: the same packets with later time stamps."""
    with av.open(str(target), "w") as output:
        first = True
        offset = 0
        for _ in range(times):
            with av.open(str(clip)) as source:
                video = source.streams.video[0]
                if first:
                    stream = output.add_stream_from_template(video)
                    first = False
                end = 0
                for packet in source.demux(video):
                    if packet.dts is None or packet.pts is None:
                        continue
                    end = max(end, packet.pts + (packet.duration or 0))
                    packet.pts += offset
                    packet.dts += offset
                    packet.stream = stream
                    output.mux(packet)
                offset += end
    return target
