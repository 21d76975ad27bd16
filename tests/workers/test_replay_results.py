"""A replay that was stopped goes on, and what is shown is the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.replay import Replayed, Result
from pipeline.errors import UsageError
from workers.replay_results import ResultsFile

ONE = Replayed("one", Result.IDENTICAL)
TWO = Replayed("two", Result.DIFFERS, differences={"similarity": (0.5, 0.4)})


def test_results_come_back_and_a_torn_line_is_done_again(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    with ResultsFile(path) as kept:
        kept.add(ONE)
        kept.add(TWO)
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    with ResultsFile(path) as again:
        assert list(again.done) == ["one"]
        assert again.done["one"] == ONE
        again.add(TWO)
    assert path.read_bytes() == whole
    with ResultsFile(path) as last:
        assert last.done["two"].result is Result.DIFFERS


def test_without_a_file_they_are_kept_in_memory() -> None:
    with ResultsFile(None) as kept:
        kept.add(ONE)
        assert kept.done == {"one": ONE}


def test_another_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    for text in ("hello\n", "hello", '{"a": 1}\n'):
        path.write_text(text)
        with pytest.raises(UsageError, match="does not hold results"), ResultsFile(path):
            pass
        assert path.read_text() == text
