#!/usr/bin/env python3
"""Verifies a case that Pinwatch exported. Needs Python 3.11 and the package `cryptography`, no Pinwatch.

    python verify.py [--public-key FILE] [--checkpoint FILE]

A public key and a checkpoint that were kept elsewhere prove more than those in the case: whoever made the
case could have made another ledger. Ends with 1 if anything is not what was recorded.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import struct
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
FIRST, SIGNED = b"pinwatch chain 1\0", b"pinwatch checkpoint 1\0"
HEAD_BYTES, HASH_BYTES, NONCE_BYTES = 4, 32, 12

SIZES = {0xC4: "B", 0xC5: "H", 0xC6: "I", 0xD9: "B", 0xDA: "H", 0xDB: "I"}
NUMBERS = {0xCA: "f", 0xCB: "d", 0xCC: "B", 0xCD: "H", 0xCE: "I", 0xCF: "Q"} | {
    0xD0: "b",
    0xD1: "h",
    0xD2: "i",
    0xD3: "q",
}
PLAIN = {0xC0: None, 0xC2: False, 0xC3: True}


Records = dict[tuple[str, int], dict[str, Any]]
"""By chain and number."""


class Wrong(Exception):
    """Something is not what was recorded."""


class Unpacker:
    """Decodes MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md)."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        part = self.data[self.at : self.at + count]
        if len(part) != count:
            raise Wrong("a record ends too early")
        self.at += count
        return part

    def number(self, code: str) -> Any:
        return struct.unpack(">" + code, self.take(struct.calcsize(code)))[0]

    def value(self) -> Any:
        tag = self.take(1)[0]
        if tag < 0xC0 or tag >= 0xE0:
            return self.short(tag)
        if tag in SIZES:
            part = self.take(self.number(SIZES[tag]))
            return part if tag < 0xD0 else part.decode()
        if tag in NUMBERS:
            return self.number(NUMBERS[tag])
        if tag >= 0xDC:
            return self.many(tag < 0xDE, self.number("H" if tag % 2 == 0 else "I"))
        if tag not in PLAIN:
            raise Wrong("a record holds what no record holds")
        return PLAIN[tag]

    def short(self, tag: int) -> Any:
        if tag < 0x80 or tag >= 0xE0:
            return tag if tag < 0x80 else tag - 256
        if tag < 0xA0:
            return self.many(tag >= 0x90, tag & 0x0F)
        return self.take(tag & 0x1F).decode()

    def many(self, as_list: bool, count: int) -> Any:
        if as_list:
            return [self.value() for _ in range(count)]
        return {self.value(): self.value() for _ in range(count)}


def unpack(data: bytes) -> Any:
    return Unpacker(data).value()


