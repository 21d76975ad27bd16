"""The annotated videos of a run: one file a camera, opened with its first frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from pipeline.types import Frame, Outcome, Sighting, TrackedFace, TrackKey
from workers.annotate import AnnotatedVideo, Label
from workers.names import Names, subject_ids

Latest = Callable[[TrackKey], Sighting | None]


class _CameraVideo:
    """One camera's file; a reconnected camera, whose time starts again, goes on where it stopped."""

    def __init__(self, path: Path, frame: Frame) -> None:
        height, width = frame.image_bgr.shape[:2]
        self.video = AnnotatedVideo(path, width, height)
        self._epoch = frame.stream_epoch
        self._offset_ns = -frame.pts_ns
        self._last_ns = 0

    def write(self, frame: Frame, labels: Sequence[Label]) -> None:
        if frame.stream_epoch != self._epoch:
            self._epoch = frame.stream_epoch
            self._offset_ns = self._last_ns + 1_000_000_000 - frame.pts_ns
        self._last_ns = frame.pts_ns + self._offset_ns
        self.video.write(frame.image_bgr, self._last_ns, labels)


class Overlay:
    """Draws every frame with what is decided of its faces at that moment, as an operator would see it.

    Args:
        paths: Where to write, by camera. Each camera's frames must come from one thread.
        latest: The newest decision of a track.
        names: Subjects' names.
    """

    def __init__(self, paths: Mapping[str, Path], latest: Latest, names: Names) -> None:
        self._paths = paths
        self._latest = latest
        self._names = names
        self._files = ExitStack()
        self._videos: dict[str, _CameraVideo] = {}

    def on_frame(self, frame: Frame, tracked: Sequence[TrackedFace]) -> None:
        """Add one frame.

        Raises:
            StorageError: disk full or no permission.
        """
        camera = self._videos.get(frame.camera_id)
        if camera is None:
            camera = _CameraVideo(self._paths[frame.camera_id], frame)
            self._files.enter_context(camera.video)
            self._videos[frame.camera_id] = camera
        camera.write(frame, self._labels(frame, tracked))

    def _labels(self, frame: Frame, tracked: Sequence[TrackedFace]) -> list[Label]:
        keys = [TrackKey(frame.camera_id, frame.stream_epoch, item.track_id) for item in tracked]
        decided = [self._latest(key) for key in keys]
        names = self._names(subject_ids(s for s in decided if s is not None))
        return [_label(item, sighting, names) for item, sighting in zip(tracked, decided, strict=True)]

    def __enter__(self) -> Overlay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.__exit__(kind, error, trace)


def _label(item: TrackedFace, sighting: Sighting | None, names: Mapping[str, str]) -> Label:
    """The candidate's name, with a question mark where it is not certain; nothing of an unknown."""
    if sighting is None:
        return Label(item.face.bbox, "", None)
    name = names.get(sighting.candidate_id or "", "")
    match sighting.outcome:
        case Outcome.KNOWN:
            text = name
        case Outcome.AMBIGUOUS | Outcome.SUSPECTED_ATTACK:
            text = f"{name}?" if name else ""
        case _:
            text = ""
    return Label(item.face.bbox, text, sighting.outcome)
