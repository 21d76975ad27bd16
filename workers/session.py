"""One run of `watch` from beginning to end: the running parts, and what they leave behind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType

from pipeline.types import Frame, Outcome, Revision, Sighting, TrackedFace
from workers.channel import ChannelReport, FrameTap
from workers.names import Names, subject_ids
from workers.overlay import FootageOverlay
from workers.watch import Watch

KEPT = 1000


class Summary:
    """Counts every ended track, and keeps the first :data:`KEPT` of them for the table."""

    def __init__(self) -> None:
        self.sightings: list[Sighting] = []
        self.counts: Counter[Outcome] = Counter()

    def write(self, sightings: Sequence[Sighting]) -> None:
        ended = [sighting for sighting in sightings if sighting.revision is Revision.END]
        self.counts.update(sighting.outcome for sighting in ended)
        self.sightings += ended[: max(0, KEPT - len(self.sightings))]


def _no_frame(frame: Frame, tracked: Sequence[TrackedFace]) -> None:
    return None


def _nothing_drawn(camera_id: str, frames: int) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Hooks:
    """Who wants to know how far a session is.

    Attributes:
        on_frame: Shown every frame with its faces, in the thread of its camera.
        on_drawn: Told how many frames of a recording's annotated video are done.
    """

    on_frame: FrameTap = _no_frame
    on_drawn: Callable[[str, int], None] = _nothing_drawn


@dataclass(frozen=True, slots=True)
class SessionResult:
    """What a session found.

    Attributes:
        run_id: Under which its decisions are filed.
        sightings: Canonical decisions, by camera, epoch and track; at most :data:`KEPT`.
        counts: All canonical decisions by outcome.
        reports: One a camera.
        names: Subjects' names by id.
    """

    run_id: str
    sightings: tuple[Sighting, ...]
    counts: Mapping[Outcome, int]
    reports: tuple[ChannelReport, ...]
    names: Mapping[str, str]


class Session:
    """A :class:`Watch` with everything that must be closed when it ends.

    Args:
        run_id: Under which the decisions are filed.
        watch: The running parts.
        expected: Number of frames by camera, where known.
        summary: A sink of `watch`.
        names: Gives subjects' names.
        failed: Sources that could not even be opened.
        drawings: Annotated videos to write when all is decided.
        on_drawn: See :class:`Hooks`.
        on_reports: Told how every camera fared, when all is decided.
        resources: What to close; owned from here on.
    """

    def __init__(
        self,
        run_id: str,
        watch: Watch,
        *,
        expected: Mapping[str, int | None],
        summary: Summary,
        names: Names,
        failed: Sequence[ChannelReport],
        drawings: Sequence[FootageOverlay],
        on_drawn: Callable[[str, int], None],
        on_reports: Callable[[Sequence[ChannelReport]], None],
        resources: ExitStack,
    ) -> None:
        self.expected = expected
        self._failed = failed
        self._drawings = drawings
        self._on_drawn, self._on_reports = on_drawn, on_reports
        self._run_id = run_id
        self._watch = watch
        self._summary = summary
        self._names = names
        self._resources = resources

    def run(self) -> SessionResult:
        """Block until all sources have ended and everything is written; see :meth:`Watch.run`."""
        reports = self._watch.run()
        self._on_reports([*reports, *self._failed])
        for drawing in self._drawings:
            for done in drawing.draw():
                self._on_drawn(drawing.camera_id, done)
        order = sorted(self._summary.sightings, key=lambda s: (s.camera_id, s.stream_epoch, s.track_id))
        return SessionResult(
            run_id=self._run_id,
            sightings=tuple(order),
            counts=dict(self._summary.counts),
            reports=(*reports, *self._failed),
            names=self._names(subject_ids(order)),
        )

    def stop(self) -> None:
        """End all sources now; what was seen is still decided and written."""
        self._watch.stop()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._resources.__exit__(kind, error, trace)
