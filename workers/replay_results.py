"""Results of a replay, kept one by one, so that a long one can be stopped and gone on with."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import IO

import msgspec

from audit.replay import Replayed
from pipeline.errors import StorageError, UsageError

_BEGINS = b'{"decision_id":'


class ResultsFile:
    """Results in the order in which they came.

    Args:
        path: A JSON line each; made if it is not there. ``None`` keeps them in memory alone.

    Attributes:
        done: By decision.

    Raises:
        UsageError: the file holds something else.
        StorageError: it cannot be read or written.
    """

    def __init__(self, path: Path | None) -> None:
        self.done: dict[str, Replayed] = {}
        self._path = path
        self._file: IO[bytes] | None = None

    def __enter__(self) -> ResultsFile:
        if self._path is not None:
            try:
                data = self._path.read_bytes() if self._path.exists() else b""
                whole = self._read(data)
                self._file = self._path.open("ab")
                self._file.truncate(whole)  # a line that was not finished is done again
            except OSError as error:
                raise StorageError(f"cannot keep results in {self._path}: {error.strerror}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, result: Replayed) -> None:
        """Keep one; durable when this returns, where there is a file."""
        self.done[result.decision_id] = result
        if self._file is None:
            return
        try:
            self._file.write(msgspec.json.encode(result) + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise StorageError(f"cannot keep results in {self._path}: {error.strerror}") from error

    def _read(self, data: bytes) -> int:
        """How much of the file is whole lines."""
        whole = data[: data.rfind(b"\n") + 1]
        try:
            results = [msgspec.json.decode(line, type=Replayed) for line in whole.splitlines()]
            if not data[len(whole) :].startswith(_BEGINS[: len(data) - len(whole)]):
                raise msgspec.DecodeError("the last line is something else")
        except msgspec.MsgspecError as error:
            raise UsageError(f"{self._path} does not hold results of a replay: name another file") from error
        self.done = {result.decision_id: result for result in results}
        return len(whole)