def frames(path: Path, name: str) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Hash before, body and hash of every record of a chain, each checked; a torn end is left out."""
    data, at = path.read_bytes(), 0
    before = hashlib.sha256(FIRST + name.encode()).digest()
    while at + HEAD_BYTES <= len(data):
        (length,) = struct.unpack_from("<I", data, at)
        end = at + HEAD_BYTES + length
        if end + HASH_BYTES > len(data):
            return
        body, digest = data[at + HEAD_BYTES : end], data[end : end + HASH_BYTES]
        if hashlib.sha256(before + body).digest() != digest:
            raise Wrong(f"{name}: the record at byte {at} is not what was written")
        yield before, body, digest
        before, at = digest, end + HASH_BYTES


def read_key(path: Path) -> Any:
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    return load_pem_public_key(path.read_bytes())


def check_signature(key: Any, signature: bytes, message: bytes, what: str) -> None:
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(signature, message)
    except InvalidSignature:
        raise Wrong(f"{what} was not signed with this key") from None


def check_manifest(key: Any) -> dict[str, Any]:
    text = (HERE / "manifest.json").read_bytes()
    check_signature(key, (HERE / "manifest.sig").read_bytes(), text, "the manifest")
    manifest: dict[str, Any] = json.loads(text)
    for name, digest in manifest["files"].items():
        path = HERE / name
        if not path.is_file():
            raise Wrong(f"{name} is gone")
        if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise Wrong(f"{name} is not what was exported")
    return manifest


def check_checkpoints(key: Any, kept: Mapping[str, Any] | None) -> dict[str, dict[int, bytes]]:
    """How far the checkpoints say that each chain goes."""
    covered: dict[str, dict[int, bytes]] = {}
    hashes: dict[int, str] = {}
    for number, (before, body, digest) in enumerate(frames(HERE / "ledger/checkpoints.chain", "checkpoints")):
        signed = unpack(body)
        check_signature(
            key, signed["signature"], SIGNED + before + signed["checkpoint"], f"checkpoint {number}"
        )
        for chain, (count, head) in unpack(signed["checkpoint"])["heads"].items():
            covered.setdefault(chain, {})[count] = head
        hashes[number] = digest.hex()
    if kept is not None and hashes.get(kept["number"]) != kept["hash"]:
        raise Wrong("the checkpoint that was kept elsewhere is not in this ledger")
    return covered


def check_chains(covered: Mapping[str, Mapping[int, bytes]]) -> Records:
    """All records by chain and number; each chain holds what the checkpoints cover."""
    records: Records = {}
    for path in sorted((HERE / "ledger/chains").glob("*.chain")):
        name = path.name[: -len(".chain")]
        heads, wanted = covered.get(name, {}), dict(covered.get(name, {}))
        for number, (_, body, digest) in enumerate(frames(path, name)):
            records[name, number] = unpack(body)
            if heads.get(number + 1, digest) != digest:
                raise Wrong(f"{name}: record {number} is not the one that a checkpoint covers")
            wanted.pop(number + 1, None)
        if wanted:
            raise Wrong(f"{name}: records up to {max(wanted)} are covered by a checkpoint, and not there")
    missing = set(covered) - {chain for chain, _ in records}
    if missing:
        raise Wrong(f"{min(missing)}: the chain is gone")
    return records


def unseal(secret: bytes, sealed: bytes, place: str) -> bytes:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(secret).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place.encode())
    except InvalidTag:
        raise Wrong(f"what is sealed for {place} is not what was recorded") from None


def check_decision(decision: Mapping[str, Any], records: Records) -> None:
    """The content is what the ledger sealed, and so are the crops."""
    entry = records[decision["chain"], decision["record"]]["fields"]
    folder, secret = HERE / decision["folder"], bytes.fromhex(decision["key"])
    content = unseal(secret, entry["sealed"], entry["decision_id"])
    if (
        entry["decision_id"] != decision["decision_id"]
        or (folder / "content.msgpack").read_bytes() != content
    ):
        raise Wrong(f"the content of decision {decision['decision_id']} is not what was recorded")
    told = {
        bytes(digest)
        for record in records.values()
        if record["kind"] == "crops" and record["fields"]["scope"] == entry["scope"]
        for _, digest in record["fields"]["digests"]
    }
    for sequence in decision["crops"]:
        sealed = (folder / f"crop-{sequence}.sealed").read_bytes()
        if hashlib.sha256(sealed).digest() not in told:
            raise Wrong(f"the ledger tells of no such crop {sequence} of decision {decision['decision_id']}")
        kept = unpack(unseal(secret, sealed, f"{entry['scope']}#{sequence}"))
        if kept["png"] != (folder / f"crop-{sequence}.png").read_bytes():
            raise Wrong(f"crop {sequence} of decision {decision['decision_id']} is not what was kept")


def check_footage(files: list[str], records: Records) -> None:
    """Every segment in the case is one that the ledger tells of, unchanged."""
    told = {
        record["fields"]["file"]: record["fields"]["media_sha256"]
        for record in records.values()
        if record["kind"] == "segment" and record["fields"]["what"] == "closed"
    }
    for name in files:
        found = hashlib.sha256((HERE / "footage" / name).read_bytes()).hexdigest()
        if told.get(name) != found:
            raise Wrong(f"the ledger tells of no such footage {name}")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--public-key", type=Path, default=HERE / "ledger" / "public.pem")
    parser.add_argument("--checkpoint", type=Path)
    given = parser.parse_args()
    try:
        key = read_key(given.public_key)
        kept = json.loads(given.checkpoint.read_text()) if given.checkpoint else None
        manifest = check_manifest(key)
        records = check_chains(check_checkpoints(key, kept))
        for decision in manifest["decisions"]:
            check_decision(decision, records)
        check_footage(manifest["footage"], records)
    except (Wrong, OSError, ValueError, KeyError) as error:
        print(f"NOT what was recorded: {error}", file=sys.stderr)
        return 1
    print(
        f"case {manifest['case']}: {len(manifest['files'])} files, {len(manifest['decisions'])} decisions, "
        f"{len(manifest['footage'])} segments of footage, {len(records)} records: all as recorded"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
