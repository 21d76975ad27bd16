"""One log line a track in every worker, all with the id that the decision will have: to follow it through."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from pipeline.types import FaceCrop, Revision, Sighting, TrackEnded, TrackKey
from workers.channel import Send
from workers.sighting import decision_id, key_of

log = structlog.get_logger(__name__)


class TrackLog:
    """Writes these lines, at level ``info``.

    Args:
        step: What was done with the track.
        run_id: Under which it is decided.
    """

    def __init__(self, step: str, run_id: str) -> None:
        self._step, self._run_id = step, run_id

    def __call__(self, key: TrackKey) -> None:
        """A track has ended, as far as this worker is concerned."""
        log.info(
            "track", step=self._step, track=str(key), decision=decision_id(self._run_id, key, Revision.END, 0)
        )

    def write(self, sightings: Sequence[Sighting]) -> None:
        """As a sink: these decisions are kept."""
        for sighting in sightings:
            log.info(
                "track",
                step=self._step,
                track=str(key_of(sighting)),
                decision=sighting.decision_id,
                revision=str(sighting.revision),
                outcome=str(sighting.outcome),
            )

    def around(self, send: Send) -> Send:
        """`send`, with a line for every end of a track among the messages."""

        def logged(messages: Sequence[FaceCrop | TrackEnded]) -> None:
            send(messages)
            for message in messages:
                if isinstance(message, TrackEnded):
                    self(message.key)

        return logged
