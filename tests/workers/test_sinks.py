"""Where decisions go: lines that are on disk when the step says so, and a board of what is going on."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import StorageError, UsageError
from pipeline.types import Outcome, Revision, Sighting, TrackKey
from tests.workers.test_codec import SIGHTING
from workers.sinks import Board, JsonlSink

KNOWN = replace(SIGHTING, outcome=Outcome.KNOWN, subject_id="s1")


def names(ids: Collection[str]) -> Mapping[str, str]:
    return {subject_id: {"s1": "Zoë Müller"}[subject_id] for subject_id in ids}


def test_a_line_is_there_as_soon_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "sightings.jsonl"
    with JsonlSink(path, names) as sink:
        sink.write([replace(KNOWN, revision=Revision.NEW), KNOWN])
        (line,) = [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines()]
    assert (line["subject"], line["candidate"], line["outcome"]) == ("Zoë Müller", "Zoë Müller", "known")


def test_an_unknown_has_a_candidate_and_no_subject(tmp_path: Path) -> None:
    path = tmp_path / "sightings.jsonl"
    with JsonlSink(path, names) as sink:
        sink.write([SIGHTING])
    line = json.loads(path.read_text(encoding="utf-8"))
    assert (line["subject"], line["candidate"]) == (None, "Zoë Müller")


def test_a_full_disk_is_an_error_that_names_the_file(
    tmp_path: Path, full_disk: Callable[[int], AbstractContextManager[None]]
) -> None:
    path = tmp_path / "sightings.jsonl"
    with (
        JsonlSink(path, names) as sink,
        full_disk(2000),
        pytest.raises(StorageError, match=r"sightings\.jsonl"),
    ):
        sink.write([SIGHTING] * 100)


def test_the_board_forgets_a_track_that_has_ended() -> None:
    board = Board()
    key = TrackKey("gate", 0, 1)
    board.write([replace(KNOWN, revision=Revision.NEW)])
    latest: Sighting | None = board.latest(key)
    assert latest is not None
    assert latest.outcome is Outcome.KNOWN
    board.write([KNOWN])
    assert board.latest(key) is None


def test_a_file_is_gone_on_with_each_decision_once(tmp_path: Path) -> None:
    path = tmp_path / "sightings.jsonl"
    second, third = (replace(KNOWN, decision_id=name) for name in ("d2", "d3"))
    with JsonlSink(path, names, resume=True) as sink:
        sink.write([KNOWN, second])
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])  # killed while it wrote
    with JsonlSink(path, names, resume=True) as sink:
        sink.write([KNOWN, second])
        sink.write([second, third])
    ids = [json.loads(text)["decision_id"] for text in path.read_text(encoding="utf-8").splitlines()]
    assert ids == [KNOWN.decision_id, "d2", "d3"]
    (tmp_path / "other.txt").write_text("no sightings\n")
    with pytest.raises(UsageError, match=r"other\.txt"):
        JsonlSink(tmp_path / "other.txt", names, resume=True)
