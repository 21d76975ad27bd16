"""The worker that looks after footage closes what a crashed reader left."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from pathlib import Path

from audit.recording.library import Recordings
from tests.audit.recording.footage import record, write_clip
from workers.assemble_worker import Place, Workers
from workers.build import Context


def test_what_a_crash_left_is_closed_recorded_and_an_order_ends_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    record(write_clip(tmp_path / "gate.mp4", 20), data)
    for described in data.rglob("*.json"):
        described.unlink()  # as if the reader had died before it closed them
    assert Recordings(data).segments() == []
    stop = threading.Event()
    with closing(Context({})) as context:
        context.override(data=data)
        worker = threading.Thread(target=Workers(context, Place()).record, args=(stop,), daemon=True)
        worker.start()
        deadline_s = time.monotonic() + 30
        while not Recordings(data).segments() and time.monotonic() < deadline_s:
            time.sleep(0.05)
        assert all(segment.recovered for segment in Recordings(data).segments())
        assert Recordings(data).segments()
        stop.set()
        worker.join(30)
        assert not worker.is_alive()
    assert b"closed" in b"".join(path.read_bytes() for path in data.rglob("*.chain"))
