"""Camera ids as names of folders."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from audit.recording.layout import SegmentPaths, epoch_folder, quoted

ROOT = Path("recordings")
IDS = st.text(max_size=300) | st.text("./%~ABab", max_size=8)


@given(IDS)
@example("..")
@example("../x")
@example("a/b")
@example("/etc")
@example("")
@example("CON\0")
@example("\ud800")
def test_no_id_leads_out_of_its_folder(camera_id: str) -> None:
    name = quoted(camera_id)
    assert Path(name).name == name
    assert name not in (".", "..", "")
    assert not name.startswith(".")
    assert len(name.encode()) <= 200
    assert epoch_folder(ROOT, camera_id, 3).parent.parent == ROOT


@given(IDS, IDS)
@example("Gate", "gate")
@example("a/b", "a%2Fb")
@example("", "%")
@example("x" * 200, "x" * 201)
@example("é", "e\u0301")
def test_two_ids_never_share_a_folder_even_where_case_does_not_count(one: str, other: str) -> None:
    assert (quoted(one).casefold() == quoted(other).casefold()) == (one == other)


def test_plain_ids_stay_readable() -> None:
    assert quoted("gate-2_north") == "gate-2_north"


def test_a_segment_is_called_by_its_first_frame() -> None:
    paths = SegmentPaths.of(ROOT, 1_500_000_000, "mp4")
    assert paths.media.name == "00000000001500000000.mp4"
    assert paths.first_pts_ns == 1_500_000_000
    assert {paths.index.suffix, paths.record.suffix} == {".index", ".json"}


def test_an_epoch_is_never_negative() -> None:
    with pytest.raises(ValueError, match="-1"):
        epoch_folder(ROOT, "gate", -1)
