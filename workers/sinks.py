"""Where decisions go besides the database: a file for scripts, labels for the picture."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from pipeline.errors import StorageError, UsageError
from pipeline.types import Revision, Sighting, TrackKey
from workers.names import Names, subject_ids
from workers.sighting import as_record, key_of

_REMEMBERED = 100_000


class JsonlSink:
    """``sightings.jsonl``: one line a track, written when the track has ended.

    Args:
        path: Written anew, unless `resume`.
        names: Of subjects.
        resume: Go on with a file that an earlier process left, each decision once.

    Raises:
        StorageError: the file cannot be written.
        UsageError: it is to be gone on with, and does not hold sightings.
    """

    def __init__(self, path: Path, names: Names, *, resume: bool = False) -> None:
        self._names = names
        self._path = path
        self._resumes = resume
        self._known: dict[str, None] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if resume and path.exists():
                self._known = dict.fromkeys(_resumable(path))
            self._file = path.open("a" if resume else "w", encoding="utf-8")
        except OSError as error:
            raise StorageError(f"cannot write sightings to {path}: {error.strerror}") from error

    def write(self, sightings: Sequence[Sighting]) -> None:
        ended = [
            sighting
            for sighting in sightings
            if sighting.revision is Revision.END and sighting.decision_id not in self._known
        ]
        if not ended:
            return
        if self._resumes:
            self._remember(ended)
        names = self._names(subject_ids(ended))
        lines = [json.dumps(as_record(sighting, names), ensure_ascii=False) + "\n" for sighting in ended]
        try:
            self._file.writelines(lines)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise StorageError(f"cannot write sightings to {self._path}: {error.strerror}") from error

    def _remember(self, written: Sequence[Sighting]) -> None:
        """What may come again comes soon after: the last ones are enough."""
        self._known |= {sighting.decision_id: None for sighting in written}
        for oldest in list(self._known)[: max(0, len(self._known) - _REMEMBERED)]:
            del self._known[oldest]

    def __enter__(self) -> JsonlSink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def _resumable(path: Path) -> list[str]:
    """The decisions in a file; a line that was not finished is cut off."""
    with path.open("rb+") as file:
        lines = file.read().splitlines(keepends=True)
        if lines and not lines[-1].endswith(b"\n"):
            file.truncate(sum(len(line) for line in lines[:-1]))
            lines.pop()
    try:
        return [str(json.loads(line)["decision_id"]) for line in lines]
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} does not hold sightings: name another file, or remove it") from error


class Board:
    """The latest decision of every track that is still going on, for whoever draws; safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latest: dict[TrackKey, Sighting] = {}

    def write(self, sightings: Sequence[Sighting]) -> None:
        with self._lock:
            for sighting in sightings:
                key = key_of(sighting)
                if sighting.revision is Revision.END:
                    self._latest.pop(key, None)
                else:
                    self._latest[key] = sighting

    def latest(self, key: TrackKey) -> Sighting | None:
        with self._lock:
            return self._latest.get(key)
