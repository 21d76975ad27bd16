"""The annotated videos of a run, one file a camera.

A camera is drawn as it is watched, with what is decided at that moment, as an operator would see
it. A recording is drawn after it has been watched: everybody bears from the first frame the name
that the whole track was given, and the same decisions give the same video.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from pipeline.seams import FrameSource
from pipeline.types import FloatArray, Frame, Outcome, Revision, Sighting, TrackedFace, TrackKey
from workers.annotate import AnnotatedVideo, Label
from workers.names import Names, subject_ids

Latest = Callable[[TrackKey], Sighting | None]

EPOCH_GAP_NS = 1_000_000_000
"""What a reconnection takes in the video, however long the camera was gone."""


class LiveOverlay:
    """Draws the frames of one camera while they come.

    Args:
        path: The file.
        camera_id: The camera; frames of others are passed over.
        latest: The newest decision of a track.
        names: Subjects' names.
    """

    def __init__(self, path: Path, camera_id: str, latest: Latest, names: Names) -> None:
        self._path = path
        self._camera_id = camera_id
        self._latest = latest
        self._names = names
        self._files = ExitStack()
        self._video: AnnotatedVideo | None = None
        self._epoch = 0
        self._offset_ns = 0
        self._last_ns = -EPOCH_GAP_NS

    def on_frame(self, frame: Frame, tracked: Sequence[TrackedFace]) -> None:
        """Add one frame.

        Raises:
            StorageError: disk full or no permission.
        """
        if frame.camera_id != self._camera_id:
            return
        if self._video is None:
            height, width = frame.image_bgr.shape[:2]
            self._video = self._files.enter_context(AnnotatedVideo(self._path, width, height))
        self._video.write(frame.image_bgr, self._time(frame), self._labels(frame, tracked))

    def _time(self, frame: Frame) -> int:
        """When the frame is shown; a reconnected camera, whose time starts again, goes on."""
        if frame.stream_epoch != self._epoch:
            self._epoch = frame.stream_epoch
            self._offset_ns = self._last_ns + EPOCH_GAP_NS - frame.pts_ns
        self._last_ns = frame.pts_ns + self._offset_ns
        return self._last_ns

    def _labels(self, frame: Frame, tracked: Sequence[TrackedFace]) -> list[Label]:
        keys = [TrackKey(frame.camera_id, frame.stream_epoch, item.track_id) for item in tracked]
        decided = [self._latest(key) for key in keys]
        names = self._names(subject_ids(s for s in decided if s is not None))
        return [label(item.face.bbox, s, names) for item, s in zip(tracked, decided, strict=True)]

    def __enter__(self) -> LiveOverlay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.__exit__(kind, error, trace)


class FootageOverlay:
    """Remembers where the faces of a recording were, and draws it when all is decided.

    Args:
        path: The file.
        camera_id: The recording; frames and decisions of others are passed over.
        reopen: Opens the recording again.
        names: Subjects' names.
    """

    def __init__(self, path: Path, camera_id: str, reopen: Callable[[], FrameSource], names: Names) -> None:
        self.camera_id = camera_id
        self._path = path
        self._reopen = reopen
        self._names = names
        self._boxes: dict[int, list[tuple[int, FloatArray]]] = {}
        self._decided: dict[int, Sighting] = {}

    def on_frame(self, frame: Frame, tracked: Sequence[TrackedFace]) -> None:
        """Remember the faces of one frame."""
        if frame.camera_id == self.camera_id:
            self._boxes[frame.pts_ns] = [(item.track_id, item.face.bbox) for item in tracked]

    def write(self, sightings: Sequence[Sighting], /) -> None:
        """Take the last words on tracks."""
        for sighting in sightings:
            if sighting.revision is Revision.END and sighting.camera_id == self.camera_id:
                self._decided[sighting.track_id] = sighting

    def draw(self) -> Iterator[int]:
        """Write the file, and yield how many frames are done; only what was watched is drawn.

        Raises:
            SourceError: the recording cannot be read again.
            StorageError: disk full or no permission.
        """
        names = self._names(subject_ids(self._decided.values()))
        with ExitStack() as stack:
            source = self._reopen()
            stack.callback(source.close)
            video: AnnotatedVideo | None = None
            for number, frame in enumerate(source.frames()):
                boxes = self._boxes.get(frame.pts_ns)
                if boxes is None:
                    return
                if video is None:
                    height, width = frame.image_bgr.shape[:2]
                    video = stack.enter_context(AnnotatedVideo(self._path, width, height))
                labels = [label(bbox, self._decided.get(track_id), names) for track_id, bbox in boxes]
                video.write(frame.image_bgr, frame.pts_ns, labels)
                yield number + 1


def label(bbox: FloatArray, sighting: Sighting | None, names: Mapping[str, str]) -> Label:
    """The candidate's name, with a question mark where it is not certain; nothing of an unknown."""
    if sighting is None:
        return Label(bbox, "", None)
    name = names.get(sighting.candidate_id or "", "")
    match sighting.outcome:
        case Outcome.KNOWN:
            text = name
        case Outcome.AMBIGUOUS | Outcome.SUSPECTED_ATTACK:
            text = f"{name}?" if name else ""
        case _:
            text = ""
    return Label(bbox, text, sighting.outcome)
