"""Pictures that a thread decodes ahead of whoever takes them."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator

from pipeline.sources.channel import Channel
from pipeline.sources.worker import Worker
from pipeline.types import Frame

Fill = Callable[[Channel[Frame]], None]
"""Puts frames into the channel until they are all there, or it takes no more; may raise."""


class DecodedAhead:
    """Passes over one source, each with a thread of its own that works while its consumer works.

    Args:
        camera_id: Of the source; the threads are called after it.
        fill: Decodes.
    """

    def __init__(self, camera_id: str, fill: Fill) -> None:
        self._name, self._fill = f"decode-{camera_id}", fill
        self._closed = threading.Event()
        self._channels: list[Channel[Frame]] = []

    def frames(self, ahead: int) -> Iterator[Frame]:
        """One pass: at most `ahead` frames wait to be taken. Raises what decoding raises."""
        channel: Channel[Frame] = Channel(ahead)
        self._channels.append(channel)
        if self._closed.is_set():
            return
        worker = Worker(functools.partial(self._run, channel), channel.close, name=self._name)
        worker.start()
        try:
            yield from channel
        finally:
            worker.close()
            self._channels.remove(channel)

    def close(self) -> None:
        """End all passes soon; safe from another thread and twice."""
        self._closed.set()
        for channel in list(self._channels):
            channel.close()

    def _run(self, channel: Channel[Frame]) -> None:
        try:
            self._fill(channel)
        except Exception as error:  # noqa: BLE001 - raised again in the consumer's thread
            channel.finish(error)
        else:
            channel.finish()
