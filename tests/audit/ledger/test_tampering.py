"""Whatever is changed in a ledger is found, and said to be where it is."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from audit.ledger.signing import Verifier
from audit.ledger.verify import Report, verify
from tests.audit.ledger.ledgers import Written, body_of, cut, first_bad, framed, start_of, write_ledger

TRIES = 200


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return write_ledger(tmp_path_factory.mktemp("tampering") / "ledger")


@contextmanager
def changed(files: Mapping[Path, bytes | None]) -> Iterator[None]:
    """Files with other contents, or gone, for a while."""
    before = {path: path.read_bytes() for path in files}
    try:
        for path, data in files.items():
            if data is None:
                path.unlink()
            else:
                path.write_bytes(data)
        yield
    finally:
        for path, data in before.items():
            path.write_bytes(data)


def expect(report: Report, chain: str, record: int | None) -> None:
    assert not report.holds
    first = report.problems[0]
    assert (first.chain, first.record) == (chain, record), report.problems
    assert first.what
    assert "\n" not in str(first)


def test_the_untouched_ledger_holds(written: Written) -> None:
    report = written.verify()
    assert (report.problems, report.notes) == ([], [])
    assert report.chains == 3
    assert report.records > 198  # and the records of checkpoints and ends
    assert report.checkpoints > 8


Change = Callable[[random.Random, bytes], bytes]


def another_byte(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ rng.randrange(1, 256)]) + data[at + 1 :]


def more_bytes(rng: random.Random, data: bytes) -> bytes:
    at = rng.choice([rng.randrange(len(data) + 1), len(data)])
    new = rng.choice([rng.randbytes(rng.randrange(1, 60)), bytes(rng.randrange(1, 60))])
    return data[:at] + new + data[at:]


def fewer_bytes(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.randrange(1, 400) :]


def zeros(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data))
    until = rng.choice([len(data), rng.randrange(at, len(data)) + 1])
    return data[:at] + bytes(until - at) + data[until:]


def cut_anywhere(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data))]


def without_a_frame(rng: random.Random, data: bytes) -> bytes:
    frames = cut(data)
    del frames[rng.randrange(len(frames))]
    return b"".join(frames)


def a_frame_twice(rng: random.Random, data: bytes) -> bytes:
    frames = cut(data)
    frames.insert(rng.randrange(len(frames) + 1), rng.choice(frames))
    return b"".join(frames)


def frames_in_another_order(rng: random.Random, data: bytes) -> bytes:
    frames = cut(data)
    one, other = rng.randrange(len(frames)), rng.randrange(len(frames))
    frames[one], frames[other] = frames[other], frames[one]
    return b"".join(frames)


@pytest.mark.parametrize(
    "change",
    [
        another_byte,
        more_bytes,
        fewer_bytes,
        zeros,
        cut_anywhere,
        without_a_frame,
        a_frame_twice,
        frames_in_another_order,
    ],
)
def test_a_changed_file_is_found_where_it_was_changed(written: Written, change: Change) -> None:
    rng = random.Random(change.__name__)
    files = written.files()
    found = 0
    for _ in range(TRIES):
        chain, path = rng.choice(sorted(files.items()))
        original = path.read_bytes()
        data = change(rng, original)
        if data == original:
            continue
        with changed({path: data}):
            expect(written.verify(), chain, first_bad(original, data))
        found += 1
    assert found > TRIES / 2
    assert written.verify().holds


def test_a_file_cut_off_between_any_two_frames_is_found(written: Written) -> None:
    for chain, path in written.files().items():
        frames = cut(path.read_bytes())
        for number in range(len(frames)):
            with changed({path: b"".join(frames[:number])}):
                expect(written.verify(), chain, number)


def test_two_files_exchanged_are_found(written: Written) -> None:
    files = written.files()
    for one, other in [(one, other) for one in files for other in files if one < other]:
        swapped = {files[one]: files[other].read_bytes(), files[other]: files[one].read_bytes()}
        with changed(swapped):
            expect(written.verify(), "checkpoints" if "checkpoints" in (one, other) else one, 0)


def test_a_file_that_is_gone_is_found(written: Written) -> None:
    for chain, path in written.files().items():
        with changed({path: None}):
            expect(written.verify(), chain, 0)
            expect(verify(written.folder, written.verifier), chain, 0)  # nobody kept anything


def test_a_file_of_another_name_is_found(written: Written) -> None:
    writer = written.folder.writers()[1]
    path, other = written.folder.chain(writer), written.folder.chain(writer + "0")
    other.write_bytes(path.read_bytes())
    try:
        expect(written.verify(), writer + "0", 0)
        with changed({path: None}):
            expect(written.verify(), writer, 0)
    finally:
        other.unlink()


def test_a_well_hashed_record_behind_the_end_is_found(written: Written) -> None:
    for chain, path in written.files().items():
        data = path.read_bytes()
        frames = cut(data)
        for body in {body_of(frame) for frame in frames[-20:]}:
            with changed({path: data + framed(data[-32:], body)}):
                expect(written.verify(), chain, len(frames))
                expect(verify(written.folder, written.verifier), chain, len(frames))


def rehashed(name: str, frames: list[bytes], number: int, body: bytes) -> bytes:
    """A chain with another body, hashed anew from there on as somebody does who knows how."""
    bodies = [body_of(frame) for frame in frames]
    bodies[number] = body
    before, data = start_of(name), b""
    for one in bodies:
        data += framed(before, one)
        before = data[-32:]
    return data


def test_a_chain_hashed_anew_is_found_between_two_checkpoints(written: Written) -> None:
    for writer in written.folder.writers():
        path = written.folder.chain(writer)
        frames, covers = cut(path.read_bytes()), written.covers(writer)
        for number, frame in enumerate(frames):
            entry = msgspec.msgpack.decode(body_of(frame))
            body = msgspec.msgpack.encode(entry | {"at_ns": entry["at_ns"] + 1})
            known_good = max([count for count in covers if count <= number], default=0)
            with changed({path: rehashed(writer, frames, number, body)}):
                report = verify(written.folder, written.verifier)
                expect(report, writer, known_good)
                reached = min(count for count in covers if count > number) - 1
                assert reached == known_good or f" {reached}," in report.problems[0].what


def test_a_record_that_no_program_wrote_is_found(written: Written) -> None:
    writer = written.folder.writers()[0]
    path = written.folder.chain(writer)
    frames = cut(path.read_bytes())
    for body in (b"\xc1", b"\x80", b"no entry", msgspec.msgpack.encode({"kind": 1, "at_ns": 2, "fields": 3})):
        with changed({path: rehashed(writer, frames, len(frames) - 2, body)}):
            expect(verify(written.folder, written.verifier), writer, len(frames) - 2)


def test_a_checkpoint_with_other_words_is_found(written: Written) -> None:
    path = written.folder.checkpoints
    frames = cut(path.read_bytes())
    for number, frame in enumerate(frames):
        signed = msgspec.msgpack.decode(body_of(frame))
        said = msgspec.msgpack.decode(signed["checkpoint"])
        signed["checkpoint"] = msgspec.msgpack.encode(said | {"heads": {}})
        body = msgspec.msgpack.encode(signed)
        with changed({path: rehashed("checkpoints", frames, number, body)}):
            expect(verify(written.folder, written.verifier), "checkpoints", number)


def rolled_back(written: Written, checkpoints: int) -> dict[Path, bytes | None]:
    """The ledger as it was just before a checkpoint was signed, as far as anything in it shows."""
    frames = cut(written.folder.checkpoints.read_bytes())[:checkpoints]
    heads: dict[str, int] = {}
    for frame in frames:
        said = msgspec.msgpack.decode(msgspec.msgpack.decode(body_of(frame))["checkpoint"])
        heads |= {writer: count for writer, (count, _) in said["heads"].items()}
    files: dict[Path, bytes | None] = {written.folder.checkpoints: b"".join(frames)}
    for writer in written.folder.writers():
        path = written.folder.chain(writer)
        files[path] = b"".join(cut(path.read_bytes())[: heads[writer]]) if writer in heads else None
    return files


def test_a_ledger_rolled_back_is_found_by_whoever_kept_a_checkpoint(written: Written) -> None:
    for checkpoints in range(len(cut(written.folder.checkpoints.read_bytes()))):
        with changed(rolled_back(written, checkpoints)):
            expect(written.verify(), "checkpoints", checkpoints)
            assert verify(written.folder, written.verifier).holds  # this is what one is kept for


def resigned(written: Written, key: Ed25519PrivateKey) -> dict[Path, bytes | None]:
    """All checkpoints signed by somebody else."""
    before, data = start_of("checkpoints"), b""
    for frame in cut(written.folder.checkpoints.read_bytes()):
        signed = msgspec.msgpack.decode(body_of(frame))
        message = b"pinwatch checkpoint 1\0" + before + signed["checkpoint"]
        data += framed(before, msgspec.msgpack.encode(signed | {"signature": key.sign(message)}))
        before = data[-32:]
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return {written.folder.checkpoints: data, written.folder.public_key: public}


def test_a_ledger_signed_anew_is_found_by_whoever_kept_the_public_key_or_a_checkpoint(
    written: Written,
) -> None:
    with changed(resigned(written, Ed25519PrivateKey.generate())):
        expect(verify(written.folder, written.verifier), "checkpoints", 0)
        beside = Verifier.read(written.folder.public_key)
        assert verify(written.folder, beside).holds
        expect(
            verify(written.folder, beside, written.kept), "checkpoints", len(cut(_checkpoints(written))) - 1
        )


def _checkpoints(written: Written) -> bytes:
    return written.folder.checkpoints.read_bytes()


def test_another_identity_is_found(written: Written) -> None:
    about = written.folder.about
    with changed({about: about.read_bytes().replace(b'"ledger_id": "', b'"ledger_id": "0')}):
        expect(verify(written.folder, written.verifier), "checkpoints", 0)


def test_a_kept_checkpoint_that_was_changed_is_not_taken_for_a_changed_ledger(written: Written) -> None:
    for kept in (
        msgspec.structs.replace(written.kept, hash="00" * 32),
        msgspec.structs.replace(written.kept, number=0),
        msgspec.structs.replace(written.kept, before="no hash"),
        msgspec.structs.replace(written.kept, body=written.kept.body[:-1]),
    ):
        report = verify(written.folder, written.verifier, kept)
        assert not report.holds
        assert "kept" in report.problems[0].what
    other = msgspec.structs.replace(written.kept, ledger_id="ffff")
    expect(verify(written.folder, written.verifier, other), "checkpoints", None)
