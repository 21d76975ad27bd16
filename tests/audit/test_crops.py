"""Crops come back as they were kept, and nobody can read them without their key."""

from __future__ import annotations

import numpy as np
import pytest

from audit.crops import crop_path
from audit.scopes import parts_of, scope_of
from pipeline.errors import Erased, LedgerCorrupt
from pipeline.types import TrackKey
from tests.audit.recorded import RUN, World, crop_of

TRACK = TrackKey("../lobby", 2, 7)


def test_crops_come_back_as_they_were(recorded: World) -> None:
    crops = [crop_of(TRACK, sequence, (9, 8, 7)) for sequence in range(3)]
    recorded.crops.keep(RUN, crops[:2])
    recorded.crops.keep(RUN, crops[1:])  # one of them again, as after a crash
    found = recorded.crops.read(RUN, TRACK)
    assert [crop.sequence for crop in found] == [0, 1, 2]
    for before, after in zip(crops, found, strict=True):
        assert np.array_equal(before.image_rgb, after.image_rgb)
        assert np.array_equal(before.bbox, after.bbox)
        assert (before.pts_ns, before.score, before.quality) == (after.pts_ns, after.score, after.quality)
    assert recorded.crops.read("another run", TRACK) == []


def test_no_camera_leads_out_of_the_folder_of_crops(recorded: World) -> None:
    recorded.crops.keep("../run", [crop_of(TRACK, 0, (1, 1, 1))])
    (file,) = recorded.data.rglob("*.crops")
    assert file.is_relative_to(recorded.data / "crops")
    assert file == recorded.data / "crops" / crop_path(scope_of("../run", TRACK))
    assert len(file.relative_to(recorded.data / "crops").parts) == 3


@pytest.mark.parametrize("camera", ["gate", "a/b", "a:1:2", "é ü", ""])
@pytest.mark.parametrize("run", ["live", "a/b", "x:1:2"])
def test_a_scope_names_one_track_of_one_run(camera: str, run: str) -> None:
    key = TrackKey(camera, 4, 5)
    _, found = parts_of(scope_of(run, key))
    assert found == key


def test_what_a_crash_tore_is_cut_off_before_more_is_kept(recorded: World) -> None:
    recorded.crops.keep(RUN, [crop_of(TRACK, 0, (1, 2, 3))])
    (file,) = recorded.data.rglob("*.crops")
    whole = file.read_bytes()
    file.write_bytes(whole + whole[:-5])
    assert len(recorded.crops.read(RUN, TRACK)) == 1
    recorded.crops.keep(RUN, [crop_of(TRACK, 1, (1, 2, 3))])
    assert [crop.sequence for crop in recorded.crops.read(RUN, TRACK)] == [0, 1]


def test_a_changed_crop_is_refused_and_one_without_its_key_is_erased(recorded: World) -> None:
    recorded.crops.keep(RUN, [crop_of(TRACK, 0, (1, 2, 3))])
    (file,) = recorded.data.rglob("*.crops")
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(LedgerCorrupt, match="not what was written"):
        recorded.crops.read(RUN, TRACK)
    recorded.keys.destroy([scope_of(RUN, TRACK)])
    with pytest.raises(Erased):
        recorded.crops.read(RUN, TRACK)


def test_a_crop_does_not_pass_for_another_one_of_its_track(recorded: World) -> None:
    recorded.crops.keep(RUN, [crop_of(TRACK, 0, (1, 2, 3)), crop_of(TRACK, 1, (3, 2, 1))])
    (file,) = recorded.data.rglob("*.crops")
    data = bytearray(file.read_bytes())
    first = int.from_bytes(data[:4], "little") + 8
    data[4], data[first + 4] = data[first + 4], data[4]  # exchange their sequences
    file.write_bytes(data)
    with pytest.raises(LedgerCorrupt):
        recorded.crops.read(RUN, TRACK)
