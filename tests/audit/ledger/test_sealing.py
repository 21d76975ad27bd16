"""Sealed contents."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.ledger.sealing import KEY_BYTES, new_key, seal, unseal
from pipeline.errors import LedgerCorrupt

KEY = bytes(range(KEY_BYTES))


@given(st.binary(max_size=200), st.text(max_size=20))
def test_what_was_sealed_comes_back(content: bytes, place: str) -> None:
    assert unseal(KEY, seal(KEY, content, place), place) == content


def test_no_two_seals_are_alike() -> None:
    sealed = {seal(KEY, b"content", "here") for _ in range(100)}
    assert len({one[:12] for one in sealed}) == 100
    assert all(b"content" not in one for one in sealed)


def test_no_two_keys_are_alike() -> None:
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    assert {len(key) for key in keys} == {KEY_BYTES}


def test_another_place_or_another_key_does_not_open_it() -> None:
    sealed = seal(KEY, b"content", "here")
    with pytest.raises(LedgerCorrupt, match="what is sealed for there is not what was written"):
        unseal(KEY, sealed, "there")
    with pytest.raises(LedgerCorrupt, match="sealed for here"):
        unseal(new_key(), sealed, "here")


def test_no_changed_byte_and_no_cut_goes_unseen() -> None:
    sealed = seal(KEY, b"content", "here")
    for at in range(len(sealed)):
        for changed in (sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :], sealed[:at]):
            with pytest.raises(LedgerCorrupt):
                unseal(KEY, changed, "here")
