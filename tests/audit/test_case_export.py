"""A case can be verified without Pinwatch, and any change of it is found."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from audit.export.case_export import CaseExporter
from audit.ledger.checkpoints import export_checkpoint
from audit.ledger.signing import Verifier
from audit.recording.library import Recordings
from audit.scopes import scope_of
from pipeline.clock import SystemClock
from pipeline.errors import UsageError
from pipeline.types import TrackKey
from tests.audit.recorded import RUN, World
from tests.audit.recording.footage import record, write_clip
from workers.trail import SegmentRecorder

RED, GREY = (200, 0, 0), (120, 120, 120)


def exporter(recorded: World) -> CaseExporter:
    return CaseExporter(
        recorded.folder,
        recorded.keys,
        recorded.crops,
        Recordings(recorded.data),
        names=lambda ids: dict.fromkeys(ids, "<b>Ruby</b>"),
        clock=SystemClock(),
    )


@pytest.fixture
def case(recorded: World, tmp_path: Path) -> Path:
    """Unpacked: one decision of two, with footage; the ledger's own checkpoint is kept beside it."""
    record(write_clip(tmp_path / "clip.mp4", 20), recorded.data)
    for segment in Recordings(recorded.data).segments():
        SegmentRecorder(lambda: recorded.ledger, recorded.data / "recordings").closed(segment)
    made = recorded.decide(1, RED, camera="gate")
    recorded.decide(2, GREY, camera="gate")
    recorded.ledger.close()
    done = exporter(recorded).export("theft", [made.decision_id[:10]], tmp_path / "case.zip", footage=True)
    assert (done.decisions, done.crops, done.segments) == (1, 3, 1)
    with zipfile.ZipFile(tmp_path / "case.zip") as archive:
        archive.extractall(tmp_path / "case")
    kept = export_checkpoint(recorded.folder, Verifier.read(recorded.folder.public_key))
    (tmp_path / "kept.json").write_bytes(kept)
    (tmp_path / "kept.pem").write_bytes(recorded.folder.public_key.read_bytes())
    return tmp_path / "case"


def verify(case: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """By the script in the case, in an interpreter that knows nothing of Pinwatch."""
    return subprocess.run(
        [sys.executable, "-I", str(case / "verify.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=case,
        check=False,
    )


def test_a_case_verifies_by_itself_and_by_what_was_kept(case: Path) -> None:
    kept = ("--public-key", case.parent / "kept.pem", "--checkpoint", case.parent / "kept.json")
    for arguments in ((), kept):
        done = verify(case, *arguments)
        assert done.returncode == 0, done.stderr
        assert "1 decisions, 1 segments of footage" in done.stdout


def test_it_holds_the_keys_of_its_own_tracks_alone_and_no_private_key(case: Path, recorded: World) -> None:
    everything = b"".join(path.read_bytes() for path in case.rglob("*") if path.is_file())
    own, other = (recorded.keys.find(scope_of(RUN, TrackKey("gate", 0, track))) for track in (1, 2))
    assert own is not None
    assert other is not None
    assert own.hex().encode() in everything
    assert other.hex().encode() not in everything
    assert other not in everything
    assert b"PRIVATE KEY" not in everything
    assert b"<b>Ruby" not in everything


def test_any_changed_file_is_found(case: Path) -> None:
    chance = random.Random(0)
    files = [path for path in sorted(case.rglob("*")) if path.is_file() and path.name != "verify.py"]
    assert len(files) > 12
    for path in files:
        whole = path.read_bytes()
        at = chance.randrange(len(whole))
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        done = verify(case)
        assert done.returncode == 1, path
        assert "Traceback" not in done.stderr, done.stderr
        path.write_bytes(whole)
    assert verify(case).returncode == 0


def test_a_forger_with_the_data_folder_is_found_by_what_was_kept(case: Path, recorded: World) -> None:
    """Who holds the private key can sign a manifest of their own; not what the ledger told before."""
    from audit.ledger.signing import Signer

    (picture,) = case.rglob("crop-0.png")
    picture.write_bytes((picture.parent / "crop-1.png").read_bytes())
    manifest = json.loads((case / "manifest.json").read_text())
    from hashlib import sha256

    manifest["files"][str(picture.relative_to(case))] = sha256(picture.read_bytes()).hexdigest()
    text = json.dumps(manifest).encode()
    (case / "manifest.json").write_bytes(text)
    (case / "manifest.sig").write_bytes(Signer.of(recorded.folder).sign(text))
    done = verify(case)
    assert done.returncode == 1
    assert "crop 0" in done.stderr


def test_what_was_erased_cannot_be_exported(recorded: World, tmp_path: Path) -> None:
    made = recorded.decide(1, RED)
    recorded.keys.destroy([scope_of(RUN, TrackKey("lobby/1:2", 0, 1))])
    with pytest.raises(UsageError, match="erased"):
        exporter(recorded).export("x", [made.decision_id], tmp_path / "x.zip", footage=True)
    assert list(tmp_path.glob("*x.zip*")) == []
