"""Where decisions go besides the database: a file for scripts, labels for the picture."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from pipeline.errors import StorageError
from pipeline.types import Revision, Sighting, TrackKey
from workers.names import Names, subject_ids
from workers.sighting import as_record


class JsonlSink:
    """``sightings.jsonl``: one line a track, written when the track has ended."""

    def __init__(self, path: Path, names: Names) -> None:
        self._names = names
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("w", encoding="utf-8")
        except OSError as error:
            raise StorageError(f"cannot write sightings to {path}: {error.strerror}") from error

    def write(self, sightings: Sequence[Sighting]) -> None:
        ended = [sighting for sighting in sightings if sighting.revision is Revision.END]
        if not ended:
            return
        names = self._names(subject_ids(ended))
        lines = [json.dumps(as_record(sighting, names), ensure_ascii=False) + "\n" for sighting in ended]
        try:
            self._file.writelines(lines)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise StorageError(f"cannot write sightings to {self._path}: {error.strerror}") from error

    def __enter__(self) -> JsonlSink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


class Board:
    """The latest decision of every track that is still going on, for whoever draws; safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latest: dict[TrackKey, Sighting] = {}

    def write(self, sightings: Sequence[Sighting]) -> None:
        with self._lock:
            for sighting in sightings:
                key = TrackKey(sighting.camera_id, sighting.stream_epoch, sighting.track_id)
                if sighting.revision is Revision.END:
                    self._latest.pop(key, None)
                else:
                    self._latest[key] = sighting

    def latest(self, key: TrackKey) -> Sighting | None:
        with self._lock:
            return self._latest.get(key)
